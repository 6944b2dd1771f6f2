use std::collections::HashMap;

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    engagement::{Activity, EventType, Rhythm},
    id::ClientId,
    score::{LaunchKit, PreviousCutoffs, ScoreModel, TaskCounts},
    time::{add_days, days_before, start_of_day},
};
use sqlx::types::Json;
use uuid::Uuid;

use super::ClientFacts;
use crate::{
    ActivityRange, ClientChunk, Result, Tx,
    client::ClientIds,
    db::{
        dialect::{Connection, Day, Instant, fetch_all, fetch_day_by_day, fetch_packed},
        lock::Lock,
        name,
    },
    engagement::{activity_on_days, instants, unpacked},
};

/// Days that fit a bit mask whose sum is still a signed 64-bit number.
const MASK_DAYS: i32 = 62;

/// Sums over a client's whole days before the instant's own.
#[derive(serde::Deserialize, sqlx_macros::FromRow)]
struct WholeDays {
    client_id: Uuid,
    this_week: i64,
    last_week: i64,
    high_value: i64,
    content: i64,
    visuals: i64,
    last_at: Option<Instant>,
    /// Bit n: active n days before the instant's local day.
    active: i64,
}

/// Sums over a client's events on one cut day.
#[derive(Default)]
struct CutDay {
    this_week: i64,
    last_week: i64,
    high_value: i64,
    content: i64,
    visuals: i64,
    last_at: Option<Timestamp>,
}

impl Tx {
    /// Everything that a score of these clients at the range's instant is made from, in the order
    /// of the chunk; `model` is the one that is to make it, with its version. Costs clients × two weeks
    /// when `range.folded_until` is given, else clients × their whole history.
    pub async fn list_client_facts(
        &mut self,
        chunk: &ClientChunk,
        range: &ActivityRange,
        (version, model): (i64, &ScoreModel),
    ) -> Result<Vec<ClientFacts>> {
        let postgres = matches!(self.connection, Connection::Postgres(_));
        let Some(ids) = chunk.id_condition(postgres) else { return Ok(Vec::new()) };
        let ids = &ids;
        let range = &self.settled_range(range).await?;
        let windows = &range.windows;
        let mut facts: HashMap<ClientId, ClientFacts> = chunk
            .clients
            .iter()
            .map(|(client, external_id)| {
                let facts = ClientFacts {
                    client: client.id,
                    external_id: external_id.clone(),
                    created_at: client.created_at,
                    as_of: windows.as_of,
                    known_at: None,
                    activity: Activity::default(),
                    made_today: (0, 0),
                    tasks: TaskCounts::default(),
                    launch_kit: LaunchKit::Unopened,
                    ratings: (0, 0),
                    previous: None,
                };
                (client.id, facts)
            })
            .collect();

        let first_day = match range.folded_until {
            Some(folded) => {
                self.add_totals(ids, &mut facts).await?;
                Some(add_days(folded, 1))
            }
            None => self.find_first_active_day().await?,
        };
        if let Some(first_day) = first_day {
            self.add_whole_days(ids, range, first_day, &mut facts).await?;
            if range.detailed {
                self.add_long_rhythm(ids, range, first_day, &mut facts).await?;
            }
        }
        for day in windows.partial_days() {
            self.add_cut_day(ids, range, day, &mut facts).await?;
        }
        self.add_onboarding(ids, windows.as_of, &mut facts).await?;
        let since = days_before(windows.as_of, model.satisfaction.days, &windows.zone);
        self.add_ratings(ids, since, windows.as_of, &mut facts).await?;
        let cutoffs = PreviousCutoffs::at(windows.as_of, &windows.zone);
        let inputs_of = (!range.detailed).then_some(version);
        self.add_previous(|_| cutoffs, (ids, &windows.zone, inputs_of), &mut facts).await?;

        Ok(chunk.clients.iter().filter_map(|(client, _)| facts.remove(&client.id)).collect())
    }

