use jiff::Timestamp;
use mainstay_core::{
    health::{AlertStatus, AlertType, Severity},
    id::MemberId,
    notice::{MessageState, NoticeType},
};
use mainstay_store::{Alert, AlertAction, Told};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{api::names, health::AlertHistory};

/// One episode: from the moment a condition began to the moment it ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Alert)]
pub(super) struct AlertBody {
    /// Its id.
    id: Uuid,
    /// The client.
    #[schema(example = "ada")]
    client_id: String,
    /// The client's name.
    #[schema(example = "Ada Lovelace")]
    client_name: Option<String>,
    /// What it warns of.
    #[serde(rename = "type")]
    #[schema(value_type = names::AlertType)]
    kind: AlertType,
    /// How bad it is; worse news raises it.
    #[schema(value_type = names::Severity)]
    severity: Severity,
    /// What became of it.
    #[schema(value_type = names::AlertStatus)]
    status: AlertStatus,
    /// What it says.
    #[schema(example = "Quiet for 23 days, usual gap 4.")]
    message: String,
    /// The numbers in it.
    #[schema(value_type = Object)]
    figures: Map<String, Value>,
    /// When it opened.
    opened_at: Timestamp,
    /// When it last changed.
    changed_at: Timestamp,
    /// Until when it is snoozed.
    snoozed_until: Option<Timestamp>,
    /// When it ended: resolved or dismissed.
    ended_at: Option<Timestamp>,
    /// When its condition ended; until then, one that was resolved or dismissed keeps it quiet.
    condition_ended_at: Option<Timestamp>,
}

impl From<Alert> for AlertBody {
    fn from(alert: Alert) -> Self {
        let episode = alert.episode;
        Self {
            id: episode.id.uuid(),
            client_id: alert.client_id,
            client_name: alert.client_name,
            kind: episode.kind,
            severity: episode.severity,
            status: episode.status,
            message: episode.message,
            figures: episode.figures,
            opened_at: episode.opened_at,
            changed_at: alert.changed_at,
            snoozed_until: episode.snoozed_until,
            ended_at: alert.ended_at,
            condition_ended_at: episode.condition_ended_at,
        }
    }
}

/// A page of alerts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AlertPage {
    /// Newest first.
    pub(super) alerts: Vec<AlertBody>,
    /// Send this as `before` for the next page; null on the last one.
    pub(super) next: Option<Uuid>,
}

/// An alert with what was done with it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AlertWithActions {
    #[serde(flatten)]
    alert: AlertBody,
    /// What was done with it, oldest first.
    actions: Vec<AlertActionBody>,
    /// What was told of it by webhook, oldest first.
    told: Vec<ToldBody>,
}

/// What was told of an alert to one webhook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertTold)]
struct ToldBody {
    /// What the webhook is called.
    webhook: String,
    /// What was told.
    #[serde(rename = "type")]
    #[schema(value_type = names::NoticeEvent)]
    kind: NoticeType,
    /// Whether it arrived.
    #[schema(value_type = names::MessageState)]
    state: MessageState,
    /// When it arrived or was given up; until then, when it is sent next.
    at: Timestamp,
}

impl From<Told> for ToldBody {
    fn from(told: Told) -> Self {
        Self { webhook: told.webhook, kind: told.notice_type, state: told.state, at: told.at }
    }
}

/// Something that was done with an alert.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertAction)]
struct AlertActionBody {
    /// When.
    at: Timestamp,
    /// `opened`, `worsened`, `woken`, `resolved` or `condition_ended` by the health check;
    /// `acknowledge`, `snooze`, `resolve` or `dismiss` by people.
    #[schema(example = "acknowledge")]
    action: String,
    /// By which member; null for the health check and for secret keys.
    member_id: Option<Uuid>,
    /// What it said.
    #[schema(example = "Called; back from holiday next week.")]
    note: String,
}

impl From<AlertAction> for AlertActionBody {
    fn from(action: AlertAction) -> Self {
        Self {
            at: action.at,
            action: action.action,
            member_id: action.member.map(MemberId::uuid),
            note: action.note,
        }
    }
}

impl From<AlertHistory> for AlertWithActions {
    fn from(history: AlertHistory) -> Self {
        Self {
            alert: history.alert.into(),
            actions: history.actions.into_iter().map(Into::into).collect(),
            told: history.told.into_iter().map(Into::into).collect(),
        }
    }
}
