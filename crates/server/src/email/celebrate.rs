use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp, civil::Date};
use mainstay_core::{
    email::{
        EmailType, Item, NUDGE_EVERY, Recipient, achievement_badge, milestone_celebration,
        momentum_nudge,
    },
    id::ClientId,
    insight::InsightType,
    score::Score,
    time::local_day,
};
use mainstay_store::{ClientChunk, ClientFacts, NewEmail, NewInsight, Subscriber, Tx};

use super::{Draft, ago, called, queued};
use crate::{Mainstay, Result, organization::Context};

/// How long after the weekly mail, which tells of it too, a mail of its own waits.
const AFTER_WEEKLY: SignedDuration = SignedDuration::from_hours(24);

/// When insights are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Occasion {
    /// Last local day of the period that they are of.
    pub(crate) period: Date,
    /// Whether the weekly mails follow at once.
    pub(crate) weekly_follows: bool,
}

/// A client that has just fallen silent.
pub(crate) struct Silent<'a> {
    pub(crate) facts: &'a ClientFacts,
    pub(crate) score: Score,
    pub(crate) step: Option<Item>,
}

impl Mainstay {
    /// Queues a mail for the first milestone and the first achievement of each client, in the
    /// transaction that keeps them as insights.
    pub(crate) async fn queue_celebrations(
        &self,
        tx: &mut Tx,
        context: &Context,
        chunk: &ClientChunk,
        new: &[NewInsight],
        occasion: Occasion,
    ) -> Result<()> {
        let subscribers = tx.subscribers_of(chunk).await?;
        if subscribers.is_empty() {
            return Ok(());
        }
        let settings = tx.email_settings().await?;
        let now = self.now();
        let follows = occasion.weekly_follows && settings.sends(EmailType::WeeklyInsights);
        let wait = if follows { AFTER_WEEKLY } else { SignedDuration::ZERO };
        let due_at = now.checked_add(wait).unwrap_or(now);
        let mut told: HashSet<(ClientId, EmailType)> = HashSet::new();
        let mut emails: Vec<NewEmail> = Vec::new();
        for one in new {
            let kind = match one.insight.kind {
                InsightType::Milestone => EmailType::MilestoneCelebration,
                InsightType::Achievement => EmailType::AchievementBadge,
                _ => continue,
            };
            let Some(to) = subscribers.get(&one.client) else { continue };
            if !settings.sends(kind) || !told.insert((one.client, kind)) {
                continue;
            }
            let recipient = recipient(context, to, now);
            let (title, message) = (&one.insight.title, &one.insight.message);
            let (subject, says) = match kind {
                EmailType::MilestoneCelebration => {
                    milestone_celebration(&recipient, title, message)
                }
                _ => achievement_badge(&recipient, title, message),
            };
            let draft = Draft { kind, period: occasion.period, subject, content: says };
            emails.push(queued(draft, &context.organization, to, now, due_at));
        }
        tx.queue_emails(&emails, now).await?;
        Ok(())
    }

    /// Queues a mail for each client that has fallen silent, in the transaction that opens its alert;
    /// not for those that had one lately.
    pub(crate) async fn queue_nudges(
        &self,
        tx: &mut Tx,
        context: &Context,
        chunk: &ClientChunk,
        silent: Vec<Silent<'_>>,
    ) -> Result<()> {
        let kind = EmailType::MomentumNudge;
        if silent.is_empty() || !tx.email_settings().await?.sends(kind) {
            return Ok(());
        }
        let subscribers = tx.subscribers_of(chunk).await?;
        let now = self.now();
        let nudged = tx.last_written(kind, ago(now, NUDGE_EVERY)).await?;
        let mut emails = Vec::new();
        for Silent { facts, score, step } in silent {
            let Some(to) = subscribers.get(&facts.client) else { continue };
            if nudged.contains_key(&facts.client) {
                continue;
            }
            let last = facts.activity.last_event_at;
            let recipient = recipient(context, to, now);
            let (subject, says) = momentum_nudge(&recipient, last, &score, step);
            let period = local_day(now, &context.zone);
            let draft = Draft { kind, period, subject, content: says };
            emails.push(queued(draft, &context.organization, to, now, now));
        }
        tx.queue_emails(&emails, now).await?;
        Ok(())
    }
}

fn recipient<'a>(context: &'a Context, to: &'a Subscriber, now: Timestamp) -> Recipient<'a> {
    Recipient {
        organization: &context.organization.name,
        client: called(to.name.as_deref(), &to.external_id),
        zone: &context.zone,
        since: to.since,
        now,
    }
}
