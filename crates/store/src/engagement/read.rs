use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::{
    engagement::EventType,
    id::ClientId,
    time::{add_days, local_day, start_of_day, time_zone},
};
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use super::{DayActivity, EventCursor, StoredEvent, TypeCounts, utc_hour};
use crate::{
    ClientChunk, Result, Tx,
    dialect::{Day, Instant, execute, fetch_day_by_day},
    pool::Lock,
};

#[derive(sqlx::FromRow)]
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
}

impl From<EventRow> for StoredEvent {
    fn from(row: EventRow) -> Self {
        Self {
            message_id: row.message_id,
            event_type: EventType::of_name(&row.event_type),
            name: row.name,
            occurred_at: row.occurred_at.0,
            received_at: row.received_at.0,
            session_id: row.session_id,
            page_path: row.page_path,
            duration_seconds: row.duration_seconds,
            data: row.data.map(|Json(data)| data).unwrap_or_default(),
        }
    }
}

/// The longest stretch of days that is walked through, a century: a mistyped year must not keep the
/// database busy for seconds.
const MOST_DAYS: i32 = 36_525;
/// No event is older.
const FIRST_DAY: Date = Date::constant(1999, 12, 30);

/// The days to walk through, as two bounds to bind.
fn bounded(first: Date, last: Date) -> (Day, Day) {
    let first = first.max(FIRST_DAY);
    (Day(first), Day(last.min(add_days(first, MOST_DAYS))))
}

/// Stretches of UTC hours that hold a client's latest active local days, newest first: of as many
/// days as it takes to show so many events. Of the last day only a part may be asked for, so its
/// events do not count. A week without events is cheaper to walk through than to ask again after.
fn stretches_of_last(
    active: &[DayActivity],
    last_day: Date,
    limit: i64,
    zone: &TimeZone,
) -> Vec<(i64, i64)> {
    const WORTH_SKIPPING_HOURS: i64 = 7 * 24;
    let mut stretches: Vec<(i64, i64)> = Vec::new();
    let mut certain = 0;
    for active in active.iter().rev() {
        if certain >= limit {
            break;
        }
        if active.day < last_day {
            certain += active.events;
        }
        let end = start_of_day(add_days(active.day, 1), zone) - SignedDuration::from_micros(1);
        let hours = (utc_hour(start_of_day(active.day, zone)), utc_hour(end));
        match stretches.last_mut() {
            Some(later) if later.0 - hours.1 <= WORTH_SKIPPING_HOURS => later.0 = hours.0,
            _ => stretches.push(hours),
        }
    }
    stretches
}

impl Tx {
    /// A client's events in `[from, to)`, newest first, from the one before `before`.
    ///
    /// The range is walked through day by day: keep it to what is shown (a few months).
    pub async fn client_events(
        &mut self,
        client: ClientId,
        (from, to): (Timestamp, Timestamp),
        before: Option<&EventCursor>,
        limit: i64,
    ) -> Result<Vec<StoredEvent>> {
        let upper = before.map_or(to, |cursor| cursor.occurred_at.min(to));
        let before = before.map_or("", |cursor| cursor.message_id.as_str());
        let organization = self.organization().await?;
        let zone = time_zone(&organization.time_zone).unwrap_or(TimeZone::UTC);
        let last_day = local_day(upper, &zone);
        let active = self.day_activity(client, local_day(from, &zone), last_day).await?;
        let mut events: Vec<StoredEvent> = Vec::new();
        for (first, last) in stretches_of_last(&active, last_day, limit, &zone) {
            let missing = limit.saturating_sub_unsigned(events.len() as u64);
            if missing <= 0 {
                break;
            }
            let rows = fetch_day_by_day!(
                self,
                EventRow,
                "WITH RECURSIVE hours (hour) AS (SELECT CAST($3 AS BIGINT) UNION ALL \
                 SELECT hour + 1 FROM hours WHERE hour < $4) \
                 SELECT e.message_id, e.event_type, e.name, e.occurred_at, e.received_at, \
                 e.session_id, e.page_path, e.duration_seconds, e.data \
                 FROM hours CROSS JOIN [client_engagement_events e \
                 WHERE e.organization_id = $1 AND e.hour = hours.hour AND e.client_id = $2 \
                 AND e.occurred_at >= $5 AND (e.occurred_at < $6 OR (e.occurred_at = $6 \
                 AND $7 <> '' AND e.message_id < $7))] \
                 ORDER BY e.occurred_at DESC, e.message_id DESC LIMIT $8",
                organization.id.uuid(),
                client.uuid(),
                first,
                last,
                Instant(from),
                Instant(upper),
                before,
                missing
            )?;
            events.extend(rows.into_iter().map(StoredEvent::from));
        }
        Ok(events)
    }

