//! What members do with alerts.

use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect},
};
use jiff::{
    Timestamp,
    civil::{Date, DateTime, Weekday},
    tz::TimeZone,
};
use mainstay_core::{
    engagement::check_text,
    health::Action,
    id::AlertId,
    time::{add_days, days_before, local_day},
};
use serde::Deserialize;

use super::{StaffClient, Subject};
use crate::{
    Error,
    web::{Answer, Sent, Web, text::local_path},
};

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
                        "unknown action {other:?}: use acknowledge, snooze, resolve or dismiss"
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
        let time: Option<DateTime> = self.until.trim().parse().ok();
        time.and_then(|time| time.to_zoned(zone.clone()).ok())
            .map(|time| time.timestamp())
            .ok_or_else(|| {
                Error::invalid(
                    "until",
                    "choose the date and time at which the alert comes back, for example \
                     2026-05-04T09:00, at most 90 days ahead",
                )
            })
    }
}

fn morning(day: Date, zone: &TimeZone) -> Result<Timestamp, Error> {
    let morning = day.at(MORNING_HOUR, 0, 0, 0).to_zoned(zone.clone());
    morning
        .map(|morning| morning.timestamp())
        .map_err(|_| Error::invalid("until", "lies past the end of the calendar"))
}

pub(super) async fn act_on_alert(
    asked: StaffClient,
    State(web): State<Web>,
    Subject(alert): Subject<AlertId>,
    Sent(form): Sent<AlertForm>,
) -> Answer {
    let StaffClient { session, client, view } = &asked;
    let action = form.action(view.zone(), view.now())?;
    let found = web.mainstay.alert(session.scope, alert).await?;
    if found.alert.client_id != client.external_id {
        return Err(super::nothing());
    }
    let member = Some(session.member_id());
    web.mainstay.act_on_alert(session.scope, alert, action, member, form.note()).await?;
    match local_path(&form.next) {
        Some(next) => Ok(Redirect::to(&next).into_response()),
        None => Ok(asked.back_to("al-h")),
    }
}
