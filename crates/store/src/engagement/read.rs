use std::collections::{BTreeSet, HashMap};

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    id::ClientId,
    time::{add_days, local_day},
};
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    DayActivity, EventCursor, StoredEvent, TypeCounts, instants, roll_up::activity_on_days,
};
use crate::{
    ClientChunk, Result, StoreError, Tx,
    db::{
        dialect::{Day, Instant, fetch_day_by_day, fetch_for_rows},
        name,
    },
};

#[derive(sqlx_macros::FromRow)]
struct EventRow {
    message_id: String,
    event_type: String,
    name: String,
    occurred_at: Instant,
    received_at: Instant,
    session_id: Option<String>,
    page_path: Option<String>,
    duration_seconds: Option<i64>,
    data: Option<Json<Map<String, Value>>>,
    self_told: bool,
}

impl TryFrom<EventRow> for StoredEvent {
    type Error = StoreError;
    fn try_from(row: EventRow) -> Result<Self> {
        Ok(Self {
            message_id: row.message_id,
            event_type: name::EVENT_TYPE.read(&row.event_type)?,
            name: row.name,
            occurred_at: row.occurred_at.0,
            received_at: row.received_at.0,
            session_id: row.session_id,
            page_path: row.page_path,
            duration_seconds: row.duration_seconds,
            data: row.data.map(|Json(data)| data).unwrap_or_default(),
            self_told: row.self_told,
        })
    }
}

/// The longest stretch of days that is walked through, a century: a mistyped year must not keep the
/// database busy for seconds.
const MAX_DAYS: i32 = 36_525;
/// No event is older.
const FIRST_DAY: Date = Date::constant(1999, 12, 30);

/// The days to walk through, as two bounds to bind.
fn bounded(first: Date, last: Date) -> (Day, Day) {
    let first = first.max(FIRST_DAY);
    (Day(first), Day(last.min(add_days(first, MAX_DAYS))))
}

/// The first of a client's active days that must be looked at to show so many events, going back from
/// the last one. Of that one only a part may be asked for, so its events do not count.
fn first_day_of_last(active: &[DayActivity], last_day: Date, limit: i64) -> Option<Date> {
    let mut certain = 0;
    active
        .iter()
        .rev()
        .find(|active| {
            certain += if active.day < last_day { active.events } else { 0 };
            certain >= limit
        })
        .or(active.first())
        .map(|active| active.day)
}

impl Tx {
    /// A client's events in `[from, to)`, newest first, from the one before `before`.
    ///
    /// The range is walked through day by day: keep it to what is shown (a few months).
    pub async fn list_client_events(
        &mut self,
        client: ClientId,
        (from, to): (Timestamp, Timestamp),
        before: Option<&EventCursor>,
        limit: i64,
    ) -> Result<Vec<StoredEvent>> {
        let upper = before.map_or(to, |cursor| cursor.occurred_at.min(to));
        let before = before.map_or("", |cursor| cursor.message_id.as_str());
        let organization = self.get_organization().await?;
        let zone = organization.zone()?;
        let last_day = local_day(upper, &zone);
        let active = self.list_day_activity(client, local_day(from, &zone), last_day).await?;
        let Some(first_day) = first_day_of_last(&active, last_day, limit) else {
            return Ok(Vec::new());
        };
        let mut instants = self.list_client_instants(client, first_day, last_day).await?;
        instants.retain(|at| *at >= from && (*at < upper || (*at == upper && !before.is_empty())));
        // At the instant where the page before ended, there may be nothing more to show.
        let most = usize::try_from(limit).unwrap_or(0).saturating_add(1);
        let shown: Vec<Timestamp> = instants.into_iter().rev().take(most).collect();
        let id = organization.id.uuid();
        let rows: Vec<EventRow> = fetch_for_rows!(
            self,
            EventRow,
            "WITH wanted (organization_id, client_id, occurred_at) AS (",
            &shown,
            ") SELECT e.message_id, e.event_type, e.name, e.occurred_at, e.received_at, \
             e.session_id, e.page_path, e.duration_seconds, e.data, e.self_told \
             FROM wanted w CROSS JOIN [client_engagement_events e \
             WHERE e.organization_id = w.organization_id AND e.occurred_at = w.occurred_at \
             AND e.client_id = w.client_id]",
            |at| [id, client.uuid(), Instant(*at)]
        );
        let mut events: Vec<StoredEvent> = rows
            .into_iter()
            .filter(|row| row.occurred_at.0 < upper || row.message_id.as_str() < before)
            .map(StoredEvent::try_from)
            .collect::<Result<_>>()?;
        events.sort_unstable_by(|a, b| {
            (b.occurred_at, &b.message_id).cmp(&(a.occurred_at, &a.message_id))
        });
        events.truncate(usize::try_from(limit).unwrap_or(0));
        Ok(events)
    }

