//! Generation of clients' weekly insights, and clients' reactions.

use std::collections::{HashMap, HashSet};

use jiff::{
    Timestamp,
    civil::{Date, Weekday},
};
use mainstay_core::{
    engagement::EventType,
    id::{ClientId, InsightId, OrganizationId},
    insight::{
        Insight, InsightStatus, LifetimeCount, PendingTask, Period, WeekFacts, weekly_insights,
    },
    time::time_zone,
};
use mainstay_store::{
    ClientChunk, ClientFacts, NewInsight, OnboardingTask, Scope, StoredInsight, Tx, TypeCounts,
    new_id,
};

use crate::{
    Error, Mainstay, Result,
    alert::{Holds, SilenceChanges, were_data_silent},
    client::next_chunk,
    email::InsightBatch,
    job::weekly_schedule,
    organization::{Context, check_as_of},
    score::{previous_contributions, shown_facts},
};

/// A newly generated insight.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenInsight {
    /// Its id.
    pub id: InsightId,
    /// The client's `external_id`.
    pub client_id: String,
    /// What it says.
    pub insight: Insight,
}

/// The insights to generate.
#[derive(Clone, Copy)]
struct InsightRun<'a> {
    as_of: Timestamp,
    /// Only this client's.
    client: Option<&'a str>,
    dry_run: bool,
    /// Whether the weekly emails follow immediately.
    weekly_follows: bool,
}

impl Mainstay {
    /// Generates the insights of the last complete local week before `as_of` for every client, or
    /// one, and passes on new ones. Existing insights of the week stay unchanged: insights are
    /// generated as of the week's end, on any day.
    ///
    /// # Errors
    /// If there is no such client, or `as_of` is invalid.
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

    /// The same for every client, by the weekly job: the weekly emails follow immediately.
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
        if dry_run {
            return self.foresee_insights(organization, run, each).await;
        }
        self.refresh_data_silence(organization, as_of).await?;
        let period = last_week(&mut self.store().read(scope).await?, as_of).await?;
        let mut count = 0;
        let mut last_chunk: Option<ClientChunk> = None;
        loop {
            let mut tx = self.begin_writing(scope).await?;
            let chunk = next_chunk(&mut tx, client, period.end, last_chunk.as_ref()).await?;
            if chunk.clients.is_empty() {
                return Ok(count);
            }
            let written = self.write_insights(&mut tx, &chunk, &run, &period).await?;
            tx.commit().await?;
            count += written.len() as u64;
            each(written);
            last_chunk = Some(chunk);
        }
    }

    /// What a run would write, in one state of the data; nobody waits for it.
    async fn foresee_insights(
        &self,
        organization: OrganizationId,
        run: InsightRun<'_>,
        each: &mut (impl FnMut(Vec<WrittenInsight>) + Send),
    ) -> Result<u64> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let period = last_week(&mut tx, run.as_of).await?;
        let context = Context::load(&mut tx).await?;
        let silences = self.foresee_data_silence(&mut tx, &context, run.as_of).await?;
        let mut count = 0;
        let mut chunk = next_chunk(&mut tx, run.client, period.end, None).await?;
        while !chunk.clients.is_empty() {
            let moment = (run.as_of, &period);
            let insights = new_insights(&mut tx, &context, &chunk, moment, &silences).await?;
            let written = named(&chunk, insights);
            count += written.len() as u64;
            each(written);
            chunk = next_chunk(&mut tx, run.client, period.end, Some(&chunk)).await?;
        }
        Ok(count)
    }

    /// Generates a client's insights of the last complete week before now; also returns the week.
    /// Returns none if the week already has insights.
    ///
    /// # Errors
    /// When there is no such client.
    pub async fn write_client_insights(
        &self,
        organization: OrganizationId,
        client_id: &str,
    ) -> Result<(Period, Vec<StoredInsight>)> {
        let (scope, now) = (Scope::Service(organization), self.now());
        let mut tx = self.store().read(scope).await?;
        let client = tx.find_client(client_id).await?.ok_or_else(|| Error::no_client(client_id))?;
        let period = last_week(&mut tx, now).await?;
        drop(tx);
        let mut written: HashSet<InsightId> = HashSet::new();
        let run = InsightRun {
            as_of: now,
            client: Some(client_id),
            dry_run: false,
            weekly_follows: false,
        };
        let mut each =
            |new: Vec<WrittenInsight>| written.extend(new.into_iter().map(|insight| insight.id));
        self.write_all_insights(organization, run, &mut each).await?;
        let mut insights = self.client_insights(scope, client.id, true).await?;
        insights.retain(|insight| written.contains(&insight.id));
        Ok((period, insights))
    }

    /// Generates one client's insights of the last complete local week before `as_of`.
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
        period: &Period,
    ) -> Result<Vec<WrittenInsight>> {
        let context = Context::load(tx).await?;
        let moment = (run.as_of, period);
        let noticed = SilenceChanges::default();
        let mut insights = new_insights(tx, &context, chunk, moment, &noticed).await?;
        let new = tx.save_insights(period.last, &insights, run.as_of).await?;
        let new: HashSet<InsightId> = new.into_iter().collect();
        insights.retain(|insight| new.contains(&insight.id));
        let batch = InsightBatch { period: period.last, weekly_follows: run.weekly_follows };
        self.queue_celebrations(tx, &context, chunk, &insights, batch).await?;
        Ok(named(chunk, insights))
    }

    /// A client's valid insights.
    pub async fn client_insights(
        &self,
        scope: Scope,
        client: ClientId,
        with_dismissed: bool,
    ) -> Result<Vec<StoredInsight>> {
        let mut tx = self.store().read(scope).await?;
        let mut insights = tx.list_client_insights(client, self.now(), with_dismissed).await?;
        count_later_events(&mut tx, client, &mut insights).await?;
        Ok(insights)
    }

    /// Records that an insight was read, acted on or dismissed. Idempotent. The insight must belong
    /// to `client`.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] if it was already dismissed or acted on.
    pub async fn set_insight_status(
        &self,
        scope: Scope,
        client: Option<ClientId>,
        id: InsightId,
        to: InsightStatus,
    ) -> Result<StoredInsight> {
        let mut tx = self.begin_writing(scope).await?;
        let found = tx
            .find_insight(id)
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
            return Err(Error::conflict_in(
                "status",
                format!(
                    "this insight is {} and cannot become {}; only an unread or read insight \
                 can change",
                    insight.status.as_str(),
                    to.as_str()
                ),
            ));
        }
        if !tx.set_insight_status(id, insight.status, to).await? {
            return Err(Error::conflict_in(
                "status",
                "this insight was just changed by another request; read it again",
            ));
        }
        tx.commit().await?;
        Ok(StoredInsight { status: to, ..insight })
    }

    /// Deletes an organization's expired insights; returns the number.
    pub async fn clean_expired_insights(&self, organization: OrganizationId) -> Result<u64> {
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        let deleted = tx.delete_expired_insights(self.now()).await?;
        tx.commit().await?;
        Ok(deleted)
    }
}

