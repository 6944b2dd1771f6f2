//! `/api/v1/emails` and `/api/v1/email`: the mails to clients, and what the organization decides about
//! them.

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
        caller::{Administrator, Worker},
        input::{Id, Params, client_named, id, limit, one_of},
        names,
        problem::Problem,
    },
    paging::Page,
};

const DEFAULT_EMAILS: i64 = 50;
const MOST_EMAILS: i64 = 500;
const MOST_SUPPRESSIONS: i64 = 1_000;

/// A mail to a client.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Email)]
struct EmailBody {
    /// Its id.
    id: Uuid,
    /// Whose it is.
    #[schema(example = "ada")]
    client_id: String,
    /// Its kind.
    #[serde(rename = "type")]
    #[schema(value_type = names::EmailType)]
    kind: EmailType,
    /// Last local day of the period that it speaks of.
    #[schema(value_type = String, format = Date, example = "2026-05-16")]
    period: Date,
    /// Its subject.
    subject: String,
    /// Where to.
    address: String,
    /// What became of it.
    #[schema(value_type = names::EmailState)]
    state: EmailState,
    /// Why it is not sent, or not yet.
    reason: Option<String>,
    /// How often a mail server was asked to take it.
    attempts: i64,
    /// When it is tried next, while it is queued.
    due_at: Option<Timestamp>,
    /// When it was written.
    created_at: Timestamp,
    /// When a mail server took it.
    sent_at: Option<Timestamp>,
    /// When a person first opened it, as far as can be told.
    opened_at: Option<Timestamp>,
    /// When a person first followed its link, as far as can be told.
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

/// A mail with what it says.
#[derive(Debug, Serialize, ToSchema)]
struct WholeEmail {
    /// The mail.
    #[serde(flatten)]
    email: EmailBody,
    /// As text. Its links lead nowhere.
    text: String,
    /// As HTML. Its links lead nowhere.
    html: String,
    /// Opens and clicks, oldest first.
    events: Vec<EmailEventBody>,
}

/// An open or a click. It never enters a score.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmailEvent)]
struct EmailEventBody {
    /// `open` or `click`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// When.
    at: Timestamp,
    /// Whether a program rather than a person seems to have done it.
    suspected_prefetch: bool,
}

/// A page of mails.
#[derive(Debug, Serialize, ToSchema)]
struct EmailPage {
    /// Newest first.
    emails: Vec<EmailBody>,
    /// Where the next page begins; absent on the last one.
    next: Option<Uuid>,
}

/// Which mails to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WhichEmails {
    /// Only in this state.
    #[param(value_type = Option<names::EmailState>)]
    state: Option<String>,
    /// Only of this kind.
    #[serde(rename = "type")]
    #[param(value_type = Option<names::EmailType>)]
    kind: Option<String>,
    /// Only to this client.
    #[param(example = "ada")]
    client_id: Option<String>,
    /// Go on before the mail with this id: the `next` of the page before.
    #[param(value_type = Option<uuid::Uuid>)]
    before: Option<String>,
    /// How many at most.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<String>,
}

/// What the organization decides about its mails.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EmailSettings)]
#[serde(deny_unknown_fields)]
struct SettingsBody {
    /// The kinds that are not written.
    #[serde(default)]
    #[schema(value_type = Vec<names::EmailType>)]
    off: Vec<EmailType>,
    /// The name that mails come from; the organization's when absent.
    #[schema(max_length = 100)]
    from_name: Option<String>,
    /// Where the button leads; the client's page here when absent.
    #[schema(example = "https://app.example.com/success")]
    dashboard_url: Option<String>,
    /// The postal address below each mail.
    #[schema(max_length = 200)]
    postal_address: Option<String>,
    /// Mails to a client within 7 days at most, 1–8; the weekly one counts, but is always sent.
    #[serde(default = "most_per_week")]
    #[schema(minimum = 1, maximum = 8, default = 3)]
    most_per_week: i64,
    /// The hours in which no mail is sent.
    quiet: Option<QuietBody>,
}

