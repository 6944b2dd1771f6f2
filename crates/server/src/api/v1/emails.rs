//! `/api/v1/emails` and `/api/v1/email`: emails to clients, and their settings.

use axum::{Json, extract::State, http::StatusCode};
use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    email::{EmailSettings, EmailState, EmailType, QuietHours},
    id::EmailId,
};
use mainstay_store::{ClientEmail, EmailFilter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    api::{
        Api,
        body::Body,
        caller::{Administrator, StaffCaller},
        input::{Id, Params, find_resolved_client, id, limit, one_of},
        names,
        problem::Problem,
    },
    paging::Page,
};

const DEFAULT_EMAILS: i64 = 50;
const MAX_EMAILS: i64 = 500;
const MAX_SUPPRESSIONS: i64 = 1_000;

/// An email to a client.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Email)]
struct EmailBody {
    /// Its id.
    id: Uuid,
    /// The client.
    #[schema(example = "ada")]
    client_id: String,
    /// The type.
    #[serde(rename = "type")]
    #[schema(value_type = names::EmailType)]
    kind: EmailType,
    /// The last local day of its period.
    #[schema(value_type = String, format = Date, example = "2026-05-16")]
    period: Date,
    /// Its subject.
    subject: String,
    /// The email address.
    address: String,
    /// The current state.
    #[schema(value_type = names::EmailState)]
    state: EmailState,
    /// Why it is not sent, or not yet sent.
    reason: Option<String>,
    /// The number of delivery attempts.
    attempts: i64,
    /// The time of the next attempt, while it is queued.
    due_at: Option<Timestamp>,
    /// When it was created.
    created_at: Timestamp,
    /// When a mail server accepted it.
    sent_at: Option<Timestamp>,
    /// When a person first opened it, if detectable.
    opened_at: Option<Timestamp>,
    /// When a person first clicked its link, if detectable.
    clicked_at: Option<Timestamp>,
}

impl From<ClientEmail> for EmailBody {
    fn from(email: ClientEmail) -> Self {
        Self {
            id: email.id.uuid(),
            due_at: (email.state == EmailState::Queued).then_some(email.due_at),
            client_id: email.client_id,
            kind: email.kind,
            period: email.period,
            subject: email.subject,
            address: email.address,
            state: email.state,
            reason: email.reason,
            attempts: email.attempts,
            created_at: email.created_at,
            sent_at: email.sent_at,
            opened_at: email.opened_at,
            clicked_at: email.clicked_at,
        }
    }
}

/// An email with its content.
#[derive(Debug, Serialize, ToSchema)]
struct WholeEmail {
    /// The email.
    #[serde(flatten)]
    email: EmailBody,
    /// The text. Links are disabled.
    text: String,
    /// The HTML. Links are disabled.
    html: String,
    /// Opens and clicks, oldest first.
    events: Vec<EmailEventBody>,
}

/// An open or a click. It never affects a score.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmailEvent)]
struct EmailEventBody {
    /// `open` or `click`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// When.
    at: Timestamp,
    /// Whether it was probably caused by a program, not a person.
    suspected_prefetch: bool,
}

/// A page of emails.
#[derive(Debug, Serialize, ToSchema)]
struct EmailPage {
    /// Newest first.
    emails: Vec<EmailBody>,
    /// The cursor of the next page; absent on the last page.
    next: Option<Uuid>,
}

/// Which emails to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EmailQuery {
    /// Only emails in this state.
    #[param(value_type = Option<names::EmailState>)]
    state: Option<String>,
    /// Only emails of this type.
    #[serde(rename = "type")]
    #[param(value_type = Option<names::EmailType>)]
    kind: Option<String>,
    /// Only emails to this client.
    #[param(example = "ada")]
    client_id: Option<String>,
    /// Continue before the email with this id: the `next` of the previous page.
    #[param(value_type = Option<uuid::Uuid>)]
    before: Option<String>,
    /// The page size.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<String>,
}

