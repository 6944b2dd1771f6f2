//! Comparing what is rolled up with what it was rolled up from.

use std::fmt;

use jiff::{civil::Date, tz::TimeZone};
use mainstay_core::time::{add_days, local_day, start_of_day};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Result, Tx,
    dialect::{Day, Instant, fetch_all, fetch_one},
    engagement::unpacked,
};

/// Something stored that does not follow from the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The table and column at fault.
    pub place: String,
    /// The client's `external_id`, or its id when the client is gone.
    pub client_id: String,
    /// The day it is about.
    pub day: Option<Date>,
    /// What is stored.
    pub stored: String,
    /// What follows from the events.
    pub computed: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of client {}", self.place, self.client_id)?;
        if let Some(day) = self.day {
            write!(f, " on {day}")?;
        }
        write!(f, ": stored {}, computed {}", self.stored, self.computed)
    }
}

/// One client and type on one day, as stored and as counted.
#[derive(sqlx::FromRow)]
struct DayRow {
    client_id: Uuid,
    external_id: Option<String>,
    event_type: String,
    stored_count: Option<i64>,
    stored_last: Option<Instant>,
    counted: Option<i64>,
    counted_last: Option<Instant>,
}

impl Tx {
    /// First and last UTC day that has events.
    pub async fn event_days(&mut self) -> Result<Option<(Date, Date)>> {
        let (first, last) = fetch_one!(
            self,
            (Option<Day>, Option<Day>),
            "SELECT (SELECT MIN(day) FROM client_engagement_events WHERE organization_id = $1), \
             (SELECT MAX(day) FROM client_engagement_events WHERE organization_id = $1)",
            self.scope.organization_uuid()
        )?;
        Ok(first.zip(last).map(|(first, last)| (first.0, last.0)))
    }

    /// The local days that the daily activity or the events span.
    pub async fn days_to_verify(&mut self) -> Result<Option<(Date, Date)>> {
        let (first, last) = fetch_one!(
            self,
            (Option<Day>, Option<Day>),
            "SELECT MIN(day), MAX(day) FROM daily_activity WHERE organization_id = $1",
            self.scope.organization_uuid()
        )?;
        let rolled = first.zip(last).map(|(first, last)| (first.0, last.0));
        // A zone's local day is at most one off the UTC day.
        let events =
            self.event_days().await?.map(|(first, last)| (add_days(first, -1), add_days(last, 1)));
        Ok(match (rolled, events) {
            (Some(rolled), Some(events)) => Some((rolled.0.min(events.0), rolled.1.max(events.1))),
            (rolled, events) => rolled.or(events),
        })
    }

    /// Counts one local day's events again and compares with the daily activity. Answers the
    /// differences and how many rows agreed.
    pub async fn verify_day(
        &mut self,
        day: Date,
        zone: &TimeZone,
    ) -> Result<(Vec<Difference>, u64)> {
        let (start, end) = (start_of_day(day, zone), start_of_day(add_days(day, 1), zone));
        let rows = fetch_all!(
            self,
            DayRow,
            "WITH counted AS (SELECT client_id, event_type, COUNT(*) AS events, \
             MAX(occurred_at) AS last_at FROM client_engagement_events \
             WHERE organization_id = $1 AND day BETWEEN $3 AND $4 \
             AND occurred_at >= $5 AND occurred_at < $6 GROUP BY client_id, event_type), \
             stored AS (SELECT client_id, event_type, event_count, last_at FROM daily_activity \
             WHERE organization_id = $1 AND day = $2) \
             SELECT COALESCE(s.client_id, e.client_id) AS client_id, c.external_id, \
             COALESCE(s.event_type, e.event_type) AS event_type, s.event_count AS stored_count, \
             s.last_at AS stored_last, e.events AS counted, e.last_at AS counted_last \
             FROM stored s FULL JOIN counted e \
             ON e.client_id = s.client_id AND e.event_type = s.event_type \
             LEFT JOIN clients c ON c.organization_id = $1 \
             AND c.id = COALESCE(s.client_id, e.client_id)",
            self.scope.organization_uuid(),
            Day(day),
            Day(local_day(start, &TimeZone::UTC)),
            Day(local_day(end, &TimeZone::UTC)),
            Instant(start),
            Instant(end)
        )?;
        let mut differences = Vec::new();
        let mut agreed = 0;
        for row in rows {
            let counts = (row.stored_count, row.counted);
            let lasts = (row.stored_last, row.counted_last);
            if counts.0 == counts.1 && lasts.0 == lasts.1 {
                agreed += 1;
                continue;
            }
            let (column, stored, computed) = if counts.0 == counts.1 {
                let shown = |at: Option<Instant>| at.map_or("none".into(), |at| at.0.to_string());
                ("last_at", shown(lasts.0), shown(lasts.1))
            } else {
                ("event_count", shown_count(counts.0), shown_count(counts.1))
            };
            differences.push(Difference {
                place: format!("daily_activity.{column} ({})", row.event_type),
                client_id: row.external_id.unwrap_or_else(|| row.client_id.to_string()),
                day: Some(day),
                stored,
                computed,
            });
        }
        Ok((differences, agreed))
    }