    /// The range as it is in this transaction: activity may have been folded since the caller asked
    /// how far it was, and a day must count neither twice nor not at all.
    async fn settled_range(&mut self, range: &ActivityRange) -> Result<ActivityRange> {
        if self.writes {
            self.lock_organization(Lock::StoreEvents).await?;
        }
        let folded_until = match range.folded_until {
            Some(_) => self.get_organization().await?.folded_until,
            None => None,
        };
        Ok(ActivityRange::new(range.windows.clone(), folded_until, range.detailed))
    }

    async fn add_totals(
        &mut self,
        ids: &ClientIds,
        facts: &mut HashMap<ClientId, ClientFacts>,
    ) -> Result<()> {
        let rows = fetch_packed!(
            self,
            (Uuid, i64, i64, Instant, Json<Vec<i32>>),
            "hex(client_id), content_generated, visuals_created, last_at, json(active_days)",
            &ids.apply_to(
                "SELECT client_id, content_generated, visuals_created, last_at, active_days \
             FROM client_activity_totals WHERE organization_id = $1 AND {client_id}"
            ),
            self.scope.organization_uuid(),
            ids.low,
            ids.high
        )?;
        for (client, content, visuals, last_at, Json(days)) in rows {
            let Some(facts) = facts.get_mut(&client.into()) else { continue };
            facts.activity.content_generated = content;
            facts.activity.visuals_created = visuals;
            facts.activity.last_event_at = Some(last_at.0);
            facts.activity.rhythm = unpacked(&days);
        }
        Ok(())
    }

    async fn add_whole_days(
        &mut self,
        ids: &ClientIds,
        range: &ActivityRange,
        first_day: Date,
        facts: &mut HashMap<ClientId, ClientFacts>,
    ) -> Result<()> {
        let windows = &range.windows;
        let today = range.today();
        let rows = fetch_packed!(
            self,
            WholeDays,
            "hex(client_id), this_week, last_week, high_value, content, visuals, last_at, active",
            &ids.apply_to(concat!("WITH RECURSIVE days (day) AS (SELECT CAST($4 AS DATE) WHERE $4 <= $5 UNION ALL \
             SELECT day + 1 FROM days WHERE day < $5) \
             SELECT a.client_id, \
             CAST(COALESCE(SUM(a.event_count) FILTER (WHERE a.day >= $6), 0) AS BIGINT) \
             AS this_week, \
             CAST(COALESCE(SUM(a.event_count) FILTER (WHERE a.day >= $7 AND a.day < $8), 0) \
             AS BIGINT) AS last_week, \
             CAST(COALESCE(SUM(a.event_count) FILTER (WHERE a.day >= $6 AND a.event_type IN \
             ('content_generated', 'visual_created', 'task_completed')), 0) AS BIGINT) \
             AS high_value, \
             CAST(COALESCE(SUM(a.event_count) FILTER (WHERE a.event_type = 'content_generated'), 0) \
             AS BIGINT) AS content, \
             CAST(COALESCE(SUM(a.event_count) FILTER (WHERE a.event_type = 'visual_created'), 0) \
             AS BIGINT) AS visuals, \
             MAX(a.last_at) AS last_at, \
             CAST(SUM(DISTINCT CASE WHEN a.day >= $9 \
             THEN CAST(1 AS BIGINT) << ($10 - a.day) ELSE 0 END) AS BIGINT) AS active \
             FROM ", activity_on_days!("{a.client_id}"), " GROUP BY a.client_id")),
            self.scope.organization_uuid(),
            ids.low,
            ids.high,
            Day(first_day),
            Day(add_days(today, -1)),
            Day(range.first_whole_day(windows.this_week)),
            Day(range.first_whole_day(windows.last_week)),
            Day(windows.day_of(windows.this_week)),
            Day(add_days(today, -MASK_DAYS)),
            Day(today)
        )?;
        let first_active_day = range.first_whole_day(windows.this_week);
        for row in rows {
            let Some(facts) = facts.get_mut(&row.client_id.into()) else { continue };
            let activity = &mut facts.activity;
            activity.events_this_week += row.this_week;
            activity.events_last_week += row.last_week;
            activity.high_value_this_week += row.high_value;
            activity.content_generated += row.content;
            activity.visuals_created += row.visuals;
            activity.last_event_at = activity.last_event_at.max(row.last_at.map(|at| at.0));
            for day in days_of(row.active, today) {
                activity.rhythm.insert(day);
                activity.active_days += i64::from(day >= first_active_day);
            }
        }
        Ok(())
    }

