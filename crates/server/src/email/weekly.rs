use jiff::Timestamp;
use mainstay_core::{
    email::{EmailState, EmailType, Item, Recipient, WeekInReview, weekly_insights, weekly_pause},
    id::{ClientId, OrganizationId},
    insight::Period,
    time::add_days,
};
use mainstay_store::{ClientChunk, NewEmail, Scope, Subscriber, TypeCounts};

use super::{Draft, display_name, outbox::render_all, outbox_row};
use crate::{
    Mainstay, Result, alert::Holds, insight::last_week, organization::Context, score::shown_facts,
};

/// Emails per transaction, which must stay short.
const CHUNK: i64 = 1_000;

impl Mainstay {
    /// Queues the weekly email for the last complete local week before `as_of` for every subscribed
    /// client. A client gets one email per week; none after four without any activity, until it is
    /// active again; and none while its data is missing.
    pub(crate) async fn queue_weekly_emails(
        &self,
        organization: OrganizationId,
        as_of: Timestamp,
        mut each: impl FnMut(usize) + Send,
    ) -> Result<u64> {
        let mut count = 0;
        let mut last: Option<ClientId> = None;
        let settings = self.email_settings(Scope::Service(organization)).await?;
        if !settings.sends(EmailType::WeeklyInsights) {
            return Ok(0);
        }
        loop {
            let mut tx = self.store().read(Scope::Service(organization)).await?;
            let subscribers = tx.list_subscribers_after(last, as_of, CHUNK).await?;
            drop(tx);
            let Some(latest) = subscribers.last() else { return Ok(count) };
            last = Some(latest.client.id);
            let emails = self.write_weekly_emails(organization, &subscribers, as_of).await?;
            let emails = render_all(emails, settings.postal_address.as_deref()).await?;
            let mut tx = self.begin_writing(Scope::Service(organization)).await?;
            count += tx.enqueue_emails(&emails, self.now()).await?;
            tx.commit().await?;
            each(subscribers.len());
        }
    }

    async fn write_weekly_emails(
        &self,
        organization: OrganizationId,
        subscribers: &[Subscriber],
        as_of: Timestamp,
    ) -> Result<Vec<NewEmail>> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let context = Context::load(&mut tx).await?;
        let period = last_week(&mut tx, as_of).await?;
        let chunk = ClientChunk::from_range(
            subscribers.iter().map(|one| (one.client, one.external_id.clone())).collect(),
        );
        let facts = shown_facts(&mut tx, &context, &chunk, as_of, false).await?;
        let counts = tx.count_events_by_type(&chunk, period.first, period.last).await?;
        let mut insights = tx.list_period_insights(&chunk, period.last).await?;
        let week_before = add_days(period.last, -Period::DAYS);
        let latest = tx.list_latest_weekly_periods(&chunk, week_before).await?;
        let unanswered = tx.list_unanswered_weekly_since(&chunk).await?;
        let withheld = Holds::load(&mut tx, as_of).await?.withheld(&mut tx, &chunk).await?;
        drop(tx);
        let now = self.now();
        let overlaps =
            |client: &ClientId| latest.get(client).is_some_and(|last| *last != period.last);
        let emails = subscribers
            .iter()
            .zip(&facts)
            .filter(|(to, _)| !overlaps(&to.client.id) && !withheld.contains(&to.client.id));
        let emails = emails.map(|(to, facts)| {
            let insights: Vec<Item> = insights
                .remove(&to.client.id)
                .unwrap_or_default()
                .iter()
                .map(|one| Item::from_insight(one.kind, &one.title, &one.message))
                .collect();
            let TypeCounts(events) = counts.get(&to.client.id).cloned().unwrap_or_default();
            let score = context.shown_score(facts);
            let fourth_last = unanswered.get(&to.client.id).copied();
            let pause = weekly_pause(fourth_last, score.inputs.last, to.since);
            let (subject, content) = weekly_insights(&WeekInReview {
                to: Recipient {
                    organization: &context.organization.name,
                    client: display_name(to.name.as_deref(), &to.external_id),
                    zone: &context.zone,
                    since: to.since,
                    now,
                },
                period: &period,
                score: &score,
                model: context.model_ref(score.inputs.model),
                events: &events,
                insights: &insights,
            });
            let kind = EmailType::WeeklyInsights;
            let draft = Draft { kind, period: period.last, subject, content };
            let mut email = outbox_row(draft, &context.organization, to, now, now);
            if let Some(reason) = pause.filter(|_| email.state == EmailState::Queued) {
                email.state = EmailState::Suppressed;
                email.reason = Some(reason);
            }
            email
        });
        Ok(emails.collect())
    }
}