    /// Folds the daily activity again and compares with the totals. Answers the differences and how
    /// many rows agreed.
    pub async fn verify_totals(&mut self) -> Result<(Vec<Difference>, u64)> {
        #[derive(sqlx::FromRow)]
        struct Row {
            client_id: Uuid,
            external_id: Option<String>,
            content_stored: Option<i64>,
            content: Option<i64>,
            visuals_stored: Option<i64>,
            visuals: Option<i64>,
            last_stored: Option<Instant>,
            last_at: Option<Instant>,
            latest_day: Option<Day>,
            active_days: Option<Json<Vec<i32>>>,
        }
        let Some(folded_until) = self.organization().await?.folded_until else {
            return Ok((Vec::new(), 0));
        };
        let rows = fetch_all!(
            self,
            Row,
            "WITH summed AS (SELECT client_id, \
             CAST(SUM(CASE WHEN event_type = 'content_generated' THEN event_count ELSE 0 END) \
             AS BIGINT) AS content, \
             CAST(SUM(CASE WHEN event_type = 'visual_created' THEN event_count ELSE 0 END) \
             AS BIGINT) AS visuals, MAX(last_at) AS last_at, MAX(day) AS latest_day \
             FROM daily_activity WHERE organization_id = $1 AND day <= $2 GROUP BY client_id), \
             stored AS (SELECT * FROM client_activity_totals WHERE organization_id = $1) \
             SELECT COALESCE(s.client_id, d.client_id) AS client_id, c.external_id, \
             s.content_generated AS content_stored, d.content, \
             s.visuals_created AS visuals_stored, d.visuals, s.last_at AS last_stored, d.last_at, \
             d.latest_day, s.active_days FROM stored s FULL JOIN summed d \
             ON d.client_id = s.client_id LEFT JOIN clients c ON c.organization_id = $1 \
             AND c.id = COALESCE(s.client_id, d.client_id)",
            self.scope.organization_uuid(),
            Day(folded_until)
        )?;
        let mut differences = Vec::new();
        let mut agreed = 0;
        for row in rows {
            let latest_stored = row
                .active_days
                .as_ref()
                .and_then(|days| unpacked(&days.0).days().last())
                .map(|day| day.to_string());
            let shown = |at: Option<Instant>| at.map(|at| at.0.to_string());
            let shown_number = |count: Option<i64>| count.map(|count| count.to_string());
            let columns = [
                ("content_generated", shown_number(row.content_stored), shown_number(row.content)),
                ("visuals_created", shown_number(row.visuals_stored), shown_number(row.visuals)),
                ("last_at", shown(row.last_stored), shown(row.last_at)),
                ("active_days", latest_stored, row.latest_day.map(|day| day.0.to_string())),
            ];
            match columns.into_iter().find(|(_, stored, computed)| stored != computed) {
                None => agreed += 1,
                Some((column, stored, computed)) => differences.push(Difference {
                    place: format!("client_activity_totals.{column}"),
                    client_id: row.external_id.unwrap_or_else(|| row.client_id.to_string()),
                    day: Some(folded_until),
                    stored: stored.unwrap_or_else(|| "none".to_owned()),
                    computed: computed.unwrap_or_else(|| "none".to_owned()),
                }),
            }
        }
        Ok((differences, agreed))
    }
}

fn shown_count(count: Option<i64>) -> String {
    count.map_or_else(|| "none".to_owned(), |count| count.to_string())
}
