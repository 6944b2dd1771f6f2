//! `/settings/notifications`: who is told of alerts outside these pages, and when.

mod form;
mod webhook;

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse as _,
};
use mainstay_core::{
    email::QuietHours,
    id::{MemberId, WebhookId},
    notification::{EndpointKind, MessageState, NotificationSettings},
};
use mainstay_store::{Member, Webhook};
use serde::Deserialize;
use url::Url;

use super::{DoneParams, DoneQuery, Frame, Tab, back};
use crate::{
    Error,
    notification::{CreateWebhook, DeliveredMessage},
    web::{
        AccountSession, AdminSession, Form, FormError, PageError, PageResult, Pages, Query,
        StaffSession, StaffShell, Web, session::once::show_once, show, show_with,
    },
};

const PATH: &str = "/settings/notifications";

pub(super) fn pages() -> Pages {
    Pages::new()
        .get(PATH, list)
        .post("/settings/notifications/quiet-hours", save_settings)
        .post("/settings/notifications/digest", set_digest)
        .post("/settings/notifications/webhooks", create)
        .and(webhook::pages())
}

/// A webhook as the list shows it.
struct Listed {
    id: WebhookId,
    name: String,
    kind: EndpointKind,
    host: String,
    icon: &'static str,
    state: String,
    last: String,
}

impl Listed {
    fn new(webhook: &Webhook, last: Option<&DeliveredMessage>, frame: &Frame) -> Self {
        let last = last.map_or_else(
            || "Nothing sent yet".to_owned(),
            |last| {
                let at = last.message.ended_at.unwrap_or(last.message.created_at);
                let what = last.message.notice.event.kind().words();
                format!("{what}: {}, {}", last.message.state, frame.moment(&at))
            },
        );
        let (icon, state) = state_of(webhook, frame);
        Self {
            id: webhook.id,
            name: webhook.name.clone(),
            kind: webhook.kind,
            host: host_of(&webhook.url),
            icon,
            state,
            last,
        }
    }
}

/// Whether anything is sent to a webhook: an icon and words.
fn state_of(webhook: &Webhook, frame: &Frame) -> (&'static str, String) {
    match (&webhook.disabled, webhook.failing_since) {
        (Some((reason, at)), _) => ("x", format!("Off since {}: {reason}", frame.moment(at))),
        (None, Some(since)) => {
            ("warning", format!("Failing since {}; will retry", frame.moment(&since)))
        }
        (None, None) => ("check", "On".to_owned()),
    }
}

/// Where a webhook is, without what is often a secret.
fn host_of(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// A member and whether it wants the digest.
struct DigestReader {
    member: Member,
    own: bool,
    wanted: bool,
}

#[derive(Template)]
#[template(path = "settings/notifications/list.html")]
struct NotificationsPage {
    shell: StaffShell,
    frame: Frame,
    webhooks: Vec<Listed>,
    readers: Vec<DigestReader>,
    form: ScheduleForm,
    new: NewWebhook,
    /// Whether mails can be sent at all is the operator's business; a sample sends none.
    sample: bool,
    error: Option<FormError>,
}

/// The form of when notices come, as it is filled in. A box that is not ticked is not sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ScheduleForm {
    quiet_from: String,
    quiet_until: String,
    critical_at_any_hour: String,
    digest_hour: String,
}

/// The form of a new webhook, as it is filled in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct NewWebhook {
    kind: String,
    name: String,
    url: String,
}

impl ScheduleForm {
    fn of(settings: &NotificationSettings) -> Self {
        let hour = |hour: Option<i8>| hour.map(|hour| hour.to_string()).unwrap_or_default();
        let on = |on: bool| if on { "on".to_owned() } else { String::new() };
        Self {
            quiet_from: hour(settings.quiet.map(|quiet| quiet.from)),
            quiet_until: hour(settings.quiet.map(|quiet| quiet.until)),
            critical_at_any_hour: on(settings.critical_at_any_hour),
            digest_hour: settings.digest_hour.to_string(),
        }
    }

    fn settings(&self) -> Result<NotificationSettings, Error> {
        let number = |field: &'static str, text: &str| {
            text.trim()
                .parse::<i8>()
                .map_err(|_| Error::invalid(field, "is not a whole number; use one from 0 to 23"))
        };
        let quiet = match (self.quiet_from.trim(), self.quiet_until.trim()) {
            ("", "") => None,
            (from, until) => {
                Some(QuietHours { from: number("quiet", from)?, until: number("quiet", until)? })
            }
        };
        Ok(NotificationSettings {
            quiet,
            critical_at_any_hour: !self.critical_at_any_hour.is_empty(),
            digest_hour: number("digest_hour", &self.digest_hour)?,
        })
    }

    /// When notices are held, in words.
    fn quiet(&self) -> String {
        if self.quiet_from.is_empty() {
            return "None".to_owned();
        }
        format!("{} to {} o’clock", self.quiet_from, self.quiet_until)
    }
}

