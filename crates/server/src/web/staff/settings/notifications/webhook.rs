use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Redirect},
};
use mainstay_core::{
    id::{WebhookId, WebhookMessageId},
    notification::{EndpointKind, MessageState},
    text::count_noun,
};
use mainstay_store::{Member, Webhook, WebhookAttempt, WebhookPatch};

use super::{PATH, form::WebhookForm, icon_of, state_of};
use crate::{
    Error,
    notification::DeliveredMessage,
    web::{
        AdminSession, Form, FormError, PageError, PageResult, Pages, Path, Query, StaffSession,
        StaffShell, Web,
        session::once::{clear_once, read_once, show_once},
        show, show_with,
        staff::{
            client::ItemPath,
            settings::{DoneParams, DoneQuery, Frame, Tab, back},
        },
    },
};

/// Messages that are listed.
const MESSAGES: i64 = 50;

pub(super) fn pages() -> Pages {
    Pages::new()
        .get("/settings/notifications/{webhook_id}", show_webhook)
        .post("/settings/notifications/{webhook_id}", save)
        .post("/settings/notifications/{webhook_id}/on", switch_on)
        .post("/settings/notifications/{webhook_id}/off", switch_off)
        .post("/settings/notifications/{webhook_id}/test", test)
        .get("/settings/notifications/{webhook_id}/secret", show_secret)
        .post("/settings/notifications/{webhook_id}/secret", replace_secret)
        .get("/settings/notifications/{webhook_id}/delete", ask_to_delete)
        .post("/settings/notifications/{webhook_id}/delete", delete)
        .post("/settings/notifications/{webhook_id}/messages/{message_id}/resend", resend)
}

/// Where a webhook's page is.
pub(super) fn path_of(id: WebhookId) -> String {
    format!("{PATH}/{id}")
}

/// Where the secret of a webhook is shown, once.
pub(super) fn secret_path_of(id: WebhookId) -> String {
    format!("{PATH}/{id}/secret")
}

/// A message and what came of it.
struct Row {
    id: WebhookMessageId,
    icon: &'static str,
    words: &'static str,
    meta: String,
    attempts: Vec<String>,
}

impl Row {
    fn new(delivered: &DeliveredMessage, frame: &Frame) -> Self {
        let message = &delivered.message;
        let tried =
            count_noun(i64::try_from(delivered.attempts.len()).unwrap_or(i64::MAX), "attempt");
        let about = message.notice.event.client_id().map(|client| format!("{client}. "));
        let outcome = match message.state {
            MessageState::Queued if message.attempts == 0 && message.reason.is_none() => {
                "Queued".to_owned()
            }
            MessageState::Queued => {
                let when = if message.attempts == 0 { "Sent" } else { "Sent again" };
                format!("{when} at the earliest {}", frame.moment(&message.due_at))
            }
            MessageState::Delivered => "Delivered".to_owned(),
            MessageState::Failed => "Not delivered".to_owned(),
        };
        let reason =
            message.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        Self {
            id: message.id,
            icon: icon_of(message.state),
            words: message.notice.event.kind().words(),
            meta: format!(
                "{}{outcome}{reason}. {tried}; created {}",
                about.unwrap_or_default(),
                frame.moment(&message.created_at)
            ),
            attempts: delivered.attempts.iter().map(|one| attempt_words(one, frame)).collect(),
        }
    }
}

fn attempt_words(attempt: &WebhookAttempt, frame: &Frame) -> String {
    let answer = match (&attempt.error, attempt.status) {
        (None, Some(status)) => format!("it answered {status}"),
        (None, None) => "it answered".to_owned(),
        (Some(error), _) => error.clone(),
    };
    let body = attempt.response.trim();
    let body = if body.is_empty() { String::new() } else { format!(", “{body}”") };
    format!("{}: {answer} after {} ms{body}", frame.moment(&attempt.at), attempt.duration_ms)
}

