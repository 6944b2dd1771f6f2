//! Comparing what is rolled up with what it was rolled up from.

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::{
    engagement::Rhythm,
    time::{add_days, local_day, start_of_day},
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Result, Tx,
    db::dialect::{Day, Instant, fetch_all, fetch_one, fetch_optional, fetch_packed},
    engagement::{Addition, Additions, activity_on_days, instants, unpacked},
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

/// What is rolled up of one client's events of one type on a day.
struct StoredDay {
    count: i64,
    last_at: Timestamp,
    instants: Vec<Timestamp>,
}

/// A client and type on some day.
type ClientAndType = (Uuid, String);

impl Tx {
    /// First and last UTC day that has events.
    pub async fn find_event_days(&mut self) -> Result<Option<(Date, Date)>> {
        let (first, last) = fetch_one!(
            self,
            (Option<Instant>, Option<Instant>),
            "SELECT (SELECT MIN(occurred_at) FROM client_engagement_events \
             WHERE organization_id = $1), \
             (SELECT MAX(occurred_at) FROM client_engagement_events WHERE organization_id = $1)",
            self.scope.organization_uuid()
        )?;
        let day = |at: Instant| local_day(at.0, &TimeZone::UTC);
        Ok(first.zip(last).map(|(first, last)| (day(first), day(last))))
    }

    /// The local days that the daily activity or the events span.
    pub async fn find_days_to_verify(&mut self) -> Result<Option<(Date, Date)>> {
        let (first, last) = fetch_one!(
            self,
            (Option<Day>, Option<Day>),
            "SELECT MIN(first), MAX(last) FROM (SELECT \
             (SELECT MIN(day) FROM daily_activity WHERE organization_id = $1) AS first, \
             (SELECT MAX(day) FROM daily_activity WHERE organization_id = $1) AS last \
             UNION ALL SELECT MIN(day), MAX(day) FROM pending_activity WHERE organization_id = $1) \
             AS days",
            self.scope.organization_uuid()
        )?;
        let rolled = first.zip(last).map(|(first, last)| (first.0, last.0));
        // A zone's local day is at most one off the UTC day.
        let events = self
            .find_event_days()
            .await?
            .map(|(first, last)| (add_days(first, -1), add_days(last, 1)));
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
        let mut counted = self.instants_of_events(day, zone).await?;
        let mut differences = Vec::new();
        let mut matching_rows = 0;
        for (key, stored) in self.stored_day(day).await? {
            match disagreement_of_day(&stored, counted.remove(&key).as_deref()) {
                None => matching_rows += 1,
                Some(found) => differences.push(self.difference_on(day, key, found).await?),
            }
        }
        for (key, instants) in counted {
            let found = ("event_count", none(), instants.len().to_string());
            differences.push(self.difference_on(day, key, found).await?);
        }
        Ok((differences, matching_rows))
    }

    async fn difference_on(
        &mut self,
        day: Date,
        (client, event_type): ClientAndType,
        (column, stored, computed): (&str, String, String),
    ) -> Result<Difference> {
        Ok(Difference {
            place: format!("daily_activity.{column} ({event_type})"),
            client_id: self.name_of(client).await?,
            day: Some(day),
            stored,
            computed,
        })
    }

    /// When the events of a local day happened, by client and type, in order.
    async fn instants_of_events(
        &mut self,
        day: Date,
        zone: &TimeZone,
    ) -> Result<BTreeMap<ClientAndType, Vec<Timestamp>>> {
        // An hour at a time: a day's events may be millions.
        let end = start_of_day(add_days(day, 1), zone);
        let mut from = start_of_day(day, zone);
        let mut instants: BTreeMap<ClientAndType, Vec<Timestamp>> = BTreeMap::new();
        while from < end {
            let to = end.min(from + SignedDuration::from_hours(1));
            let rows = fetch_packed!(
                self,
                (Uuid, String, Instant),
                "hex(client_id), event_type, occurred_at",
                "SELECT client_id, event_type, occurred_at FROM client_engagement_events \
                 WHERE organization_id = $1 AND occurred_at >= $2 AND occurred_at < $3",
                self.scope.organization_uuid(),
                Instant(from),
                Instant(to)
            )?;
            for (client, event_type, at) in rows {
                instants.entry((client, event_type)).or_default().push(at.0);
            }
            from = to;
        }
        for instants in instants.values_mut() {
            instants.sort_unstable();
        }
        Ok(instants)
    }

    /// Counts of a local day, by client and type.
    async fn stored_day(&mut self, day: Date) -> Result<BTreeMap<ClientAndType, StoredDay>> {
        let rows = fetch_packed!(
            self,
            (Uuid, String, i64, Instant, String),
            "hex(client_id), event_type, event_count, last_at, instants",
            concat!(
                "WITH days (day) AS (SELECT CAST($2 AS DATE)) \
                 SELECT a.client_id, a.event_type, a.event_count, a.last_at, a.instants FROM ",
                activity_on_days!("a.client_id IS NOT NULL")
            ),
            self.scope.organization_uuid(),
            Day(day)
        )?;
        let mut stored: BTreeMap<ClientAndType, StoredDay> = BTreeMap::new();
        for (client, event_type, count, last_at, at) in rows {
            let day_of = stored.entry((client, event_type)).or_insert_with(|| StoredDay {
                count: 0,
                last_at: last_at.0,
                instants: Vec::new(),
            });
            day_of.count += count;
            day_of.last_at = day_of.last_at.max(last_at.0);
            day_of.instants.extend(instants::of(day, &at));
        }
        for day_of in stored.values_mut() {
            day_of.instants.sort_unstable();
        }
        Ok(stored)
    }

    /// Folds the daily activity again and compares with the totals. Answers the differences and how
    /// many rows agreed. Keeps a month of active days of each client in memory.
    pub async fn verify_totals(&mut self) -> Result<(Vec<Difference>, u64)> {
        let Some(folded_until) = self.get_organization().await?.folded_until else {
            return Ok((Vec::new(), 0));
        };
        let mut computed = Additions::default();
        let mut day = self.find_first_active_day().await?;
        while let Some(folded) = day.filter(|day| *day <= folded_until) {
            self.gather_day(folded, &mut computed).await?;
            day = self.find_next_active_day(folded).await?;
        }
        let rows = fetch_all!(
            self,
            (Uuid, i64, i64, Instant, Json<Vec<i32>>),
            "SELECT client_id, content_generated, visuals_created, last_at, active_days \
             FROM client_activity_totals WHERE organization_id = $1 ORDER BY client_id",
            self.scope.organization_uuid()
        )?;
        let mut found: Vec<(Uuid, &str, String, String)> = Vec::new();
        let mut matching_rows = 0;
        for (client, content_generated, visuals_created, last_at, Json(days)) in rows {
            let stored = Addition {
                content_generated,
                visuals_created,
                last_at: last_at.0,
                days: unpacked(&days),
            };
            match computed.0.remove(&client.into()).map(|computed| disagreement(&stored, &computed))
            {
                Some(None) => matching_rows += 1,
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
        Ok((differences, matching_rows))
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

/// The first column in which what is rolled up of a day differs from its events, with what each says.
fn disagreement_of_day(
    stored: &StoredDay,
    counted: Option<&[Timestamp]>,
) -> Option<(&'static str, String, String)> {
    let Some(counted) = counted else {
        return Some(("event_count", stored.count.to_string(), none()));
    };
    if i64::try_from(counted.len()) != Ok(stored.count) {
        return Some(("event_count", stored.count.to_string(), counted.len().to_string()));
    }
    let last = counted.last().copied();
    if last != Some(stored.last_at) {
        let last = last.map_or_else(none, |at| at.to_string());
        return Some(("last_at", stored.last_at.to_string(), last));
    }
    if stored.instants == counted {
        return None;
    }
    let first_only_in = |one: &[Timestamp], other: &[Timestamp]| {
        one.iter().find(|at| !other.contains(at)).map_or_else(none, Timestamp::to_string)
    };
    Some((
        "instants",
        first_only_in(&stored.instants, counted),
        first_only_in(counted, &stored.instants),
    ))
}
