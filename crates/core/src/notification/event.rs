use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::NoticeType;
use crate::{
    alert::{AlertStatus, AlertType, Severity},
    id::{AlertId, MemberId},
};

/// What is told, in the shape that Standard Webhooks recommends: `type`, `timestamp` and `data`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// When it happened, not when it is sent.
    pub timestamp: Timestamp,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// An alert opened.
    #[serde(rename = "alert.opened")]
    AlertOpened(AlertNotice),
    /// An alert became more severe.
    #[serde(rename = "alert.worsened")]
    AlertWorsened(AlertNotice),
    /// An alert ended.
    #[serde(rename = "alert.resolved")]
    AlertResolved(AlertNotice),
    /// Many clients got worse at once.
    #[serde(rename = "organization.fall")]
    OrganizationFall(ManyAlerts),
    /// The alerts of many clients ended at once.
    #[serde(rename = "organization.recovery")]
    OrganizationRecovery(ManyAlerts),
    /// No client at all sends events.
    #[serde(rename = "data.silent")]
    DataSilent(SilenceNotice),
    /// Events come again.
    #[serde(rename = "data.resumed")]
    DataResumed(SilenceNotice),
    /// A playbook says so.
    #[serde(rename = "playbook.called")]
    PlaybookCalled(PlaybookNotice),
    /// Nothing: whether notices arrive is to be seen.
    #[serde(rename = "webhook.test")]
    WebhookTest(TestNotice),
}

/// An alert as it was at that moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertNotice {
    /// The organization's short name.
    pub organization: String,
    /// Which alert.
    pub alert_id: AlertId,
    /// The host app's id of its client.
    pub client_id: String,
    /// What the client is called.
    pub client_name: Option<String>,
    /// The member who looks after the client.
    pub owner: Option<OwnerName>,
    /// What it warns of.
    pub alert_type: AlertType,
    /// How bad it is.
    pub severity: Severity,
    /// What became of it.
    pub status: AlertStatus,
    /// What is wrong, in a sentence; of an alert that ended, why it ended.
    pub message: String,
    /// The numbers in the alert's sentence.
    #[serde(default)]
    pub figures: Map<String, Value>,
    /// When it opened.
    pub opened_at: Timestamp,
}

/// A member who looks after a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerName {
    /// Its id.
    pub id: MemberId,
    /// What it is called.
    pub name: String,
}

/// What happened to many clients in one health check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManyAlerts {
    /// The organization's short name.
    pub organization: String,
    /// How many clients it is.
    pub clients: i64,
    /// How many clients there are.
    pub clients_in_all: i64,
    /// How many changes of alerts it stands for.
    pub alerts: i64,
    /// These, by type and severity, the most first.
    #[serde(default)]
    pub by_type: Vec<TypeCount>,
    /// A few of them, the worst first.
    #[serde(default)]
    pub worst: Vec<AlertNotice>,
}

/// How many alerts of a type and severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeCount {
    /// What they warn of.
    pub alert_type: AlertType,
    /// How bad they are.
    pub severity: Severity,
    /// How many they are.
    pub alerts: i64,
}

/// A silence of the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceNotice {
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

impl SilenceNotice {
    /// What is missing, in a sentence with the instant of the last event as it is shown.
    pub fn sentence(&self, last_event: &str) -> String {
        let organization = &self.organization;
        match (self.clients, &self.write_key) {
            (Some((clients, usual)), _) => format!(
                "Only {} of {organization} came on the last day; at least {usual} usually do.",
                crate::text::counted(clients, "client"),
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
pub struct PlaybookNotice {
    /// The organization's short name.
    pub organization: String,
    /// Which playbook.
    pub playbook: String,
    /// The host app's id of the client that it is about.
    pub client_id: String,
    /// What the client is called.
    pub client_name: Option<String>,
    /// Why it runs, in a sentence.
    pub reason: String,
    /// The alert that made it run, if one did.
    pub alert: Option<AlertNotice>,
}

/// A test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestNotice {
    /// The organization's short name.
    pub organization: String,
    /// What the endpoint is called.
    pub endpoint: String,
}

impl Event {
    /// Its name in the catalogue.
    pub const fn kind(&self) -> NoticeType {
        match self {
            Self::AlertOpened(_) => NoticeType::AlertOpened,
            Self::AlertWorsened(_) => NoticeType::AlertWorsened,
            Self::AlertResolved(_) => NoticeType::AlertResolved,
            Self::OrganizationFall(_) => NoticeType::OrganizationFall,
            Self::OrganizationRecovery(_) => NoticeType::OrganizationRecovery,
            Self::DataSilent(_) => NoticeType::DataSilent,
            Self::DataResumed(_) => NoticeType::DataResumed,
            Self::PlaybookCalled(_) => NoticeType::PlaybookCalled,
            Self::WebhookTest(_) => NoticeType::WebhookTest,
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

impl AlertNotice {
    /// What people call its client.
    pub fn called(&self) -> &str {
        called(self.client_name.as_deref(), &self.client_id)
    }
}

impl PlaybookNotice {
    /// What people call its client.
    pub fn called(&self) -> &str {
        called(self.client_name.as_deref(), &self.client_id)
    }
}

fn called<'a>(name: Option<&'a str>, id: &'a str) -> &'a str {
    name.filter(|name| !name.trim().is_empty()).unwrap_or(id)
}
