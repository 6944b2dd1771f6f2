use jiff::{Timestamp, tz::TimeZone};

use super::Schedule;

/// The period that is due: the latest one, unless it ran (`ran` is the latest that did) or lies
/// before the schedule came into force. However many were missed, one run makes up for all of them.
pub fn due(
    schedule: &Schedule,
    zone: &TimeZone,
    in_force_since: Timestamp,
    ran: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let latest = schedule.latest(now, zone)?;
    (latest >= in_force_since && ran.is_none_or(|ran| ran < latest)).then_some(latest)
}