    /// A client's events a local day in `[first, last]`; days without events are left out.
    pub async fn day_activity(
        &mut self,
        client: ClientId,
        first: Date,
        last: Date,
    ) -> Result<Vec<DayActivity>> {
        let (first, last) = bounded(first, last);
        let rows = fetch_day_by_day!(
            self,
            (Day, i64),
            "WITH RECURSIVE days (day) AS (SELECT CAST($3 AS DATE) WHERE $3 <= $4 UNION ALL \
             SELECT day + 1 FROM days WHERE day < $4) \
             SELECT a.day, CAST(SUM(a.event_count) AS BIGINT) \
             FROM days CROSS JOIN [daily_activity a \
             WHERE a.organization_id = $1 AND a.day = days.day AND a.client_id = $2] \
             GROUP BY a.day ORDER BY a.day",
            self.scope.organization_uuid(),
            client.uuid(),
            first,
            last
        )?;
        Ok(rows.into_iter().map(|(day, events)| DayActivity { day: day.0, events }).collect())
    }

    /// Events by type of each client of a chunk on the local days `[first, last]`.
    pub async fn type_counts(
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
            "WITH RECURSIVE days (day) AS (SELECT CAST($4 AS DATE) WHERE $4 <= $5 UNION ALL \
             SELECT day + 1 FROM days WHERE day < $5) \
             SELECT a.client_id, a.event_type, CAST(SUM(a.event_count) AS BIGINT) \
             FROM days CROSS JOIN [daily_activity a WHERE a.organization_id = $1 \
             AND a.day = days.day AND a.client_id BETWEEN $2 AND $3] \
             GROUP BY a.client_id, a.event_type",
            self.scope.organization_uuid(),
            low,
            high,
            first,
            last
        )?;
        let mut counts: HashMap<ClientId, TypeCounts> = HashMap::new();
        for (client, event_type, count) in rows {
            counts
                .entry(client.into())
                .or_default()
                .0
                .insert(EventType::of_name(&event_type), count);
        }
        Ok(counts)
    }

    /// Rolls all events up again by the calendar days of another zone. Called in the transaction
    /// that changes an organization's zone, in the scope of the service, since nobody else may write
    /// what is rolled up; takes as long as there are events.
    pub async fn rebuild_daily_activity(&mut self, zone: &TimeZone) -> Result<()> {
        self.lock_organization(Lock::SettleEvents).await?;
        let organization = self.scope.organization_uuid();
        execute!(self, "DELETE FROM daily_activity WHERE organization_id = $1", organization)?;
        execute!(
            self,
            "DELETE FROM client_activity_totals WHERE organization_id = $1",
            organization
        )?;
        execute!(self, "UPDATE organizations SET folded_until = NULL WHERE id = $1", organization)?;
        let Some((first, last)) = self.event_days().await? else { return Ok(()) };
        let mut day = add_days(first, -1);
        while day <= add_days(last, 1) {
            let (start, end) = (start_of_day(day, zone), start_of_day(add_days(day, 1), zone));
            execute!(
                self,
                "INSERT INTO daily_activity \
                 (organization_id, day, client_id, event_type, event_count, last_at) \
                 SELECT organization_id, CAST($2 AS DATE), client_id, event_type, COUNT(*), \
                 MAX(occurred_at) FROM client_engagement_events \
                 WHERE organization_id = $1 AND hour BETWEEN $3 AND $4 \
                 AND occurred_at >= $5 AND occurred_at < $6 \
                 GROUP BY organization_id, client_id, event_type",
                organization,
                Day(day),
                utc_hour(start),
                utc_hour(end),
                Instant(start),
                Instant(end)
            )?;
            day = add_days(day, 1);
        }
        Ok(())
    }
}
