use axum::{Json, extract::State, http::StatusCode};
use mainstay_core::{email::QuietHours, id::MemberId, notification::NotificationSettings};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{
    Api,
    body::Body,
    caller::{Administrator, StaffCaller},
    input::Id,
    problem::Problem,
    v1::emails::QuietBody,
};

/// The organization's notification settings.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = NotificationSettings)]
#[serde(deny_unknown_fields)]
struct SettingsBody {
    /// The hours in which nothing is delivered. Alerts still open, worsen and end.
    quiet: Option<QuietBody>,
    /// Whether critical notifications are delivered in these hours, too.
    #[serde(default)]
    critical_at_any_hour: bool,
    /// The hour of the day at which the daily digest is sent, 0–23.
    #[serde(default = "digest_hour")]
    #[schema(minimum = 0, maximum = 23, default = 7)]
    digest_hour: i8,
}

fn digest_hour() -> i8 {
    NotificationSettings::default().digest_hour
}

impl From<NotificationSettings> for SettingsBody {
    fn from(settings: NotificationSettings) -> Self {
        Self {
            quiet: settings.quiet.map(Into::into),
            critical_at_any_hour: settings.critical_at_any_hour,
            digest_hour: settings.digest_hour,
        }
    }
}

impl From<SettingsBody> for NotificationSettings {
    fn from(body: SettingsBody) -> Self {
        Self {
            quiet: body.quiet.map(QuietHours::from),
            critical_at_any_hour: body.critical_at_any_hour,
            digest_hour: body.digest_hour,
        }
    }
}

/// Whether a member receives the daily digest.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DailyDigest {
    /// Whether the daily digest is sent.
    wanted: bool,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(read_notification_settings, change_notification_settings))
        .routes(routes!(set_daily_digest))
}

/// Reads the notification settings.
///
/// Quiet hours, and the time of the daily digest.
#[utoipa::path(
    get, path = "/api/v1/notifications/settings", tag = "Webhooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The settings.", body = SettingsBody)),
)]
async fn read_notification_settings(
    caller: StaffCaller,
    State(api): State<Api>,
) -> Result<Json<SettingsBody>, Problem> {
    Ok(Json(api.mainstay.notification_settings(caller.organization).await?.into()))
}

/// Changes the notification settings.
///
/// Replaces all settings; omitted ones get their defaults. Needs the role owner or admin, or a secret
/// key.
#[utoipa::path(
    put, path = "/api/v1/notifications/settings", tag = "Webhooks",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = SettingsBody,
    responses((status = 200, description = "The settings as they are now.", body = SettingsBody)),
)]
async fn change_notification_settings(
    administrator: Administrator,
    State(api): State<Api>,
    Body(body): Body<SettingsBody>,
) -> Result<Json<SettingsBody>, Problem> {
    let settings = NotificationSettings::from(body);
    api.mainstay.set_notification_settings(administrator.scope, &settings).await?;
    Ok(Json(settings.into()))
}

/// Turns a member's daily digest on or off.
///
/// A daily email about changes of alerts, to members who want it, if there are any.
/// Needs the role owner or admin, or a secret key.
#[utoipa::path(
    put, path = "/api/v1/members/{member_id}/daily-digest", tag = "Webhooks",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = DailyDigest,
    responses((status = 204, description = "Saved.")),
)]
async fn set_daily_digest(
    administrator: Administrator,
    Id(member): Id<MemberId>,
    State(api): State<Api>,
    Body(body): Body<DailyDigest>,
) -> Result<StatusCode, Problem> {
    api.mainstay.set_daily_digest(administrator.organization, member, body.wanted).await?;
    Ok(StatusCode::NO_CONTENT)
}
