//! What is rolled up from events by local day, and how it is kept.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    engagement::EventType,
    id::{ClientId, OrganizationId},
};

use uuid::Uuid;

use super::instants;
use crate::{
    Result, Tx,
    db::{
        dialect::{Day, Instant, fetch_all, fetch_one, insert_rows, move_rows},
        lock::Lock,
    },
    new_id,
};

/// A query's `FROM` for what is rolled up of `days`, as `a`: what is in its place in
/// `daily_activity`, and what still lies beside it. Says which clients of `a` it is about.
macro_rules! activity_on_days {
    ($clients:literal) => {
        concat!(
            "(SELECT a.day, a.client_id, a.event_type, a.event_count, a.last_at, a.instants \
             FROM days CROSS JOIN [daily_activity a WHERE a.organization_id = $1 \
             AND a.day = days.day AND a.part = 0 AND ",
            $clients,
            "] UNION ALL \
             SELECT a.day, a.client_id, a.event_type, a.event_count, a.last_at, a.instants \
             FROM days JOIN activity_parts p ON p.organization_id = $1 AND p.day = days.day \
             AND p.part > 0 CROSS JOIN [daily_activity a WHERE a.organization_id = $1 \
             AND a.day = p.day AND a.part = p.part AND ",
            $clients,
            "] UNION ALL \
             SELECT a.day, a.client_id, a.event_type, a.event_count, a.last_at, a.instants \
             FROM pending_activity a WHERE a.organization_id = $1 \
             AND a.day IN (SELECT day FROM days) AND ",
            $clients,
            ") AS a"
        )
    };
}
pub(crate) use activity_on_days;

/// Events of a day that one part of its daily activity takes. What is added to is written again, with
/// all its instants: without parts, a day of ten million events took 1.4 times as long for its last
/// million as for its first.
const PART_EVENTS: i64 = 500_000;

/// When what is rolled up from events is put in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollUp {
    /// With the events: the cheaper way for thousands at a time.
    Immediately,
    /// It is written beside with the events, in one piece, and counts from then on;
    /// [`Tx::gather_activity`] puts it in its place. A few hundred events are of almost as many
    /// clients, each on another page: to put them in place at once costs several times what the events
    /// cost.
    Later,
}

/// What is rolled up into one figure: a local day's events of a client and type.
pub(crate) type DayKey = (Date, ClientId, EventType);

/// How many events of a key there are, when the last of them happened, and when each.
pub(crate) struct DayCounts {
    pub(crate) count: i64,
    pub(crate) last_at: Timestamp,
    instants: String,
}

/// Rolls events up, given when each happened; in the order of the keys.
pub(crate) fn roll_up_events(mut events: Vec<(DayKey, Timestamp)>) -> Vec<(DayKey, DayCounts)> {
    events.sort_unstable();
    events
        .chunk_by(|one, next| one.0 == next.0)
        .filter_map(|same| {
            let (key, last_at) = *same.last()?;
            let mut at = String::with_capacity(same.len() * instants::DIGITS);
            for (_, one) in same {
                instants::push(&mut at, key.0, *one);
            }
            let count = i64::try_from(same.len()).unwrap_or(i64::MAX);
            Some((key, DayCounts { count, last_at, instants: at }))
        })
        .collect()
}

