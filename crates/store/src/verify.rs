//! Comparing what is rolled up with what it was rolled up from.

use std::fmt;

use jiff::{civil::Date, tz::TimeZone};
use mainstay_core::{
    engagement::Rhythm,
    time::{add_days, from_epoch_day, start_of_day},
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Result, Tx,
    dialect::{Day, Instant, fetch_all, fetch_one, fetch_optional},
    engagement::{Addition, Additions, unpacked, utc_hour},
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
            (Option<i64>, Option<i64>),
            "SELECT (SELECT MIN(hour) FROM client_engagement_events WHERE organization_id = $1), \
             (SELECT MAX(hour) FROM client_engagement_events WHERE organization_id = $1)",
            self.scope.organization_uuid()
        )?;
        let day =
            |hour: i64| from_epoch_day(i32::try_from(hour.div_euclid(24)).unwrap_or(i32::MAX));
        Ok(first.zip(last).map(|(first, last)| (day(first), day(last))))
    }

    /// The local days that the daily activity or the events span.
    pub async fn days_to_verify(&mut self) -> Result<Option<(Date, Date)>> {
        let (first, last) = fetch_one!(
            self,
            (Option<Day>, Option<Day>),
            "SELECT (SELECT MIN(day) FROM daily_activity WHERE organization_id = $1), \
             (SELECT MAX(day) FROM daily_activity WHERE organization_id = $1)",
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
             WHERE organization_id = $1 AND hour BETWEEN $3 AND $4 \
             AND occurred_at >= $5 AND occurred_at < $6 GROUP BY client_id, event_type), \
             stored AS (SELECT client_id, event_type, event_count, last_at FROM daily_activity \
             WHERE organization_id = $1 AND day = $2) \
             SELECT COALESCE(s.client_id, e.client_id) AS client_id, \
             COALESCE(s.event_type, e.event_type) AS event_type, s.event_count AS stored_count, \
             s.last_at AS stored_last, e.events AS counted, e.last_at AS counted_last \
             FROM stored s FULL JOIN counted e \
             ON e.client_id = s.client_id AND e.event_type = s.event_type",
            self.scope.organization_uuid(),
            Day(day),
            utc_hour(start),
            utc_hour(end),
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
                client_id: self.name_of(row.client_id).await?,
                day: Some(day),
                stored,
                computed,
            });
        }
        Ok((differences, agreed))
    }

    /// Folds the daily activity again and compares with the totals. Answers the differences and how
    /// many rows agreed. Keeps a month of active days of each client in memory.
    pub async fn verify_totals(&mut self) -> Result<(Vec<Difference>, u64)> {
        let Some(folded_until) = self.organization().await?.folded_until else {
            return Ok((Vec::new(), 0));
        };
        let mut computed = Additions::default();
        let mut day = self.first_active_day().await?;
        while let Some(folded) = day.filter(|day| *day <= folded_until) {
            self.gather_day(folded, &mut computed).await?;
            day = self.next_active_day(folded).await?;
        }
        let rows = fetch_all!(
            self,
            (Uuid, i64, i64, Instant, Json<Vec<i32>>),
            "SELECT client_id, content_generated, visuals_created, last_at, active_days \
             FROM client_activity_totals WHERE organization_id = $1 ORDER BY client_id",
            self.scope.organization_uuid()
        )?;
        let mut found: Vec<(Uuid, &str, String, String)> = Vec::new();
        let mut agreed = 0;
        for (client, content_generated, visuals_created, last_at, Json(days)) in rows {
            let stored = Addition {
                content_generated,
                visuals_created,
                last_at: last_at.0,
                days: unpacked(&days),
            };
            match computed.0.remove(&client.into()).map(|computed| disagreement(&stored, &computed))
            {
                Some(None) => agreed += 1,
                Some(Some((column, stored, computed))) => {
                    found.push((client, column, stored, computed));
                }
                None => found.push((client, "last_at", stored.last_at.to_string(), none())),
            }
        }
        for (client, computed) in computed.0 {
            found.push((client.uuid(), "last_at", none(), computed.last_at.to_string()));
        }
        let mut differences = Vec::with_capacity(found.len());
        for (client, column, stored, computed) in found {
            differences.push(Difference {
                place: format!("client_activity_totals.{column}"),
                client_id: self.name_of(client).await?,
                day: Some(folded_until),
                stored,
                computed,
            });
        }
        Ok((differences, agreed))
    }

    /// A client's `external_id`, or its id when the client is gone.
    async fn name_of(&mut self, client: Uuid) -> Result<String> {
        let row = fetch_optional!(
            self,
            (String,),
            "SELECT external_id FROM clients WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            client
        )?;
        Ok(row.map_or_else(|| client.to_string(), |(name,)| name))
    }
}

fn none() -> String {
    "none".to_owned()
}

/// The first column in which two totals differ, with what each says.
fn disagreement(stored: &Addition, computed: &Addition) -> Option<(&'static str, String, String)> {
    let pairs = [
        ("content_generated", stored.content_generated, computed.content_generated),
        ("visuals_created", stored.visuals_created, computed.visuals_created),
    ];
    if let Some((column, stored, computed)) = pairs.into_iter().find(|(_, a, b)| a != b) {
        return Some((column, stored.to_string(), computed.to_string()));
    }
    if stored.last_at != computed.last_at {
        return Some(("last_at", stored.last_at.to_string(), computed.last_at.to_string()));
    }
    if stored.days == computed.days {
        return None;
    }
    let only_in = |one: &Rhythm, other: &Rhythm| {
        let days: Vec<String> = one
            .days()
            .filter(|day| other.days().all(|known| known != *day))
            .map(|day| day.to_string())
            .collect();
        if days.is_empty() { none() } else { days.join(" ") }
    };
    Some((
        "active_days",
        only_in(&stored.days, &computed.days),
        only_in(&computed.days, &stored.days),
    ))
}

fn shown_count(count: Option<i64>) -> String {
    count.map_or_else(none, |count| count.to_string())
}