    /// Adds the events of a day that one or two window edges cut: those of the instant's own day
    /// are in no sum yet, those of other cut days are in the lifetime sums but in no week.
    async fn add_cut_day(
        &mut self,
        ids: &ClientIds,
        range: &ActivityRange,
        day: Date,
        facts: &mut HashMap<ClientId, ClientFacts>,
    ) -> Result<()> {
        let windows = &range.windows;
        let from = start_of_day(day, &windows.zone);
        let to = start_of_day(add_days(day, 1), &windows.zone).min(windows.as_of);
        let rows = fetch_packed!(
            self,
            (Uuid, String, String),
            "hex(client_id), event_type, instants",
            &ids.apply_to(concat!(
                "WITH days (day) AS (SELECT CAST($4 AS DATE)) \
                 SELECT a.client_id, a.event_type, a.instants FROM ",
                activity_on_days!("{a.client_id}")
            )),
            self.scope.organization_uuid(),
            ids.low,
            ids.high,
            Day(day)
        )?;
        let mut partial_days: HashMap<Uuid, CutDay> = HashMap::new();
        for (client, event_type, at) in rows {
            let event_type: EventType = name::ACTIVITY_TYPE.read(&event_type)?;
            for at in instants::of(day, &at).filter(|at| (from..to).contains(at)) {
                let cut = partial_days.entry(client).or_default();
                let this_week = at >= windows.this_week;
                cut.this_week += i64::from(this_week);
                cut.last_week += i64::from(at >= windows.last_week && !this_week);
                cut.high_value += i64::from(this_week && event_type.is_high_value());
                cut.content += i64::from(event_type == EventType::ContentGenerated);
                cut.visuals += i64::from(event_type == EventType::VisualCreated);
                cut.last_at = cut.last_at.max(Some(at));
            }
        }
        let today = day == range.today();
        for (client, cut) in partial_days {
            let Some(facts) = facts.get_mut(&client.into()) else { continue };
            let activity = &mut facts.activity;
            activity.events_this_week += cut.this_week;
            activity.events_last_week += cut.last_week;
            activity.high_value_this_week += cut.high_value;
            activity.active_days += i64::from(cut.this_week > 0);
            if today {
                activity.content_generated += cut.content;
                activity.visuals_created += cut.visuals;
                facts.made_today = (cut.content, cut.visuals);
                activity.last_event_at = activity.last_event_at.max(cut.last_at);
                activity.rhythm.insert(day);
            }
        }
        Ok(())
    }

    /// The latest active days of each client that are in no total and too long ago for the mask.
    async fn add_long_rhythm(
        &mut self,
        ids: &ClientIds,
        range: &ActivityRange,
        first_day: Date,
        facts: &mut HashMap<ClientId, ClientFacts>,
    ) -> Result<()> {
        let last_day = add_days(range.today(), -MASK_DAYS - 1);
        if last_day < first_day {
            return Ok(());
        }
        let rows = fetch_day_by_day!(
            self,
            (Uuid, Day),
            &ids.apply_to(concat!(
                "WITH RECURSIVE days (day) AS (SELECT CAST($4 AS DATE) UNION ALL \
             SELECT day + 1 FROM days WHERE day < $5), \
             active AS (SELECT DISTINCT a.client_id, a.day FROM ",
                activity_on_days!("{a.client_id}"),
                "), ranked AS (SELECT client_id, day, \
             ROW_NUMBER() OVER (PARTITION BY client_id ORDER BY day DESC) AS place FROM active) \
             SELECT client_id, day FROM ranked WHERE place <= $6"
            )),
            self.scope.organization_uuid(),
            ids.low,
            ids.high,
            Day(first_day),
            Day(last_day),
            i64::try_from(Rhythm::MAX_DAYS).unwrap_or(i64::MAX)
        )?;
        for (client, day) in rows {
            if let Some(facts) = facts.get_mut(&client.into()) {
                facts.activity.rhythm.insert(day.0);
            }
        }
        Ok(())
    }