/// The organization's email settings.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EmailSettings)]
#[serde(deny_unknown_fields)]
struct SettingsBody {
    /// The disabled types.
    #[serde(default)]
    #[schema(value_type = Vec<names::EmailType>)]
    off: Vec<EmailType>,
    /// The sender name; the organization's name if absent.
    #[schema(max_length = 100)]
    from_name: Option<String>,
    /// The target of the button; the client's page in Mainstay if absent.
    #[schema(example = "https://app.example.com/success")]
    dashboard_url: Option<String>,
    /// The postal address at the end of each email.
    #[schema(max_length = 200)]
    postal_address: Option<String>,
    /// The maximum number of emails to a client within 7 days, 1–8; the weekly email counts, but is
    /// always sent.
    #[serde(default = "most_per_week")]
    #[schema(minimum = 1, maximum = 8, default = 3)]
    most_per_week: i64,
    /// The hours in which no email is sent.
    quiet: Option<QuietBody>,
}

/// A range of hours in the organization's time zone.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = QuietHours)]
#[serde(deny_unknown_fields)]
pub(super) struct QuietBody {
    /// The first hour, 0–23.
    #[schema(minimum = 0, maximum = 23, example = 22)]
    from: i8,
    /// The hour after the last, 0–23.
    #[schema(minimum = 0, maximum = 23, example = 7)]
    until: i8,
}

impl From<QuietHours> for QuietBody {
    fn from(quiet: QuietHours) -> Self {
        Self { from: quiet.from, until: quiet.until }
    }
}

impl From<QuietBody> for QuietHours {
    fn from(body: QuietBody) -> Self {
        Self { from: body.from, until: body.until }
    }
}

fn most_per_week() -> i64 {
    EmailSettings::default().most_per_week
}

impl From<EmailSettings> for SettingsBody {
    fn from(settings: EmailSettings) -> Self {
        Self {
            off: settings.off,
            from_name: settings.from_name,
            dashboard_url: settings.dashboard_url,
            postal_address: settings.postal_address,
            most_per_week: settings.most_per_week,
            quiet: settings.quiet.map(Into::into),
        }
    }
}

impl From<SettingsBody> for EmailSettings {
    fn from(body: SettingsBody) -> Self {
        Self {
            off: body.off,
            from_name: body.from_name,
            dashboard_url: body.dashboard_url,
            postal_address: body.postal_address,
            most_per_week: body.most_per_week,
            quiet: body.quiet.map(Into::into),
        }
    }
}

/// Suppressed addresses.
#[derive(Debug, Serialize, ToSchema)]
struct Suppressions {
    /// Newest first.
    suppressions: Vec<SuppressionBody>,
}

/// An address that a mail server permanently rejected.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Suppression)]
struct SuppressionBody {
    /// Which one.
    address: String,
    /// The mail server's reply.
    reason: String,
    /// When.
    at: Timestamp,
}

/// The address to allow again.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AddressQuery {
    /// The address.
    #[param(required = true, value_type = String, example = "ada@example.com")]
    address: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_emails))
        .routes(routes!(read_email))
        .routes(routes!(read_settings, change_settings))
        .routes(routes!(list_suppressions, forget_suppression))
}

/// Lists the emails.
///
/// To all clients, newest first, paginated.
#[utoipa::path(
    get, path = "/api/v1/emails", tag = "Emails",
    security(("secret_key" = []), ("member_token" = [])),
    params(EmailQuery),
    responses(
        (status = 200, description = "A page of emails.", body = EmailPage),
        (status = 404, description = "The client does not exist."),
    ),
)]
async fn list_emails(
    caller: StaffCaller,
    State(api): State<Api>,
    Params(query): Params<EmailQuery>,
) -> Result<Json<EmailPage>, Problem> {
    let limit = limit(query.limit.as_deref(), DEFAULT_EMAILS, MAX_EMAILS)?;
    let client = find_resolved_client(&api, caller.scope, query.client_id.as_deref()).await?;
    let filter = EmailFilter {
        client,
        state: query.state.as_deref().map(|text| one_of("state", text)).transpose()?,
        kind: query.kind.as_deref().map(|text| one_of("type", text)).transpose()?,
        after: query.before.as_deref().map(|text| id("before", text)).transpose()?,
    };
    let page =
        Page::read(limit, async |limit| api.mainstay.emails(caller.scope, &filter, limit).await)
            .await?;
    Ok(Json(EmailPage {
        next: page.next(|email| email.id.uuid()),
        emails: page.items.into_iter().map(Into::into).collect(),
    }))
}

