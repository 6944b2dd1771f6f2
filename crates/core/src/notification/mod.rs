//! What staff are told outside the pages here: what a notice says, where it goes, when it may go and
//! when it is tried again.
//!
//! A health check leaves [`News`] of alerts. [`latest_changes`] leaves out what has come to nothing,
//! [`group_news`] makes one of many, and a [`Route`] says what goes to which endpoint.

mod address;
mod digest;
mod event;
mod gather;
mod news;
mod retry;
mod route;
mod settings;
mod slack;

pub use address::{AddressRange, AddressRangeError, OutgoingPolicy};
pub use digest::{Digest, DigestAlert, DigestContext};
pub use event::{
    AlertNotification, AlertOwner, AlertSummary, Event, Notification, PlaybookNotification,
    SilenceNotification, TestNotification, TypeCount,
};
pub use gather::{NotificationGroup, group_news, is_organization_wide, latest_changes};
pub use news::News;
pub use retry::{
    DISABLED_AFTER, MAX_ATTEMPTS, is_notable_failure, next_attempt, retry_after, should_disable,
};
pub use route::Route;
pub use settings::{NotificationSettings, Urgency, check_endpoint_name, check_endpoint_url};
pub use slack::{SLACK_TEXT_CHARS, slack_message};

use crate::named::named;

named! {
    /// What a notice tells of: the catalogue of events.
    NotificationType, "event" {
        /// An alert opened.
        AlertOpened = "alert.opened",
        /// An open alert became more severe.
        AlertWorsened = "alert.worsened",
        /// An alert ended: its condition did, or a member ended it.
        AlertResolved = "alert.resolved",
        /// Many clients got worse in one health check: one notice with a count.
        OrganizationFall = "organization.fall",
        /// The alerts of many clients ended in one health check: one notice with a count.
        OrganizationRecovery = "organization.recovery",
        /// No client at all sends events any more.
        DataSilent = "data.silent",
        /// Events come again.
        DataResumed = "data.resumed",
        /// A playbook says so.
        PlaybookCalled = "playbook.called",
        /// Somebody wants to see whether notices arrive.
        WebhookTest = "webhook.test",
    }
}

named! {
    /// What an endpoint understands.
    EndpointKind, "kind of endpoint" {
        /// Standard Webhooks: signed JSON.
        Webhook = "webhook",
        /// Slack's incoming webhooks, and whatever takes the same.
        Slack = "slack",
    }
}

named! {
    /// What became of a message.
    MessageState, "message state" {
        /// It waits for its time.
        Queued = "queued",
        /// The endpoint took it.
        Delivered = "delivered",
        /// The endpoint did not, and it is not tried again.
        Failed = "failed",
    }
}

impl NotificationType {
    /// The ones that a route may choose. A test goes where it is sent, and a playbook names its
    /// endpoint itself.
    pub const ROUTED: [Self; 7] = [
        Self::AlertOpened,
        Self::AlertWorsened,
        Self::AlertResolved,
        Self::OrganizationFall,
        Self::OrganizationRecovery,
        Self::DataSilent,
        Self::DataResumed,
    ];

    /// Describes when the email is sent.
    pub const fn description(self) -> &'static str {
        match self {
            Self::AlertOpened => "An alert opened.",
            Self::AlertWorsened => "An open alert became more severe.",
            Self::AlertResolved => "An alert ended: its condition did, or a member ended it.",
            Self::OrganizationFall => {
                "Many clients got worse in one health check: one notice with a count instead of one \
                 for each alert."
            }
            Self::OrganizationRecovery => {
                "The alerts of many clients ended in one health check: one notice with a count."
            }
            Self::DataSilent => {
                "Events stopped, of all clients, of most, or of one key; alerts that rest on recent \
                 activity are held."
            }
            Self::DataResumed => "Events come again after a silence of the data.",
            Self::PlaybookCalled => "A playbook calls this endpoint.",
            Self::WebhookTest => "Somebody wants to see whether notices arrive.",
        }
    }

    /// Display name.
    pub const fn words(self) -> &'static str {
        match self {
            Self::AlertOpened => "Alert opened",
            Self::AlertWorsened => "Alert worsened",
            Self::AlertResolved => "Alert resolved",
            Self::OrganizationFall => "Fall of many clients",
            Self::OrganizationRecovery => "Recovery of many clients",
            Self::DataSilent => "No events arrive",
            Self::DataResumed => "Events arrive again",
            Self::PlaybookCalled => "Playbook",
            Self::WebhookTest => "Test",
        }
    }
}

impl EndpointKind {
    /// Display name.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Webhook => "Webhook",
            Self::Slack => "Slack",
        }
    }
}