/// The insights of a week that a chunk's clients were not clients_with_insights yet, after changes of silences that are not
/// noticed yet.
async fn new_insights(
    tx: &mut Tx,
    context: &Context,
    chunk: &ClientChunk,
    (as_of, period): (Timestamp, &Period),
    silences: &SilenceChanges,
) -> Result<Vec<NewInsight>> {
    let clients_with_insights = tx.list_clients_with_insights(chunk, period.last).await?;
    let holds = Holds::load(tx, as_of).await?.after(silences);
    let mut withheld = holds.withheld(tx, chunk).await?;
    if were_data_silent(tx, (period.start, period.end), silences).await? {
        withheld.extend(chunk.clients.iter().map(|(client, _)| client.id));
    }
    let facts = shown_facts(tx, context, chunk, period.end, true).await?;
    let counts = tx.count_events_by_type(chunk, period.first, period.last).await?;
    let mut tasks = tx.list_open_tasks(chunk, period.end).await?;
    let mut insights = Vec::new();
    for facts in facts.iter().filter(|facts| !clients_with_insights.contains(&facts.client)) {
        let week = Week {
            context,
            as_of: period.end,
            period,
            counts: counts.get(&facts.client),
            tasks: tasks.remove(&facts.client).unwrap_or_default(),
        };
        let missing = withheld.contains(&facts.client);
        for insight in week.insights(facts) {
            if missing && insight.depends_on_absence() {
                continue;
            }
            insights.push(NewInsight { id: new_id(as_of), client: facts.client, insight });
        }
    }
    Ok(insights)
}

/// Insights with the client_ids of their clients.
fn named(chunk: &ClientChunk, insights: Vec<NewInsight>) -> Vec<WrittenInsight> {
    let client_ids: HashMap<ClientId, &String> =
        chunk.clients.iter().map(|(client, external_id)| (client.id, external_id)).collect();
    insights
        .into_iter()
        .filter_map(|NewInsight { id, client, insight }| {
            let client_id = (*client_ids.get(&client)?).clone();
            Some(WrittenInsight { id, client_id, insight })
        })
        .collect()
}

/// Counts the late events of each insight's period, to explain differences from current figures.
async fn count_later_events(
    tx: &mut Tx,
    client: ClientId,
    insights: &mut [StoredInsight],
) -> Result<()> {
    let mut now: HashMap<Date, i64> = HashMap::new();
    for insight in insights {
        let Some(counted) = insight.evidence.counted else { continue };
        let events = if let Some(events) = now.get(&insight.period) {
            *events
        } else {
            let (first, last) = (insight.evidence.first, insight.evidence.last);
            let days = tx.list_day_activity(client, first, last).await?;
            let events = days.iter().map(|day| day.events).sum();
            now.insert(insight.period, events);
            events
        };
        insight.later_events = (events - counted).max(0);
    }
    Ok(())
}

/// The last complete week of a transaction's organization before an instant. Weeks end on the
/// weekday of the weekly job if it has a single one, otherwise on Saturdays, the default.
pub(crate) async fn last_week(tx: &mut Tx, as_of: Timestamp) -> Result<Period> {
    let organization = tx.get_organization().await?;
    let zone =
        time_zone(&organization.time_zone).map_err(|reason| Error::invalid("time_zone", reason))?;
    let changed = tx.list_job_schedules().await?;
    let week_start = weekly_schedule(&organization, &changed)?.weekday();
    Ok(Period::last_complete(as_of, &zone, week_start.unwrap_or(Weekday::Sunday)))
}

/// The input of one client's insights.
struct Week<'a> {
    context: &'a Context,
    as_of: Timestamp,
    period: &'a Period,
    counts: Option<&'a TypeCounts>,
    tasks: Vec<OnboardingTask>,
}

impl Week<'_> {
    fn insights(&self, facts: &ClientFacts) -> Vec<Insight> {
        let score = self.context.shown_score(facts);
        let model = self.context.model_ref(score.inputs.model);
        let events = self.counts.cloned().unwrap_or_default().0;
        let lifetime = |ever: i64, today: i64, kind: EventType| {
            let at_end = ever - today;
            LifetimeCount { before: at_end - events.get(&kind).copied().unwrap_or(0), at_end }
        };
        let previous_contributions = previous_contributions(facts, &score, model);
        let activity = &facts.activity;
        weekly_insights(&WeekFacts {
            as_of: self.as_of,
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
            model,
            previous_contributions,
            events,
        })
    }
}
