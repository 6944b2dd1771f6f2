//! What the buttons of alerts send, one at a time or many.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Weekday},
    tz::TimeZone,
};
use mainstay_core::{
    alert::{Action, MAX_SNOOZE},
    engagement::check_text,
    time::{add_days, days_before, local_day},
};
use serde::Deserialize;
use url::form_urlencoded;

use crate::{Error, alert::ChosenAlert};

const MAX_NOTE_CHARS: usize = 1_000;
/// The hour at which "until tomorrow" ends: when people begin to work.
const MORNING_HOUR: i8 = 9;

/// What the buttons of an alert send.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct AlertForm {
    pub(crate) action: String,
    pub(crate) until: String,
    pub(crate) note: String,
    pub(crate) next: String,
}

impl AlertForm {
    /// What to do, in the calendar of a zone.
    ///
    /// # Errors
    /// When the action is unknown or the time cannot be read.
    pub(crate) fn action(&self, zone: &TimeZone, now: Timestamp) -> Result<Action, Error> {
        check_text("note", &self.note, MAX_NOTE_CHARS)?;
        let today = local_day(now, zone);
        let until = match self.action.as_str() {
            "acknowledge" => return Ok(Action::Acknowledge),
            "resolve" => return Ok(Action::Resolve),
            "dismiss" => return Ok(Action::Dismiss),
            "reopen" => return Ok(Action::Reopen),
            "snooze-day" => days_before(now, -1, zone),
            "snooze-3-days" => days_before(now, -3, zone),
            "snooze-tomorrow" => morning(add_days(today, 1), zone)?,
            "snooze-monday" => {
                let days = today.weekday().until(Weekday::Monday);
                morning(add_days(today, if days == 0 { 7 } else { i32::from(days) }), zone)?
            }
            "snooze-week" => days_before(now, -7, zone),
            "snooze" => self.time(zone)?,
            other => {
                return Err(Error::invalid(
                    "action",
                    format!(
                        "unknown action {other:?}: use acknowledge, snooze, resolve, dismiss or reopen"
                    ),
                ));
            }
        };
        Ok(Action::Snooze { until })
    }

    /// What is said about it.
    pub(crate) fn note(&self) -> &str {
        self.note.trim()
    }

    fn time(&self, zone: &TimeZone) -> Result<Timestamp, Error> {
        typed(&self.until, zone)
            .ok_or_else(|| Error::invalid("until", "is missing; choose a date and time"))
    }
}

/// The instant of a date and time as a form sends it.
fn typed(until: &str, zone: &TimeZone) -> Option<Timestamp> {
    let time: DateTime = until.trim().parse().ok()?;
    Some(time.to_zoned(zone.clone()).ok()?.timestamp())
}

/// Why an alert cannot be snoozed until a time that was typed, in the organization's zone; `None` when it
/// can.
pub(crate) fn snooze_problem(until: &str, zone: &TimeZone, now: Timestamp) -> Option<String> {
    let shown = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%-d %b %Y, %H:%M").to_string();
    let limits = || {
        let latest = now.checked_add(MAX_SNOOZE).unwrap_or(Timestamp::MAX);
        format!(
            "Choose a time between now ({}) and {}, in {}.",
            shown(now),
            shown(latest),
            zone.iana_name().unwrap_or("the organization's time zone"),
        )
    };
    match typed(until, zone) {
        None => Some(format!("No time was chosen. {}", limits())),
        Some(at) if at <= now => Some(format!("{} is in the past. {}", shown(at), limits())),
        Some(at) if at > now.checked_add(MAX_SNOOZE).unwrap_or(Timestamp::MAX) => {
            Some(format!("{} is more than 90 days ahead. {}", shown(at), limits()))
        }
        Some(_) => None,
    }
}

/// Whether a failure is that of a snooze's end, which the form shows beside what was typed.
pub(crate) fn is_about_until(error: &Error) -> bool {
    matches!(error, Error::Invalid { field, .. } if field == "until")
}

fn morning(day: Date, zone: &TimeZone) -> Result<Timestamp, Error> {
    let morning = day.at(MORNING_HOUR, 0, 0, 0).to_zoned(zone.clone());
    morning
        .map(|morning| morning.timestamp())
        .map_err(|_| Error::invalid("until", "is past the end of the calendar"))
}

/// A path with more in its query.
pub(crate) fn with_query(path: &str, more: &[(&str, String)]) -> String {
    let more = more.iter().filter(|(_, value)| !value.is_empty());
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(more).finish();
    let sign = if path.contains('?') { '&' } else { '?' };
    if query.is_empty() { path.to_owned() } else { format!("{path}{sign}{query}") }
}

/// What stands for an alert in the form: which it is, and when it had last changed as it is shown.
pub(super) fn value_of(alert: &mainstay_store::Alert) -> String {
    format!("{}~{}", alert.episode.id, alert.changed_at.as_microsecond())
}

pub(super) fn parse_chosen(value: &str) -> Result<ChosenAlert, Error> {
    let read = || {
        let (id, micros) = value.split_once('~')?;
        let changed_at = Timestamp::from_microsecond(micros.parse().ok()?).ok()?;
        Some(ChosenAlert { id: id.parse().ok()?, changed_at })
    };
    read().ok_or_else(|| Error::invalid("alert", "is not in the list; reload the page"))
}