/// Hours of the organization's wall clock.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = QuietHours)]
#[serde(deny_unknown_fields)]
pub(super) struct QuietBody {
    /// The first, 0–23.
    #[schema(minimum = 0, maximum = 23, example = 22)]
    from: i8,
    /// The one after the last, 0–23.
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

/// Addresses that nothing is sent to.
#[derive(Debug, Serialize, ToSchema)]
struct Suppressions {
    /// The latest first.
    suppressions: Vec<SuppressionBody>,
}

/// An address that a mail server refused for good.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Suppression)]
struct SuppressionBody {
    /// Which one.
    address: String,
    /// What the mail server said.
    reason: String,
    /// When.
    at: Timestamp,
}

/// Which address to send to again.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WhichAddress {
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

/// Lists the mails.
///
/// To all clients, newest first, page by page.
#[utoipa::path(
    get, path = "/api/v1/emails", tag = "E-mails",
    security(("secret_key" = []), ("member_token" = [])),
    params(WhichEmails),
    responses(
        (status = 200, description = "A page of mails.", body = EmailPage),
        (status = 404, description = "There is no such client."),
    ),
)]
async fn list_emails(
    worker: Worker,
    State(api): State<Api>,
    Params(which): Params<WhichEmails>,
) -> Result<Json<EmailPage>, Problem> {
    let limit = limit(which.limit.as_deref(), DEFAULT_EMAILS, MOST_EMAILS)?;
    let client = client_named(&api, worker.scope, which.client_id.as_deref()).await?;
    let filter = EmailFilter {
        client,
        state: which.state.as_deref().map(|text| one_of("state", text)).transpose()?,
        kind: which.kind.as_deref().map(|text| one_of("type", text)).transpose()?,
        after: which.before.as_deref().map(|text| id("before", text)).transpose()?,
    };
    let page =
        Page::read(limit, async |limit| api.mainstay.emails(worker.scope, &filter, limit).await)
            .await?;
    Ok(Json(EmailPage {
        next: page.next(|email| email.id.uuid()),
        emails: page.items.into_iter().map(Into::into).collect(),
    }))
}

/// Reads a mail.
///
/// With what it says, and what was done with it.
#[utoipa::path(
    get, path = "/api/v1/emails/{email_id}", tag = "E-mails",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The mail.", body = WholeEmail)),
)]
async fn read_email(
    worker: Worker,
    Id(id): Id<EmailId>,
    State(api): State<Api>,
) -> Result<Json<WholeEmail>, Problem> {
    let details = api.mainstay.email(worker.scope, id).await?;
    let rendered = api.mainstay.preview_email(worker.scope, id).await?;
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

/// Reads the settings of mails.
///
/// Which kinds are written, from whom, how many and when.
#[utoipa::path(
    get, path = "/api/v1/email/settings", tag = "E-mails",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The settings.", body = SettingsBody)),
)]
async fn read_settings(
    worker: Worker,
    State(api): State<Api>,
) -> Result<Json<SettingsBody>, Problem> {
    Ok(Json(api.mainstay.email_settings(worker.scope).await?.into()))
}

/// Changes the settings of mails.
///
/// All of them at once; what is left out is as built in. Needs the role owner or admin, or a secret
/// key.
#[utoipa::path(
    put, path = "/api/v1/email/settings", tag = "E-mails",
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

/// Lists addresses that nothing is sent to.
///
/// A mail server refused each of them for good. The latest 1 000.
#[utoipa::path(
    get, path = "/api/v1/email/suppressions", tag = "E-mails",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The addresses.", body = Suppressions)),
)]
async fn list_suppressions(
    worker: Worker,
    State(api): State<Api>,
) -> Result<Json<Suppressions>, Problem> {
    let found = api.mainstay.suppressions(worker.scope, MOST_SUPPRESSIONS).await?;
    let suppressions = found
        .into_iter()
        .map(|one| SuppressionBody { address: one.address, reason: one.reason, at: one.at })
        .collect();
    Ok(Json(Suppressions { suppressions }))
}

/// Sends to an address again.
///
/// Once its owner has mended it. Needs the role owner or admin, or a secret key.
#[utoipa::path(
    delete, path = "/api/v1/email/suppressions", tag = "E-mails",
    security(("secret_key" = []), ("member_token" = [])),
    params(WhichAddress),
    responses(
        (status = 204, description = "Mails are sent to it again."),
        (status = 404, description = "Nothing kept them from being sent to it."),
    ),
)]
async fn forget_suppression(
    administrator: Administrator,
    State(api): State<Api>,
    Params(which): Params<WhichAddress>,
) -> Result<StatusCode, Problem> {
    let address = which.address.ok_or_else(|| {
        Problem::invalid("address", "is missing in the query; name the one to send to again")
    })?;
    api.mainstay.unsuppress_address(administrator.scope, &address).await?;
    Ok(StatusCode::NO_CONTENT)
}
