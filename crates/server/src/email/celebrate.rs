use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp, civil::Date};
use mainstay_core::{
    email::{Celebration, EmailType, Item, NUDGE_EVERY, Recipient, momentum_nudge},
    id::ClientId,
    insight::{Insight, InsightType, PendingTask, step_words},
    playbook::PlaybookDeed,
    score::{Score, ScoreModel, improvements},
    time::local_day,
};
use mainstay_store::{ClientChunk, NewEmail, NewInsight, OnboardingTask, Subscriber, Tx};

use super::{Draft, ago, called, outbox::made, queued};
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

/// A client that is to be asked back.
pub(crate) struct Nudge {
    pub(crate) client: ClientId,
    pub(crate) score: Score,
    /// What would raise its score most.
    pub(crate) step: Option<Item>,
}

impl Nudge {
    /// The nudge of a client with a score by a model and open onboarding tasks.
    pub(crate) fn new(
        client: ClientId,
        score: Score,
        model: &ScoreModel,
        tasks: &[OnboardingTask],
    ) -> Self {
        let step = improvements(&score.inputs, model).into_iter().next().map(|best| {
            let pending: Vec<PendingTask> = tasks
                .iter()
                .map(|task| PendingTask { title: task.title.clone(), open_since: task.created_at })
                .collect();
            let words = step_words(&best, &score.inputs, model, &pending);
            // What it gains now is another figure by the time the mail is read.
            Item::of_insight(InsightType::Recommendation, &words.title, &words.fact)
        });
        Self { client, score, step }
    }
}

impl Mainstay {
    /// Queues a mail for each client that has reached something worth one of its own, in the transaction
    /// that keeps it as an insight. The weekly mail tells of everything else.
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
        let mut weeks: BTreeMap<ClientId, Vec<&Insight>> = BTreeMap::new();
        for one in new {
            weeks.entry(one.client).or_default().push(&one.insight);
        }
        let mut emails: Vec<NewEmail> = Vec::new();
        for (client, insights) in weeks {
            let Some(to) = subscribers.get(&client) else { continue };
            let Some(milestone) = Celebration::of_week(insights) else { continue };
            if !settings.sends(milestone.kind) {
                continue;
            }
            let (subject, says) = milestone.email(&recipient(context, to, now));
            let (kind, period) = (milestone.kind, occasion.period);
            let draft = Draft { kind, period, subject, content: says };
            emails.push(queued(draft, &context.organization, to, now, due_at));
        }
        let emails = made(emails, settings.postal_address.as_deref()).await?;
        tx.queue_emails(&emails, now).await?;
        Ok(())
    }

    /// Queues a mail for each client that is to be asked back, in the transaction of what asks for it;
    /// answers which mail, or why there is none. A client that had one lately gets no other.
    pub(crate) async fn queue_nudges(
        &self,
        tx: &mut Tx,
        context: &Context,
        chunk: &ClientChunk,
        nudges: Vec<Nudge>,
    ) -> Result<HashMap<ClientId, PlaybookDeed>> {
        let kind = EmailType::MomentumNudge;
        let not = |reason: &str| PlaybookDeed::NotNudged { reason: reason.to_owned() };
        if nudges.is_empty() {
            return Ok(HashMap::new());
        }
        let settings = tx.email_settings().await?;
        if !settings.sends(kind) {
            let off = |nudge: Nudge| (nudge.client, not("these mails are switched off"));
            return Ok(nudges.into_iter().map(off).collect());
        }
        let subscribers = tx.subscribers_of(chunk).await?;
        let now = self.now();
        let lately = tx.last_written(kind, ago(now, NUDGE_EVERY)).await?;
        let mut emails = Vec::new();
        let mut deeds = HashMap::new();
        for Nudge { client, score, step } in nudges {
            let Some(to) = subscribers.get(&client) else {
                deeds.insert(client, not("the client has not asked for mails"));
                continue;
            };
            if lately.contains_key(&client) {
                deeds.insert(client, not("the client was sent one in the last 14 days"));
                continue;
            }
            let writing = async {
                self.supervisor().pass("nudge");
                let recipient = recipient(context, to, now);
                momentum_nudge(&recipient, score.inputs.last, &score, step)
            };
            let (subject, says) = match self.supervisor().isolate("nudge", writing).await {
                Ok(written) => written,
                Err(panicked) => {
                    deeds.insert(client, not(&panicked.to_string()));
                    continue;
                }
            };
            let period = local_day(now, &context.zone);
            let draft = Draft { kind, period, subject, content: says };
            let email = queued(draft, &context.organization, to, now, now);
            let deed = match &email.reason {
                Some(reason) => not(reason),
                None => PlaybookDeed::Nudged { email: email.id },
            };
            deeds.insert(client, deed);
            emails.push(email);
        }
        let emails = made(emails, settings.postal_address.as_deref()).await?;
        tx.queue_emails(&emails, now).await?;
        Ok(deeds)
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