    async fn add_onboarding(
        &mut self,
        ids: &ClientIds,
        as_of: Timestamp,
        facts: &mut HashMap<ClientId, ClientFacts>,
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let tasks = fetch_all!(
            self,
            (Uuid, i64, i64),
            sqlx::AssertSqlSafe(ids.apply_to(
                "SELECT client_id, \
             CAST(SUM(CASE WHEN status <> 'deleted' THEN 1 ELSE 0 END) AS BIGINT), \
             CAST(SUM(CASE WHEN status IN ('completed', 'skipped') THEN 1 ELSE 0 END) AS BIGINT) \
             FROM (SELECT t.client_id, CASE WHEN t.updated_at < $4 THEN t.status ELSE \
             (SELECT c.status FROM onboarding_task_changes c \
             WHERE c.organization_id = t.organization_id AND c.client_id = t.client_id \
             AND c.task_id = t.id AND c.changed_at < $4 ORDER BY c.changed_at DESC LIMIT 1) \
             END AS status FROM onboarding_tasks t WHERE t.organization_id = $1 \
             AND {t.client_id} AND t.created_at < $4) AS at_instant \
             GROUP BY client_id"
            )),
            organization,
            ids.low,
            ids.high,
            Instant(as_of)
        )?;
        for (client, total, settled) in tasks {
            if let Some(facts) = facts.get_mut(&client.into()) {
                facts.tasks = TaskCounts { total, settled };
            }
        }
        let kits = fetch_all!(
            self,
            (Uuid, Option<Instant>, Option<Instant>),
            sqlx::AssertSqlSafe(ids.apply_to(
                "SELECT client_id, viewed_at, completed_at FROM launch_kits \
             WHERE organization_id = $1 AND {client_id}"
            )),
            organization,
            ids.low,
            ids.high
        )?;
        for (client, viewed_at, completed_at) in kits {
            let Some(facts) = facts.get_mut(&client.into()) else { continue };
            let before = |at: Option<Instant>| at.is_some_and(|at| at.0 < as_of);
            facts.launch_kit = if before(completed_at) {
                LaunchKit::Completed
            } else if before(viewed_at) {
                LaunchKit::Viewed
            } else {
                LaunchKit::Unopened
            };
        }
        Ok(())
    }

    async fn add_ratings(
        &mut self,
        ids: &ClientIds,
        since: Timestamp,
        as_of: Timestamp,
        facts: &mut HashMap<ClientId, ClientFacts>,
    ) -> Result<()> {
        let rows = fetch_all!(
            self,
            (Uuid, i64, i64),
            sqlx::AssertSqlSafe(ids.apply_to(
                "SELECT client_id, COUNT(*), CAST(SUM(normalised) AS BIGINT) FROM client_feedback \
             WHERE organization_id = $1 AND {client_id} \
             AND given_at >= $4 AND given_at < $5 GROUP BY client_id"
            )),
            self.scope.organization_uuid(),
            ids.low,
            ids.high,
            Instant(since),
            Instant(as_of)
        )?;
        for (client, count, sum) in rows {
            if let Some(facts) = facts.get_mut(&client.into()) {
                facts.ratings = (count, sum);
            }
        }
        Ok(())
    }
}

/// The days of a mask in which bit n is n days before `today`.
fn days_of(mask: i64, today: Date) -> impl Iterator<Item = Date> {
    (1..=MASK_DAYS).filter(move |bit| mask >> bit & 1 == 1).map(move |bit| add_days(today, -bit))
}
