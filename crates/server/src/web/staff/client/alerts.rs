//! What members do with alerts.

use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect},
};
use mainstay_core::id::AlertId;

use super::{ItemPath, StaffClient};
use crate::web::{
    Form, PageResult, Web,
    staff::alerts::{AlertForm, is_about_until, with_query},
    ui::text::local_path,
};

pub(super) async fn act_on_alert(
    asked: StaffClient,
    State(web): State<Web>,
    ItemPath(alert): ItemPath<AlertId>,
    Form(form): Form<AlertForm>,
) -> PageResult {
    let StaffClient { session, client, view } = &asked;
    let back = local_path(&form.next).unwrap_or_else(|| view.link(""));
    let found = web.mainstay.alert(session.scope, alert).await?;
    if found.alert.client_id != client.external_id {
        return Err(super::nothing());
    }
    let member = Some(session.member_id());
    let acted = match form.action(view.zone(), view.now()) {
        Ok(action) => web
            .mainstay
            .act_on_alert(session.scope, alert, action, member, form.note())
            .await
            .map(|done| (action, done)),
        Err(error) => Err(error),
    };
    let params = match &acted {
        Ok((action, done)) => vec![
            ("done", action.as_str().to_owned()),
            ("changed", "1".to_owned()),
            ("at", done.alert.changed_at.as_microsecond().to_string()),
        ],
        Err(error) if is_about_until(error) => {
            vec![("snooze", alert.to_string()), ("until", form.until.trim().to_owned())]
        }
        Err(_) => Vec::new(),
    };
    if params.is_empty() {
        acted?;
    }
    let part = if form.next.is_empty() { "#al-h" } else { "" };
    Ok(Redirect::to(&format!("{}{part}", with_query(&back, &params))).into_response())
}
