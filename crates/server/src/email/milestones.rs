use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp, civil::Date};
use mainstay_core::{
    email::{Celebration, EmailType, Item, NUDGE_INTERVAL, Recipient, momentum_nudge},
    id::ClientId,
    insight::{Insight, InsightType, PendingTask, step_words},
    playbook::ActionOutcome,
    score::{Score, ScoreModel, improvements},
    time::local_day,
};
use mainstay_store::{ClientChunk, NewEmail, NewInsight, OnboardingTask, Subscriber, Tx};

use super::{Draft, ago, display_name, outbox::render_all, outbox_row};
use crate::{Mainstay, Result, organization::Context};

/// Delay after the weekly email, which also mentions the milestone.
const AFTER_WEEKLY: SignedDuration = SignedDuration::from_hours(24);

/// The batch in which insights are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InsightBatch {
    /// The last local day of their period.
    pub(crate) period: Date,
    /// Whether the weekly emails follow immediately.
    pub(crate) weekly_follows: bool,
}

/// A client to remind.
pub(crate) struct Nudge {
    pub(crate) client: ClientId,
    pub(crate) score: Score,
    /// The best improvement of its score.
    pub(crate) step: Option<Item>,
}

impl Nudge {
    /// The nudge of a client, from its score, model and open onboarding tasks.
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
            // What it gains now is another figure by the time the email is read.
            Item::from_insight(InsightType::Recommendation, &words.title, &words.fact)
        });
        Self { client, score, step }
    }
}

impl Mainstay {
    /// Queues an email for each client that has reached a milestone, in the transaction that stores
    /// the insight. The weekly email covers everything else.
    pub(crate) async fn queue_celebrations(
        &self,
        tx: &mut Tx,
        context: &Context,
        chunk: &ClientChunk,
        new: &[NewInsight],
        batch: InsightBatch,
    ) -> Result<()> {
        let subscribers = tx.list_subscribers_of(chunk).await?;
        if subscribers.is_empty() {
            return Ok(());
        }
        let settings = tx.get_email_settings().await?;
        let now = self.now();
        let follows = batch.weekly_follows && settings.sends(EmailType::WeeklyInsights);
        let wait = if follows { AFTER_WEEKLY } else { SignedDuration::ZERO };
        let due_at = now.checked_add(wait).unwrap_or(now);
        let mut weeks: BTreeMap<ClientId, Vec<&Insight>> = BTreeMap::new();
        for one in new {
            weeks.entry(one.client).or_default().push(&one.insight);
        }
        let mut emails: Vec<NewEmail> = Vec::new();
        for (client, insights) in weeks {
            let Some(to) = subscribers.get(&client) else { continue };
            let Some(milestone) = Celebration::from_insights(insights) else { continue };
            if !settings.sends(milestone.kind) {
                continue;
            }
            let (subject, content) = milestone.email(&recipient(context, to, now));
            let (kind, period) = (milestone.kind, batch.period);
            let draft = Draft { kind, period, subject, content };
            emails.push(outbox_row(draft, &context.organization, to, now, due_at));
        }
        let emails = render_all(emails, settings.postal_address.as_deref()).await?;
        tx.enqueue_emails(&emails, now).await?;
        Ok(())
    }

    /// Queues a reminder for each client, in the caller's transaction; returns the email, or why
    /// there is none. A client that got one recently gets no other.
    pub(crate) async fn queue_nudges(
        &self,
        tx: &mut Tx,
        context: &Context,
        chunk: &ClientChunk,
        nudges: Vec<Nudge>,
    ) -> Result<HashMap<ClientId, ActionOutcome>> {
        let kind = EmailType::MomentumNudge;
        let not = |reason: &str| ActionOutcome::EmailSkipped { reason: reason.to_owned() };
        if nudges.is_empty() {
            return Ok(HashMap::new());
        }
        let settings = tx.get_email_settings().await?;
        if !settings.sends(kind) {
            let off = |nudge: Nudge| (nudge.client, not("these emails are disabled"));
            return Ok(nudges.into_iter().map(off).collect());
        }
        let subscribers = tx.list_subscribers_of(chunk).await?;
        let now = self.now();
        let lately = tx.list_last_email_times(kind, ago(now, NUDGE_INTERVAL)).await?;
        let mut emails = Vec::new();
        let mut outcomes = HashMap::new();
        for Nudge { client, score, step } in nudges {
            let Some(to) = subscribers.get(&client) else {
                outcomes.insert(client, not("the client is not subscribed to emails"));
                continue;
            };
            if lately.contains_key(&client) {
                outcomes.insert(client, not("the client got this email within the last 14 days"));
                continue;
            }
            let writing = async {
                self.supervisor().fail_point("nudge");
                let recipient = recipient(context, to, now);
                momentum_nudge(&recipient, score.inputs.last, &score, step)
            };
            let (subject, content) = match self.supervisor().isolate("nudge", writing).await {
                Ok(written) => written,
                Err(panicked) => {
                    outcomes.insert(client, not(&panicked.to_string()));
                    continue;
                }
            };
            let period = local_day(now, &context.zone);
            let draft = Draft { kind, period, subject, content };
            let email = outbox_row(draft, &context.organization, to, now, now);
            let outcome = match &email.reason {
                Some(reason) => not(reason),
                None => ActionOutcome::EmailQueued { email: email.id },
            };
            outcomes.insert(client, outcome);
            emails.push(email);
        }
        let emails = render_all(emails, settings.postal_address.as_deref()).await?;
        tx.enqueue_emails(&emails, now).await?;
        Ok(outcomes)
    }
}

fn recipient<'a>(context: &'a Context, to: &'a Subscriber, now: Timestamp) -> Recipient<'a> {
    Recipient {
        organization: &context.organization.name,
        client: display_name(to.name.as_deref(), &to.external_id),
        zone: &context.zone,
        since: to.since,
        now,
    }
}
