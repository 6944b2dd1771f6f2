//! Identifiers of our own: one type a thing, so that a client's id cannot be passed for a task's.
//!
//! They are `UUIDv7`, but this crate never makes one: making one needs a clock and randomness.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps an id that was made or read elsewhere.
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The bare id, for storage.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::from_str(text).map(Self)
            }
        }
    )+};
}

id! {
    /// A tenant: the company that sends events and owns everything they lead to.
    OrganizationId;
    /// A user of an organization: owner, admin, staff or viewer.
    MemberId;
    /// A customer of an organization. In every API clients are named by their `external_id`
    /// instead, which the host app chose.
    ClientId;
    /// A task of a client's onboarding.
    TaskId;
    /// One rating that a client gave.
    FeedbackId;
    /// One insight written for a client.
    InsightId;
    /// One episode of a momentum alert.
    AlertId;
    /// One run of a job.
    JobRunId;
    /// One mail to a client.
    EmailId;
    /// One note of a member on a client.
    NoteId;
    /// A rule of an organization that says what follows from an alert or a change of the band.
    PlaybookId;
    /// One time that a playbook did what it says.
    PlaybookRunId;
    /// Something that staff are to do for a client. No task of the client's own: those are
    /// [`TaskId`].
    StaffTaskId;
    /// A place outside that notices are sent to.
    WebhookId;
    /// One message to such a place: the same however often it is sent.
    WebhookMessageId;
    /// One mail to a member.
    StaffEmailId;
    /// One transactional email.
    TransactionalEmailId;
    /// One merge of two clients.
    MergeId;
    /// A secret, write or member key. The key's text itself is never stored.
    ApiKeyId;
}
