//! Writing each client's weekly insights, and what clients make of them.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use mainstay_core::{
    engagement::EventType,
    id::{ClientId, InsightId, OrganizationId},
    insight::{
        Insight, InsightStatus, Lifetime, PendingTask, Period, WeekFacts, contributions,
        weekly_insights,
    },
};
use mainstay_store::{
    ClientChunk, ClientFacts, NewInsight, OnboardingTask, Scope, StoredInsight, Tx, TypeCounts,
    new_id,
};

use crate::{
    Error, Mainstay, Result,
    client::next_chunk,
    email::Occasion,
    organization::{Context, check_as_of},
    score::Moment,
};

/// An insight that a run wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenInsight {
    /// The client's `external_id`.
    pub client_id: String,
    /// What it says.
    pub insight: Insight,
}

/// Which insights to write.
#[derive(Clone, Copy)]
struct InsightRun<'a> {
    as_of: Timestamp,
    /// Only this client's.
    client: Option<&'a str>,
    dry_run: bool,
    /// Whether the weekly mails, which tell of them, follow at once.
    weekly_follows: bool,
}

impl Mainstay {
    /// Writes the insights of the seven local days before `as_of` for every client, or one, and
    /// hands out those that are new. A period that was written before stays as it is.
    ///
    /// # Errors
    /// When there is no such client, or `as_of` cannot be used.
    pub async fn generate_organization_insights(
        &self,
        organization: OrganizationId,
        as_of: Timestamp,
        client: Option<&str>,
        dry_run: bool,
        mut each: impl FnMut(Vec<WrittenInsight>) + Send,
    ) -> Result<u64> {
        let run = InsightRun { as_of, client, dry_run, weekly_follows: false };
        self.write_all_insights(organization, run, &mut each).await
    }

    /// The same for every client, by the weekly job: the mails of the week follow at once.
    pub(crate) async fn write_weekly_insights(
        &self,
        organization: OrganizationId,
        as_of: Timestamp,
        mut each: impl FnMut(Vec<WrittenInsight>) + Send,
    ) -> Result<u64> {
        let run = InsightRun { as_of, client: None, dry_run: false, weekly_follows: true };
        self.write_all_insights(organization, run, &mut each).await
    }

    async fn write_all_insights(
        &self,
        organization: OrganizationId,
        run: InsightRun<'_>,
        each: &mut (impl FnMut(Vec<WrittenInsight>) + Send),
    ) -> Result<u64> {
        let InsightRun { as_of, client, dry_run, .. } = run;
        check_as_of(as_of, self.now())?;
        let scope = Scope::Service(organization);
        let mut count = 0;
        let mut done: Option<ClientChunk> = None;
        loop {
            let mut tx = self.begin_writing(scope).await?;
            let chunk = next_chunk(&mut tx, client, as_of, done.as_ref()).await?;
            if chunk.clients.is_empty() {
                return Ok(count);
            }
            let written = self.write_insights(&mut tx, &chunk, &run).await?;
            if dry_run {
                tx.rollback().await?;
            } else {
                tx.commit().await?;
            }
            count += written.len() as u64;
            each(written);
            done = Some(chunk);
        }
    }

    /// Writes one client's insights of the seven local days before `as_of`.
    ///
    /// # Errors
    /// See [`Mainstay::generate_organization_insights`].
    pub async fn generate_weekly_insights(
        &self,
        organization: OrganizationId,
        client_id: &str,
        as_of: Timestamp,
    ) -> Result<Vec<Insight>> {
        let mut insights = Vec::new();
        self.generate_organization_insights(
            organization,
            as_of,
            Some(client_id),
            false,
            |written| {
                insights.extend(written.into_iter().map(|written| written.insight));
            },
        )
        .await?;
        Ok(insights)
    }