impl NotificationsPage {
    async fn new(web: &Web, session: &StaffSession, done: &DoneParams) -> Result<Self, PageError> {
        let frame = Frame::new(session, Tab::Notifications).after(done);
        let organization = session.organization_id();
        let mut webhooks = Vec::new();
        for webhook in web.mainstay.webhooks(organization).await? {
            let last = web.mainstay.webhook_messages(organization, webhook.id, None, 1).await?;
            webhooks.push(Listed::new(&webhook, last.first(), &frame));
        }
        let wanting = web.mainstay.digest_members(organization).await?;
        let mut readers: Vec<DigestReader> = web
            .mainstay
            .members_in(session.scope)
            .await?
            .into_iter()
            .map(|member| DigestReader {
                own: member.id == session.member_id(),
                wanted: wanting.contains(&member.id),
                member,
            })
            .collect();
        // Everybody decides for themselves, and an owner or admin for others.
        readers.retain(|reader| reader.own || session.is_admin());
        readers.sort_by_key(|reader| !reader.own);
        let settings = web.mainstay.notification_settings(organization).await?;
        Ok(Self {
            shell: frame.shell.clone(),
            frame,
            webhooks,
            readers,
            form: ScheduleForm::of(&settings),
            new: NewWebhook::default(),
            sample: session.organization.sample,
            error: None,
        })
    }
}

async fn list(session: StaffSession, State(web): State<Web>, Query(done): DoneQuery) -> PageResult {
    show(&NotificationsPage::new(&web, &session, &done).await?)
}

async fn save_settings(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Form(form): Form<ScheduleForm>,
) -> PageResult {
    let saved = match form.settings() {
        Ok(settings) => web.mainstay.set_notification_settings(session.scope, &settings).await,
        Err(error) => Err(error),
    };
    match saved {
        Ok(()) => Ok(back(PATH, "saved").into_response()),
        Err(error) => {
            let error = Some(FormError::of(error)?);
            let page = NotificationsPage::new(&web, &session, &DoneParams::default()).await?;
            let page = NotificationsPage { form, error, ..page };
            show_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

#[derive(Deserialize)]
struct DigestForm {
    member: String,
    /// `on`, or anything else for off.
    wanted: String,
}

async fn set_digest(
    AccountSession(session): AccountSession,
    State(web): State<Web>,
    Form(form): Form<DigestForm>,
) -> PageResult {
    let unknown = || {
        PageError::not_found("The member does not exist or was removed.")
            .back("Back to notifications", PATH)
    };
    let member: MemberId = form.member.parse().map_err(|_| unknown())?;
    if member != session.member_id() && !session.is_admin() {
        return Err(PageError::forbidden(format!(
            "Your role is {}. You can change your own digest; an owner or admin can change others’.",
            session.member.role
        )));
    }
    let wanted = form.wanted == "on";
    match web.mainstay.set_daily_digest(session.organization_id(), member, wanted).await {
        Err(Error::NotFound { .. }) => Err(unknown()),
        done => {
            done?;
            Ok(back(PATH, if wanted { "digest-on" } else { "digest-off" }).into_response())
        }
    }
}

async fn create(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    headers: HeaderMap,
    Form(new): Form<NewWebhook>,
) -> PageResult {
    let kind = new.kind.parse().unwrap_or(EndpointKind::Webhook);
    let create = CreateWebhook {
        kind,
        name: new.name.clone(),
        url: new.url.clone(),
        secret: None,
        route: mainstay_core::notification::Route::default(),
        ignores_quiet_hours: false,
    };
    match web.mainstay.create_webhook(session.scope, create).await {
        Ok(created) if kind == EndpointKind::Webhook => {
            let path = webhook::secret_path_of(created.id);
            Ok(show_once(&web, &headers, &created.secret, &path))
        }
        // Slack looks at no signature.
        Ok(created) => Ok(back(&webhook::path_of(created.id), "added").into_response()),
        Err(error) => {
            let error = Some(FormError::of(error)?);
            let page = NotificationsPage::new(&web, &session, &DoneParams::default()).await?;
            let page = NotificationsPage { new, error, ..page };
            show_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

/// What became of a message, as an icon.
const fn icon_of(state: MessageState) -> &'static str {
    match state {
        MessageState::Queued => "clock",
        MessageState::Delivered => "check",
        MessageState::Failed => "x",
    }
}