#[derive(Template)]
#[template(path = "settings/notifications/webhook.html")]
struct WebhookPage {
    shell: StaffShell,
    frame: Frame,
    webhook: Webhook,
    state: (&'static str, String),
    form: WebhookForm,
    members: Vec<Member>,
    rows: Vec<Row>,
    error: Option<FormError>,
}

impl WebhookPage {
    async fn new(
        web: &Web,
        session: &StaffSession,
        id: WebhookId,
        done: &DoneParams,
    ) -> Result<Self, PageError> {
        let frame = Frame::new(session, Tab::Notifications).after(done);
        let organization = session.organization_id();
        let webhook = web.mainstay.webhook(organization, id).await.map_err(gone)?;
        let messages = web.mainstay.webhook_messages(organization, id, None, MESSAGES).await?;
        let members = web.mainstay.members_in(session.scope).await?;
        Ok(Self {
            shell: frame.shell.clone(),
            state: state_of(&webhook, &frame),
            rows: messages.iter().map(|one| Row::new(one, &frame)).collect(),
            frame,
            form: WebhookForm::of(&webhook),
            webhook,
            members,
            error: None,
        })
    }
}

/// A webhook that is not there, with the way back to those that are.
fn gone(error: Error) -> PageError {
    match error {
        Error::NotFound { .. } => {
            PageError::not_found("The webhook or message does not exist or was deleted.")
                .back("Back to notifications", PATH)
        }
        other => PageError::from(other).back("Back to notifications", PATH),
    }
}

async fn show_webhook(
    AdminSession(session): AdminSession,
    Path(id): Path<WebhookId>,
    State(web): State<Web>,
    Query(done): DoneQuery,
) -> PageResult {
    show(&WebhookPage::new(&web, &session, id, &done).await?)
}

async fn save(
    AdminSession(session): AdminSession,
    Path(id): Path<WebhookId>,
    State(web): State<Web>,
    Form(fields): Form<Vec<(String, String)>>,
) -> PageResult {
    let form = WebhookForm::from_fields(&fields);
    let saved = match form.patch() {
        Ok(patch) => web.mainstay.update_webhook(session.scope, id, &patch, None).await,
        Err(error) => Err(error),
    };
    match saved {
        Ok(_) => Ok(back(&path_of(id), "saved").into_response()),
        Err(Error::NotFound { what, id, remedy }) => {
            Err(gone(Error::NotFound { what, id, remedy }))
        }
        Err(error) => {
            let error = Some(FormError::of(error)?);
            let page = WebhookPage::new(&web, &session, id, &DoneParams::default()).await?;
            show_with(StatusCode::UNPROCESSABLE_ENTITY, &WebhookPage { form, error, ..page })
        }
    }
}

async fn switch(web: &Web, session: &StaffSession, id: WebhookId, on: bool) -> PageResult {
    let nothing = WebhookPatch::default();
    web.mainstay.update_webhook(session.scope, id, &nothing, Some(on)).await.map_err(gone)?;
    Ok(back(&path_of(id), if on { "webhook-on" } else { "webhook-off" }).into_response())
}

async fn switch_on(
    AdminSession(session): AdminSession,
    Path(id): Path<WebhookId>,
    State(web): State<Web>,
) -> PageResult {
    switch(&web, &session, id, true).await
}

async fn switch_off(
    AdminSession(session): AdminSession,
    Path(id): Path<WebhookId>,
    State(web): State<Web>,
) -> PageResult {
    switch(&web, &session, id, false).await
}

async fn test(
    AdminSession(session): AdminSession,
    Path(id): Path<WebhookId>,
    State(web): State<Web>,
) -> PageResult {
    web.mainstay.test_webhook(session.scope, id).await.map_err(gone)?;
    Ok(back(&path_of(id), "test-sent").into_response())
}

async fn resend(
    AdminSession(session): AdminSession,
    Path(id): Path<WebhookId>,
    ItemPath(message): ItemPath<WebhookMessageId>,
    State(web): State<Web>,
) -> PageResult {
    web.mainstay.resend_webhook_message(session.scope, id, message).await.map_err(gone)?;
    Ok(back(&path_of(id), "resent").into_response())
}

#[derive(Template)]
#[template(path = "settings/notifications/secret.html")]
struct SecretPage {
    shell: StaffShell,
    frame: Frame,
    webhook: Webhook,
    /// Whether it takes the place of another one.
    replaced: bool,
}

/// Shows the secret that was just made, once.
async fn show_secret(
    AdminSession(session): AdminSession,
    Path(id): Path<WebhookId>,
    State(web): State<Web>,
    headers: HeaderMap,
) -> PageResult {
    let webhook = web.mainstay.webhook(session.organization_id(), id).await.map_err(gone)?;
    if read_once(&web, &headers).as_ref() != Some(&webhook.secret) {
        return Ok(Redirect::to(&path_of(id)).into_response());
    }
    let replaced = webhook.previous_secret.is_some();
    let frame = Frame::new(&session, Tab::Notifications);
    let page = show(&SecretPage { shell: frame.shell.clone(), frame, webhook, replaced })?;
    Ok(clear_once(&web, &headers, page))
}

async fn replace_secret(
    AdminSession(session): AdminSession,
    Path(id): Path<WebhookId>,
    State(web): State<Web>,
    headers: HeaderMap,
) -> PageResult {
    let webhook =
        web.mainstay.rotate_webhook_secret(session.scope, id, None).await.map_err(gone)?;
    Ok(show_once(&web, &headers, &webhook.secret, &secret_path_of(id)))
}

#[derive(Template)]
#[template(path = "settings/notifications/delete.html")]
struct DeletePage {
    shell: StaffShell,
    frame: Frame,
    webhook: Webhook,
}

async fn ask_to_delete(
    AdminSession(session): AdminSession,
    Path(id): Path<WebhookId>,
    State(web): State<Web>,
) -> PageResult {
    let webhook = web.mainstay.webhook(session.organization_id(), id).await.map_err(gone)?;
    let frame = Frame::new(&session, Tab::Notifications);
    show(&DeletePage { shell: frame.shell.clone(), frame, webhook })
}

async fn delete(
    AdminSession(session): AdminSession,
    Path(id): Path<WebhookId>,
    State(web): State<Web>,
) -> PageResult {
    web.mainstay.delete_webhook(session.scope, id).await.map_err(gone)?;
    Ok(back(PATH, "webhook-deleted").into_response())
}
