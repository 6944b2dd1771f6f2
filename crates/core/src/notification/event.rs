use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::NotificationType;
use crate::{
    alert::{AlertStatus, AlertType, Severity},
    id::{AlertId, MemberId},
};

/// What is told, in the shape that Standard Webhooks recommends: `type`, `timestamp` and `data`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Type of event.
    #[serde(flatten)]
    pub event: Event,
    /// Time of the event, not of the delivery.
    pub timestamp: Timestamp,
}

/// Type of event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// An alert opened.
    #[serde(rename = "alert.opened")]
    AlertOpened(AlertNotification),
    /// An alert became more severe.
    #[serde(rename = "alert.worsened")]
    AlertWorsened(AlertNotification),
    /// An alert ended.
    #[serde(rename = "alert.resolved")]
    AlertResolved(AlertNotification),
    /// Many clients got worse at once.
    #[serde(rename = "organization.fall")]
    OrganizationFall(AlertSummary),
    /// The alerts of many clients ended at once.
    #[serde(rename = "organization.recovery")]
    OrganizationRecovery(AlertSummary),
    /// No client at all sends events.
    #[serde(rename = "data.silent")]
    DataSilent(SilenceNotification),
    /// Events come again.
    #[serde(rename = "data.resumed")]
    DataResumed(SilenceNotification),
    /// A playbook says so.
    #[serde(rename = "playbook.called")]
    PlaybookCalled(PlaybookNotification),
    /// Nothing: whether notices arrive is to be seen.
    #[serde(rename = "webhook.test")]
    WebhookTest(TestNotification),
}

/// An alert as it was at that moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertNotification {
    /// The organization's short name.
    pub organization: String,
    /// ID of the alert.
    pub alert_id: AlertId,
    /// The host app's id of its client.
    pub client_id: String,
    /// Display name of the client.
    pub client_name: Option<String>,
    /// The member who looks after the client.
    pub owner: Option<AlertOwner>,
    /// Alert type.
    pub alert_type: AlertType,
    /// Severity.
    pub severity: Severity,
    /// State.
    pub status: AlertStatus,
    /// What is wrong, in a sentence; of an alert that ended, why it ended.
    pub message: String,
    /// The numbers in the alert's sentence.
    #[serde(default)]
    pub figures: Map<String, Value>,
    /// When the alert opened.
    pub opened_at: Timestamp,
}

/// A member who looks after a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertOwner {
    /// Its id.
    pub id: MemberId,
    /// Name.
    pub name: String,
}

/// Alerts of many clients from one health check, in one notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertSummary {
    /// The organization's short name.
    pub organization: String,
    /// How many clients it is.
    pub clients: i64,
    /// Number of clients.
    pub clients_in_all: i64,
    /// How many changes of alerts it stands for.
    pub alerts: i64,
    /// These, by type and severity, the most first.
    #[serde(default)]
    pub by_type: Vec<TypeCount>,
    /// A few of them, the worst first.
    #[serde(default)]
    pub worst: Vec<AlertNotification>,
}

/// How many alerts of a type and severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeCount {
    /// Alert type.
    pub alert_type: AlertType,
    /// How bad they are.
    pub severity: Severity,
    /// How many they are.
    pub alerts: i64,
}

/// A silence of the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceNotification {
    /// The organization's short name.
    pub organization: String,
    /// When the last event before it happened; of a key, the end of that hour.
    pub last_event_at: Timestamp,
    /// How many clients came on the day that shows it, and how many usually do at least: part of the
    /// data is missing. Absent where no event comes at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<(i64, i64)>,
    /// How the key begins that no event comes with, where others still bring some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_key: Option<String>,
}

impl SilenceNotification {
    /// What is missing, in a sentence with the instant of the last event as it is shown.
    pub fn sentence(&self, last_event: &str) -> String {
        let organization = &self.organization;
        match (self.clients, &self.write_key) {
            (Some((clients, usual)), _) => format!(
                "Only {} of {organization} came on the last day; at least {usual} usually do.",
                crate::text::count_noun(clients, "client"),
            ),
            (None, Some(key)) => format!(
                "No event of {organization} has come with the key {key}… since {last_event}."
            ),
            (None, None) => {
                format!("No client of {organization} has sent an event since {last_event}.")
            }
        }
    }
}

/// What a playbook has to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybookNotification {
    /// The organization's short name.
    pub organization: String,
    /// ID of the playbook.
    pub playbook: String,
    /// The host app's id of the client that it is about.
    pub client_id: String,
    /// Display name of the client.
    pub client_name: Option<String>,
    /// Why it runs, in a sentence.
    pub reason: String,
    /// The alert that made it run, if one did.
    pub alert: Option<AlertNotification>,
}

/// A test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestNotification {
    /// The organization's short name.
    pub organization: String,
    /// Name of the endpoint.
    pub endpoint: String,
}

impl Event {
    /// Its name in the catalogue.
    pub const fn kind(&self) -> NotificationType {
        match self {
            Self::AlertOpened(_) => NotificationType::AlertOpened,
            Self::AlertWorsened(_) => NotificationType::AlertWorsened,
            Self::AlertResolved(_) => NotificationType::AlertResolved,
            Self::OrganizationFall(_) => NotificationType::OrganizationFall,
            Self::OrganizationRecovery(_) => NotificationType::OrganizationRecovery,
            Self::DataSilent(_) => NotificationType::DataSilent,
            Self::DataResumed(_) => NotificationType::DataResumed,
            Self::PlaybookCalled(_) => NotificationType::PlaybookCalled,
            Self::WebhookTest(_) => NotificationType::WebhookTest,
        }
    }

    /// The one client that it is about: the host app's id.
    pub fn client_id(&self) -> Option<&str> {
        match self {
            Self::AlertOpened(alert) | Self::AlertWorsened(alert) | Self::AlertResolved(alert) => {
                Some(&alert.client_id)
            }
            Self::PlaybookCalled(playbook) => Some(&playbook.client_id),
            Self::OrganizationFall(_)
            | Self::OrganizationRecovery(_)
            | Self::DataSilent(_)
            | Self::DataResumed(_)
            | Self::WebhookTest(_) => None,
        }
    }

    /// How bad the worst is that it tells of; `None` when it tells of no alert.
    pub fn severity(&self) -> Option<Severity> {
        match self {
            Self::AlertOpened(alert) | Self::AlertWorsened(alert) | Self::AlertResolved(alert) => {
                Some(alert.severity)
            }
            Self::OrganizationFall(many) | Self::OrganizationRecovery(many) => {
                many.by_type.iter().map(|count| count.severity).max()
            }
            Self::PlaybookCalled(playbook) => playbook.alert.as_ref().map(|alert| alert.severity),
            Self::DataSilent(_) | Self::DataResumed(_) | Self::WebhookTest(_) => None,
        }
    }
}

impl AlertNotification {
    /// Display name of the client.
    pub fn display_name(&self) -> &str {
        display_name(self.client_name.as_deref(), &self.client_id)
    }
}

impl PlaybookNotification {
    /// Display name of the client.
    pub fn display_name(&self) -> &str {
        display_name(self.client_name.as_deref(), &self.client_id)
    }
}

fn display_name<'a>(name: Option<&'a str>, id: &'a str) -> &'a str {
    name.filter(|name| !name.trim().is_empty()).unwrap_or(id)
}
