//! Segment's messages: what the tracking SDKs send, read and turned into what Mainstay keeps.

mod message;
mod text;
mod traits;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use message::{Call, SegmentMessage};
pub use text::Text;

use super::{
    Event, EventError, EventType, IncomingEvent, MAX_CLIENT_ID_CHARS, MAX_MESSAGE_ID_CHARS,
    ProfileChange, check_required, check_text, validate,
};

/// Largest message, in bytes of JSON: 32 KiB.
pub const MAX_MESSAGE_BYTES: usize = 32 * 1024;

/// Whom an organization calls its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientsAre {
    /// Each user (`userId`).
    #[default]
    Users,
    /// The accounts that users belong to (`groupId`).
    Groups,
}

impl ClientsAre {
    /// Both, in the order of the documentation.
    pub const ALL: [Self; 2] = [Self::Users, Self::Groups];

    /// The name used in every API and in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Groups => "groups",
        }
    }
}

impl std::str::FromStr for ClientsAre {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| format!("{text:?} is neither users nor groups; send one of them"))
    }
}

/// What a message says, checked and ready to be stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A client did something.
    Did(Event),
    /// A user did something, for the account it belongs to: the event's `client_id` is the user's
    /// until the account is looked up.
    DidForAccount(Event),
    /// Something about a client.
    Told(ProfileChange),
    /// A user belongs to an account, of which something may be told too.
    Joined {
        /// The user.
        user: String,
        /// The account, a client.
        account: ProfileChange,
    },
    /// What was known under one id belongs to another client.
    Alias {
        /// The id that is no client of its own any more.
        previous: String,
        /// The client.
        client_id: String,
    },
    /// Something about a user, where clients are accounts: there is nothing to keep.
    Nothing,
}

/// When and for whom a message is read.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// Whom the organization calls its clients.
    pub clients_are: ClientsAre,
    /// When the message reached us.
    pub received_at: Timestamp,
    /// When its batch was sent, by the sender's clock; a message may say so itself.
    pub sent_at: Option<&'a str>,
    /// The id of a message that has none of its own.
    pub fallback_id: &'a str,
}

impl SegmentMessage<'_> {
    /// What the message says to an organization. `type_of` tells what the organization maps an
    /// event's name to.
    ///
    /// # Errors
    /// The first field at fault, by its name in Segment's API.
    pub fn said(
        self,
        reading: &Reading<'_>,
        type_of: impl Fn(&str) -> Option<EventType>,
    ) -> Result<Said, EventError> {
        let call = self.call()?;
        check_text("messageId", self.id(reading), MAX_MESSAGE_ID_CHARS)?;
        match call {
            Call::Track | Call::Page | Call::Screen => self.did(call, reading, type_of),
            Call::Identify => self.identified(reading),
            Call::Group => self.grouped(reading),
            Call::Alias => self.aliased(),
        }
    }

    fn did(
        self,
        call: Call,
        reading: &Reading<'_>,
        type_of: impl Fn(&str) -> Option<EventType>,
    ) -> Result<Said, EventError> {
        let account = self.context_group_id();
        let (client_id, of_account) = match (reading.clients_are, account) {
            (ClientsAre::Groups, Some(account)) => (account.to_owned(), false),
            (ClientsAre::Groups, None) => (self.user()?.to_owned(), true),
            (ClientsAre::Users, _) => (self.user()?.to_owned(), false),
        };
        let (name, event_type) = match call {
            Call::Track => {
                let name = self.event.as_deref().unwrap_or_default();
                check_required("event", name, super::MAX_NAME_CHARS)?;
                (name.to_owned(), type_of(name))
            }
            // A page is looked at, whatever it is called; the name is shown.
            _ => (self.page_name().to_owned(), Some(EventType::PageView)),
        };
        let incoming = IncomingEvent {
            client_id,
            name,
            event_type,
            timestamp: self.happened_at()?,
            sent_at: self.sent_at(reading.sent_at)?,
            message_id: self.id(reading).to_owned(),
            session_id: self.session_id(),
            page_path: self.page_path(),
            duration_seconds: None,
            data: self.properties,
        };
        let event = validate(incoming, reading.received_at).map_err(in_segments_words)?;
        Ok(if of_account { Said::DidForAccount(event) } else { Said::Did(event) })
    }

    fn identified(mut self, reading: &Reading<'_>) -> Result<Said, EventError> {
        let user = self.user()?.to_owned();
        let at = self.occurred_at(reading)?;
        if reading.clients_are == ClientsAre::Groups {
            return Ok(Said::Nothing);
        }
        let given = self.take_traits();
        let told = ProfileChange { client_id: user, at, told: traits::profile(given) };
        told.check()?;
        Ok(Said::Told(told))
    }

    fn grouped(mut self, reading: &Reading<'_>) -> Result<Said, EventError> {
        let group = self.group_id.as_deref().unwrap_or_default().to_owned();
        check_required("groupId", &group, MAX_CLIENT_ID_CHARS)?;
        let at = self.occurred_at(reading)?;
        if reading.clients_are == ClientsAre::Users {
            let user = self.user()?.to_owned();
            let told = super::Profile { group_id: Some(group), ..super::Profile::default() };
            return Ok(Said::Told(ProfileChange { client_id: user, at, told }));
        }
        let given = std::mem::take(&mut self.traits);
        let account = ProfileChange { client_id: group, at, told: traits::profile(given) };
        account.check()?;
        Ok(match self.user_id.as_deref().filter(|user| !user.is_empty()) {
            Some(user) => {
                check_required("userId", user, MAX_CLIENT_ID_CHARS)?;
                Said::Joined { user: user.to_owned(), account }
            }
            None => Said::Told(account),
        })
    }

    fn aliased(self) -> Result<Said, EventError> {
        let client_id = self.user()?.to_owned();
        let previous = self.previous_id.as_deref().unwrap_or_default();
        check_required("previousId", previous, MAX_CLIENT_ID_CHARS)?;
        Ok(if previous == client_id {
            Said::Nothing
        } else {
            Said::Alias { previous: previous.to_owned(), client_id }
        })
    }

    /// Whether the message has an id of its own, so that it needs none from [`Reading`].
    pub fn has_id(&self) -> bool {
        self.own_id().is_some()
    }

    fn own_id(&self) -> Option<&str> {
        self.message_id.as_deref().filter(|id| !id.is_empty())
    }

    fn id<'s>(&'s self, reading: &Reading<'s>) -> &'s str {
        self.own_id().unwrap_or(reading.fallback_id)
    }

    /// When it was told, corrected like an event's time.
    fn occurred_at(&self, reading: &Reading<'_>) -> Result<Timestamp, EventError> {
        super::settle(self.happened_at()?, self.sent_at(reading.sent_at)?, reading.received_at)
    }
}

/// Says a field by the name that the sender knows it by.
fn in_segments_words(error: EventError) -> EventError {
    let field = match error.field {
        "client_id" => "userId",
        "message_id" => "messageId",
        "page_path" => "context.page.path",
        "session_id" => "context.sessionId",
        "data" => "properties",
        other => other,
    };
    EventError { field, ..error }
}