    /// When a client's events on the local days `[first, last]` happened, each instant once, in order.
    pub(crate) async fn list_client_instants(
        &mut self,
        client: ClientId,
        first: Date,
        last: Date,
    ) -> Result<BTreeSet<Timestamp>> {
        let (first, last) = bounded(first, last);
        let rows = fetch_day_by_day!(
            self,
            (Day, String),
            concat!(
                "WITH RECURSIVE days (day) AS (SELECT CAST($3 AS DATE) WHERE $3 <= $4 UNION ALL \
                 SELECT day + 1 FROM days WHERE day < $4) SELECT a.day, a.instants FROM ",
                activity_on_days!("a.client_id = $2")
            ),
            self.scope.organization_uuid(),
            client.uuid(),
            first,
            last
        )?;
        Ok(rows.iter().flat_map(|(day, at)| instants::of(day.0, at)).collect())
    }

    /// A client's events a local day in `[first, last]`; days without events are left out.
    pub async fn list_day_activity(
        &mut self,
        client: ClientId,
        first: Date,
        last: Date,
    ) -> Result<Vec<DayActivity>> {
        let (first, last) = bounded(first, last);
        let rows = fetch_day_by_day!(
            self,
            (Day, i64),
            concat!(
                "WITH RECURSIVE days (day) AS (SELECT CAST($3 AS DATE) WHERE $3 <= $4 UNION ALL \
                 SELECT day + 1 FROM days WHERE day < $4) \
                 SELECT a.day, CAST(SUM(a.event_count) AS BIGINT) FROM ",
                activity_on_days!("a.client_id = $2"),
                " GROUP BY a.day ORDER BY a.day"
            ),
            self.scope.organization_uuid(),
            client.uuid(),
            first,
            last
        )?;
        Ok(rows.into_iter().map(|(day, events)| DayActivity { day: day.0, events }).collect())
    }

    /// Events by type of each client of a chunk on the local days `[first, last]`.
    pub async fn count_events_by_type(
        &mut self,
        chunk: &ClientChunk,
        first: Date,
        last: Date,
    ) -> Result<HashMap<ClientId, TypeCounts>> {
        let Some((low, high)) = chunk.range() else { return Ok(HashMap::new()) };
        let (first, last) = bounded(first, last);
        let rows = fetch_day_by_day!(
            self,
            (Uuid, String, i64),
            concat!(
                "WITH RECURSIVE days (day) AS (SELECT CAST($4 AS DATE) WHERE $4 <= $5 UNION ALL \
                 SELECT day + 1 FROM days WHERE day < $5) \
                 SELECT a.client_id, a.event_type, CAST(SUM(a.event_count) AS BIGINT) FROM ",
                activity_on_days!("a.client_id BETWEEN $2 AND $3"),
                " GROUP BY a.client_id, a.event_type"
            ),
            self.scope.organization_uuid(),
            low,
            high,
            first,
            last
        )?;
        let mut counts: HashMap<ClientId, TypeCounts> = HashMap::new();
        for (client, event_type, count) in rows {
            let event_type = name::ACTIVITY_TYPE.read(&event_type)?;
            counts.entry(client.into()).or_default().0.insert(event_type, count);
        }
        Ok(counts)
    }
}