    async fn write_insights(
        &self,
        tx: &mut Tx,
        chunk: &ClientChunk,
        run: &InsightRun<'_>,
    ) -> Result<Vec<WrittenInsight>> {
        let as_of = run.as_of;
        let context = Context::load(tx).await?;
        let moment = Moment::new(&context, as_of, true);
        let period = Period::before(as_of, &context.zone);
        let facts = tx.client_facts(chunk, &moment.range, &moment.model).await?;
        let counts = tx.type_counts(chunk, period.first, period.last).await?;
        let mut tasks = tx.open_tasks(chunk, as_of).await?;

        let mut names: HashMap<InsightId, String> = HashMap::new();
        let mut insights = Vec::new();
        for facts in &facts {
            let week = Week {
                context: &context,
                moment: &moment,
                period: &period,
                counts: counts.get(&facts.client),
                tasks: tasks.remove(&facts.client).unwrap_or_default(),
            };
            for insight in week.insights(facts) {
                let id: InsightId = new_id(as_of);
                names.insert(id, facts.external_id.clone());
                insights.push(NewInsight { id, client: facts.client, insight });
            }
        }
        let new = tx.save_insights(period.last, &insights, as_of).await?;
        let new: HashSet<InsightId> = new.into_iter().collect();
        insights.retain(|insight| new.contains(&insight.id));
        let occasion = Occasion { period: period.last, weekly_follows: run.weekly_follows };
        self.queue_celebrations(tx, &context, chunk, &insights, occasion).await?;
        Ok(insights
            .into_iter()
            .filter_map(|insight| {
                let client_id = names.remove(&insight.id)?;
                Some(WrittenInsight { client_id, insight: insight.insight })
            })
            .collect())
    }

    /// A client's insights that are valid now.
    pub async fn client_insights(
        &self,
        scope: Scope,
        client: ClientId,
        with_dismissed: bool,
    ) -> Result<Vec<StoredInsight>> {
        let mut tx = self.store().read(scope).await?;
        Ok(tx.client_insights(client, self.now(), with_dismissed).await?)
    }

    /// Records that an insight was read, acted on or dismissed. Saying the same twice is no error.
    /// `client` is the one whose insight it must be.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] when it was dismissed or acted on already.
    pub async fn set_insight_status(
        &self,
        scope: Scope,
        client: Option<ClientId>,
        id: InsightId,
        to: InsightStatus,
    ) -> Result<StoredInsight> {
        let mut tx = self.begin_writing(scope).await?;
        let found = tx
            .insight(id)
            .await?
            .filter(|insight| client.is_none_or(|client| client == insight.client));
        let Some(insight) = found else {
            return Err(Error::NotFound {
                what: "insight",
                id: id.to_string(),
                remedy: "GET /api/v1/clients/{client_id}/insights lists a client's insights",
            });
        };
        if insight.status == to {
            return Ok(insight);
        }
        if !insight.status.can_become(to) {
            return Err(Error::Conflict(format!(
                "status: this insight is {} and cannot become {}; only an unread or read one \
                 changes",
                insight.status.as_str(),
                to.as_str()
            )));
        }
        if !tx.set_insight_status(id, insight.status, to).await? {
            return Err(Error::Conflict(
                "status: this insight was just changed by somebody else; read it again".to_owned(),
            ));
        }
        tx.commit().await?;
        Ok(StoredInsight { status: to, ..insight })
    }

    /// Deletes an organization's insights that are no longer valid; answers how many.
    pub async fn clean_expired_insights(&self, organization: OrganizationId) -> Result<u64> {
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        let deleted = tx.delete_expired_insights(self.now()).await?;
        tx.commit().await?;
        Ok(deleted)
    }
}

/// What one client's insights are written from.
struct Week<'a> {
    context: &'a Context,
    moment: &'a Moment,
    period: &'a Period,
    counts: Option<&'a TypeCounts>,
    tasks: Vec<OnboardingTask>,
}

impl Week<'_> {
    fn insights(&self, facts: &ClientFacts) -> Vec<Insight> {
        let score = self.moment.score(facts);
        let events = self.counts.cloned().unwrap_or_default().0;
        let lifetime = |ever: i64, today: i64, kind: EventType| {
            let at_end = ever - today;
            Lifetime { before: at_end - events.get(&kind).copied().unwrap_or(0), at_end }
        };
        let previous_contributions = facts
            .previous_inputs
            .as_ref()
            .map(|inputs| contributions(inputs, &self.context.model_of(inputs.model)));
        let activity = &facts.activity;
        weekly_insights(&WeekFacts {
            as_of: self.moment.range.windows.as_of,
            zone: &self.context.zone,
            period: *self.period,
            created_at: facts.created_at,
            content: lifetime(
                activity.content_generated,
                facts.made_today.0,
                EventType::ContentGenerated,
            ),
            visuals: lifetime(
                activity.visuals_created,
                facts.made_today.1,
                EventType::VisualCreated,
            ),
            pending_tasks: self
                .tasks
                .iter()
                .map(|task| PendingTask { title: task.title.clone(), open_since: task.created_at })
                .collect(),
            score: &score,
            model: &self.moment.model,
            previous_contributions,
            events,
        })
    }
}
