use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect},
};
use jiff::Timestamp;

use super::{
    form::{AlertForm, is_about_until, parse_chosen, with_query},
    lists::BULK_FORM,
    query::AlertQuery,
};
use crate::{
    Error,
    alert::ChosenAlert,
    web::{Form, PageResult, StaffSession, Web, ui::text::local_path},
};

/// Alerts that were changed meanwhile and are named afterwards.
const MAX_NAMED: usize = 20;

/// Fields come in pairs, because there is one for each alert that is chosen.
pub(super) async fn act_on_alerts(
    session: StaffSession,
    State(web): State<Web>,
    Form(fields): Form<Vec<(String, String)>>,
) -> PageResult {
    let field =
        |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let form = AlertForm {
        action: field("action").unwrap_or_default(),
        until: field("until").unwrap_or_default(),
        note: field("note").unwrap_or_default(),
        next: field("next").unwrap_or_default(),
    };
    let back = AlertQuery::from_fields(field).link();
    if form.action == "undo" {
        let next = local_path(&form.next).unwrap_or_else(|| back.clone());
        let at = fields.iter().find(|(name, _)| name == "at").map(|(_, value)| value.as_str());
        return undo(&session, &web, at.unwrap_or_default(), &next).await;
    }
    let alerts: Vec<ChosenAlert> = fields
        .iter()
        .filter(|(name, _)| name == "alert")
        .map(|(_, value)| parse_chosen(value))
        .collect::<Result<_, _>>()?;
    if alerts.is_empty() {
        let params = [("done", "nothing".to_owned())];
        return Ok(Redirect::to(&with_query(&back, &params)).into_response());
    }
    let member = Some(session.member_id());
    let acted = match form.action(&session.zone, web.mainstay.now()) {
        Ok(action) => web
            .mainstay
            .act_on_alerts(session.scope, &alerts, action, member, form.note())
            .await
            .map(|acted| (action, acted)),
        Err(error) => Err(error),
    };
    let (action, acted) = match acted {
        Ok(acted) => acted,
        Err(error) if is_about_until(&error) => {
            let typed = [("snooze", BULK_FORM.to_owned()), ("until", form.until.trim().to_owned())];
            let chosen: Vec<String> =
                alerts.iter().take(MAX_NAMED).map(|alert| alert.id.to_string()).collect();
            let back = with_query(&back, &typed);
            return Ok(
                Redirect::to(&with_query(&back, &[("chosen", chosen.join(","))])).into_response()
            );
        }
        Err(error) => return Err(error.into()),
    };
    let named: Vec<String> = acted.missed.iter().take(MAX_NAMED).map(ToString::to_string).collect();
    let params = [
        ("done", action.as_str().to_owned()),
        ("changed", acted.changed.len().to_string()),
        ("missed", named.join(",")),
        ("at", acted.at.as_microsecond().to_string()),
    ];
    Ok(Redirect::to(&with_query(&back, &params)).into_response())
}

/// Takes back what the member did at an instant.
async fn undo(session: &StaffSession, web: &Web, at: &str, back: &str) -> PageResult {
    let at = at.parse().ok().and_then(|at| Timestamp::from_microsecond(at).ok());
    let at = at.ok_or_else(|| {
        Error::invalid("at", "is not an action that can be undone; reload the page")
    })?;
    let member = session.member_id();
    let acted = web.mainstay.undo_alert_actions(session.scope, member, at).await?;
    let params = [("done", "undo".to_owned()), ("changed", acted.changed.len().to_string())];
    Ok(Redirect::to(&with_query(back, &params)).into_response())
}
