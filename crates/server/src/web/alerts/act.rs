use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect},
};
use jiff::Timestamp;
use url::form_urlencoded;

use super::which::Which;
use crate::{
    Error,
    health::ChosenAlert,
    web::{Answer, Sent, StaffSession, Web, clients::AlertForm},
};

/// Alerts that were changed meanwhile and are named afterwards.
const MOST_NAMED: usize = 20;

/// What stands for an alert in the form: which it is, and when it had last changed as it is shown.
pub(super) fn value_of(alert: &mainstay_store::Alert) -> String {
    format!("{}~{}", alert.episode.id, alert.changed_at.as_microsecond())
}

fn chosen(value: &str) -> Result<ChosenAlert, Error> {
    let read = || {
        let (id, micros) = value.split_once('~')?;
        let changed_at = Timestamp::from_microsecond(micros.parse().ok()?).ok()?;
        Some(ChosenAlert { id: id.parse().ok()?, changed_at })
    };
    read().ok_or_else(|| Error::invalid("alert", "is none of the list; open the page again"))
}

/// Fields come in pairs, because there is one for each alert that is chosen.
pub(super) async fn act_on_alerts(
    session: StaffSession,
    State(web): State<Web>,
    Sent(fields): Sent<Vec<(String, String)>>,
) -> Answer {
    let field =
        |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let form = AlertForm {
        action: field("action").unwrap_or_default(),
        until: field("until").unwrap_or_default(),
        note: field("note").unwrap_or_default(),
        next: String::new(),
    };
    let back = Which::of_fields(field).link();
    let alerts: Vec<ChosenAlert> = fields
        .iter()
        .filter(|(name, _)| name == "alert")
        .map(|(_, value)| chosen(value))
        .collect::<Result<_, _>>()?;
    if alerts.is_empty() {
        return Ok(Redirect::to(&with(&back, &[("done", "nothing")])).into_response());
    }
    let action = form.action(&session.zone, web.mainstay.now())?;
    let member = Some(session.member_id());
    let acted =
        web.mainstay.act_on_alerts(session.scope, &alerts, action, member, form.note()).await?;
    let named: Vec<String> =
        acted.missed.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    let told = [
        ("done", action.as_str()),
        ("changed", &acted.changed.len().to_string()),
        ("missed", &named.join(",")),
    ];
    Ok(Redirect::to(&with(&back, &told)).into_response())
}

fn with(path: &str, told: &[(&str, &str)]) -> String {
    let told = told.iter().filter(|(_, value)| !value.is_empty());
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(told).finish();
    let sign = if path.contains('?') { '&' } else { '?' };
    format!("{path}{sign}{query}")
}
