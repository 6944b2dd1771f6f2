use jiff::Timestamp;
use mainstay_core::{
    email::{EmailType, Item, Recipient, WeekInReview, weekly_insights},
    id::{ClientId, OrganizationId},
    insight::Period,
};
use mainstay_store::{ClientChunk, NewEmail, Scope, Subscriber, TypeCounts};

use super::{Draft, called, outbox::made, queued};
use crate::{Mainstay, Result, organization::Context, score::Moment};

/// Mails that are written at a time: few enough that nobody else waits long to write.
const CHUNK: i64 = 1_000;

impl Mainstay {
    /// Queues the weekly mail of the seven local days before `as_of` for every client that asked for
    /// it. A client that has one of that week gets no other.
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
            let subscribers = tx.subscribers_after(last, as_of, CHUNK).await?;
            drop(tx);
            let Some(latest) = subscribers.last() else { return Ok(count) };
            last = Some(latest.client.id);
            let emails = self.write_weekly_emails(organization, &subscribers, as_of).await?;
            let emails = made(emails, settings.postal_address.as_deref()).await?;
            let mut tx = self.begin_writing(Scope::Service(organization)).await?;
            count += tx.queue_emails(&emails, self.now()).await?;
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
        let moment = Moment::new(&context, as_of, false);
        let period = Period::before(as_of, &context.zone);
        let chunk = ClientChunk::stretch(
            subscribers.iter().map(|one| (one.client, one.external_id.clone())).collect(),
        );
        let facts = tx.client_facts(&chunk, &moment.range, &moment.model).await?;
        let counts = tx.type_counts(&chunk, period.first, period.last).await?;
        let mut insights = tx.period_insights(&chunk, period.last).await?;
        drop(tx);
        let now = self.now();
        let emails = subscribers.iter().zip(&facts).map(|(to, facts)| {
            let insights: Vec<Item> = insights
                .remove(&to.client.id)
                .unwrap_or_default()
                .iter()
                .map(|one| Item::of_insight(one.kind, &one.title, &one.message))
                .collect();
            let TypeCounts(events) = counts.get(&to.client.id).cloned().unwrap_or_default();
            let (subject, says) = weekly_insights(&WeekInReview {
                to: Recipient {
                    organization: &context.organization.name,
                    client: called(to.name.as_deref(), &to.external_id),
                    zone: &context.zone,
                    since: to.since,
                    now,
                },
                period: &period,
                score: &moment.score(facts),
                model: &moment.model,
                events: &events,
                insights: &insights,
            });
            let kind = EmailType::WeeklyInsights;
            let draft = Draft { kind, period: period.last, subject, content: says };
            queued(draft, &context.organization, to, now, now)
        });
        Ok(emails.collect())
    }
}