/// Reads an email.
///
/// With its content and events.
#[utoipa::path(
    get, path = "/api/v1/emails/{email_id}", tag = "Emails",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The mail.", body = WholeEmail)),
)]
async fn read_email(
    caller: StaffCaller,
    Id(id): Id<EmailId>,
    State(api): State<Api>,
) -> Result<Json<WholeEmail>, Problem> {
    let details = api.mainstay.email(caller.scope, id).await?;
    let rendered = api.mainstay.preview_email(caller.scope, id).await?;
    let events = details.events.iter().map(|event| EmailEventBody {
        kind: if event.link.is_some() { "click" } else { "open" },
        at: event.at,
        suspected_prefetch: event.suspected,
    });
    Ok(Json(WholeEmail {
        events: events.collect(),
        email: details.whole.email.into(),
        text: rendered.text,
        html: rendered.html,
    }))
}

/// Reads the email settings.
///
/// Which types are sent, by which sender, how many and when.
#[utoipa::path(
    get, path = "/api/v1/email/settings", tag = "Emails",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The settings.", body = SettingsBody)),
)]
async fn read_settings(
    caller: StaffCaller,
    State(api): State<Api>,
) -> Result<Json<SettingsBody>, Problem> {
    Ok(Json(api.mainstay.email_settings(caller.scope).await?.into()))
}

/// Changes the email settings.
///
/// Replaces all settings; omitted ones get their defaults. Needs the role owner or admin, or a secret
/// key.
#[utoipa::path(
    put, path = "/api/v1/email/settings", tag = "Emails",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = SettingsBody,
    responses((status = 200, description = "The settings as they are now.", body = SettingsBody)),
)]
async fn change_settings(
    administrator: Administrator,
    State(api): State<Api>,
    Body(body): Body<SettingsBody>,
) -> Result<Json<SettingsBody>, Problem> {
    let settings = EmailSettings::from(body);
    api.mainstay.set_email_settings(administrator.scope, &settings).await?;
    Ok(Json(settings.into()))
}

/// Lists suppressed addresses.
///
/// A mail server permanently rejected each of them. The latest 1 000.
#[utoipa::path(
    get, path = "/api/v1/email/suppressions", tag = "Emails",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The addresses.", body = Suppressions)),
)]
async fn list_suppressions(
    caller: StaffCaller,
    State(api): State<Api>,
) -> Result<Json<Suppressions>, Problem> {
    let found = api.mainstay.suppressions(caller.scope, MAX_SUPPRESSIONS).await?;
    let suppressions = found
        .into_iter()
        .map(|one| SuppressionBody { address: one.address, reason: one.reason, at: one.at })
        .collect();
    Ok(Json(Suppressions { suppressions }))
}

/// Removes an address from the suppression list.
///
/// Once its owner has fixed it. Needs the role owner or admin, or a secret key.
#[utoipa::path(
    delete, path = "/api/v1/email/suppressions", tag = "Emails",
    security(("secret_key" = []), ("member_token" = [])),
    params(AddressQuery),
    responses(
        (status = 204, description = "Emails are sent to the address again."),
        (status = 404, description = "The address was not suppressed."),
    ),
)]
async fn forget_suppression(
    administrator: Administrator,
    State(api): State<Api>,
    Params(query): Params<AddressQuery>,
) -> Result<StatusCode, Problem> {
    let address = query.address.ok_or_else(|| {
        Problem::invalid("address", "is missing in the query; name the address to allow again")
    })?;
    api.mainstay.unsuppress_address(administrator.scope, &address).await?;
    Ok(StatusCode::NO_CONTENT)
}
