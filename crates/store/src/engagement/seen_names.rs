use jiff::{civil::Date, tz::TimeZone};
use mainstay_core::time::start_of_day;

use crate::{
    Result, Tx,
    db::dialect::{Instant, fetch_all},
};

/// Newest events that are looked through: a page must not take as long as there are events.
const MAX_ROWS_SCANNED: i64 = 100_000;

/// A name that events were sent with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenName {
    /// The name.
    pub name: String,
    /// How many of the events that were looked through have it.
    pub events: i64,
}

impl Tx {
    /// Names of recent events that count as `custom`, the most frequent first, among the newest
    /// hundred thousand events since a UTC day.
    pub async fn list_custom_names(&mut self, since: Date, limit: i64) -> Result<Vec<SeenName>> {
        let rows = fetch_all!(
            self,
            (String, i64),
            "SELECT name, COUNT(*) FROM (SELECT name, event_type FROM client_engagement_events \
             WHERE organization_id = $1 AND occurred_at >= $2 ORDER BY occurred_at DESC LIMIT $4) recent \
             WHERE event_type = 'custom' GROUP BY name ORDER BY COUNT(*) DESC, name LIMIT $3",
            self.scope.organization_uuid(),
            Instant(start_of_day(since, &TimeZone::UTC)),
            limit,
            MAX_ROWS_SCANNED
        )?;
        Ok(rows.into_iter().map(|(name, events)| SeenName { name, events }).collect())
    }
}