impl Tx {
    /// Adds to what is rolled up of these days.
    pub(crate) async fn add_to_days(&mut self, rolled: &[(DayKey, DayCounts)]) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let mut events: BTreeMap<Date, i64> = BTreeMap::new();
        for ((day, ..), rolled) in rolled {
            *events.entry(*day).or_default() += rolled.count;
        }
        let parts = self.parts_of(&events).await?;
        insert_rows!(
            self,
            "INSERT INTO daily_activity \
             (organization_id, day, part, client_id, event_type, event_count, last_at, instants)",
            rolled,
            "ON CONFLICT (organization_id, day, part, client_id, event_type) DO UPDATE SET \
             event_count = daily_activity.event_count + excluded.event_count, last_at = CASE \
             WHEN excluded.last_at > daily_activity.last_at THEN excluded.last_at \
             ELSE daily_activity.last_at END, \
             instants = daily_activity.instants || excluded.instants",
            |row| [
                organization,
                Day(row.0.0),
                parts.get(&row.0.0).copied().unwrap_or_default(),
                row.0.1.uuid(),
                row.0.2.as_str(),
                row.1.count,
                Instant(row.1.last_at),
                &row.1.instants
            ]
        );
        Ok(())
    }

    /// The parts that so many events more of these days go to, counting them.
    async fn parts_of(&mut self, events: &BTreeMap<Date, i64>) -> Result<BTreeMap<Date, i32>> {
        let (Some((first, _)), Some((last, _))) =
            (events.first_key_value(), events.last_key_value())
        else {
            return Ok(BTreeMap::new());
        };
        let organization = self.scope.organization_uuid();
        let known = fetch_all!(
            self,
            (Day, i32, i64),
            "SELECT day, part, events FROM activity_parts \
             WHERE organization_id = $1 AND day BETWEEN $2 AND $3 ORDER BY day, part",
            organization,
            Day(*first),
            Day(*last)
        )?;
        // The last part of each day.
        let known: BTreeMap<Date, (i32, i64)> =
            known.into_iter().map(|(day, part, events)| (day.0, (part, events))).collect();
        let rows: Vec<(Date, i32, i64)> = events
            .iter()
            .map(|(day, more)| match known.get(day) {
                Some((part, events)) if events + more > PART_EVENTS => (*day, part + 1, *more),
                Some((part, _)) => (*day, *part, *more),
                None => (*day, 0, *more),
            })
            .collect();
        insert_rows!(
            self,
            "INSERT INTO activity_parts (organization_id, day, part, events)",
            &rows,
            "ON CONFLICT (organization_id, day, part) DO UPDATE SET \
             events = activity_parts.events + excluded.events",
            |row| [organization, Day(row.0), row.1, row.2]
        );
        Ok(rows.into_iter().map(|(day, part, _)| (day, part)).collect())
    }

    /// Writes what is rolled up beside its place, where it counts just as well.
    /// `now` orders what is written one after another.
    pub(crate) async fn add_pending(
        &mut self,
        rolled: &[(DayKey, DayCounts)],
        now: Timestamp,
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let batch: Uuid = new_id(now);
        insert_rows!(
            self,
            "INSERT INTO pending_activity \
             (organization_id, batch, day, client_id, event_type, event_count, last_at, instants)",
            rolled,
            "",
            |row| [
                organization,
                batch,
                Day(row.0.0),
                row.0.1.uuid(),
                row.0.2.as_str(),
                row.1.count,
                Instant(row.1.last_at),
                &row.1.instants
            ]
        );
        Ok(())
    }

    /// Puts everything in its place that was stored with [`RollUp::Later`]. Changes no figure.
    pub async fn gather_activity(&mut self) -> Result<()> {
        // Events go on being stored meanwhile: what comes after the rows were taken is gathered next.
        self.lock_organization(Lock::StoreEvents).await?;
        self.lock_organization(Lock::GatherActivity).await?;
        let organization = self.scope.organization_uuid();
        let days = fetch_all!(
            self,
            (Day, i64),
            "SELECT day, CAST(SUM(event_count) AS BIGINT) FROM pending_activity \
             WHERE organization_id = $1 GROUP BY day",
            organization
        )?;
        if days.is_empty() {
            return Ok(());
        }
        self.parts_of(&days.into_iter().map(|(day, events)| (day.0, events)).collect()).await?;
        move_rows!(
            self,
            "pending_activity",
            "INSERT INTO daily_activity \
             (organization_id, day, part, client_id, event_type, event_count, last_at, instants) \
             SELECT organization_id, day, COALESCE((SELECT MAX(p.part) FROM activity_parts p \
             WHERE p.organization_id = $1 AND p.day = {rows}.day), 0), client_id, event_type, \
             CAST(SUM(event_count) AS BIGINT), MAX(last_at), string_agg(instants, '') FROM {rows} \
             WHERE organization_id = $1 GROUP BY organization_id, day, client_id, event_type \
             ORDER BY day, client_id, event_type \
             ON CONFLICT (organization_id, day, part, client_id, event_type) DO UPDATE SET \
             event_count = daily_activity.event_count + excluded.event_count, last_at = CASE \
             WHEN excluded.last_at > daily_activity.last_at THEN excluded.last_at \
             ELSE daily_activity.last_at END, \
             instants = daily_activity.instants || excluded.instants",
            organization
        );
        Ok(())
    }

    /// The organizations that have something to gather; for [`crate::Scope::System`].
    pub async fn list_organizations_with_pending_activity(
        &mut self,
    ) -> Result<Vec<OrganizationId>> {
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT DISTINCT organization_id FROM pending_activity ORDER BY organization_id"
        )?;
        Ok(rows.into_iter().map(|(id,)| id.into()).collect())
    }

    /// First local day with an event.
    pub(crate) async fn find_first_active_day(&mut self) -> Result<Option<Date>> {
        self.find_next_active_day(Date::MIN).await
    }

    /// The next local day with an event.
    pub(crate) async fn find_next_active_day(&mut self, after: Date) -> Result<Option<Date>> {
        let (day,) = fetch_one!(
            self,
            (Option<Day>,),
            "SELECT MIN(day) FROM (SELECT MIN(day) AS day FROM daily_activity \
             WHERE organization_id = $1 AND day > $2 \
             UNION ALL SELECT MIN(day) FROM pending_activity \
             WHERE organization_id = $1 AND day > $2) AS first",
            self.scope.organization_uuid(),
            Day(after)
        )?;
        Ok(day.map(|day| day.0))
    }
}
