//! Segment's messages: what the tracking SDKs send, read and turned into what Mainstay keeps.

mod message;
mod text;
mod traits;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use message::{Call, SegmentMessage, read_sent_at};
pub use text::Text;

use super::{
    Event, EventError, EventType, IncomingEvent, MAX_CLIENT_ID_CHARS, MAX_MESSAGE_ID_CHARS,
    ProfileChange, ProfileField, ProfilePatch, changed_at, check_id, check_line, check_required,
    normalize_id, validate,
};

/// Largest message, in bytes of JSON: 32 KiB.
pub const MAX_MESSAGE_BYTES: usize = 32 * 1024;

/// Which identifier identifies a client: the user or the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientIdentity {
    /// Each user (`userId`).
    #[default]
    #[serde(rename = "users")]
    User,
    /// The accounts that users belong to (`groupId`).
    #[serde(rename = "groups")]
    Account,
}

impl ClientIdentity {
    /// Both, in the order of the documentation.
    pub const ALL: [Self; 2] = [Self::User, Self::Account];

    /// The name used in every API and in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Account => "groups",
        }
    }
}

impl std::str::FromStr for ClientIdentity {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| format!("{text:?} is neither users nor groups; send one of them"))
    }
}

/// A validated message, ready to be stored.
#[derive(Clone, Debug, PartialEq)]
pub enum IncomingMessage {
    /// An event of a client.
    Event(Event),
    /// A person did something for the client it belongs to at that time: a user for its account, a
    /// visitor for the client that it turns out to be. The event's `client_id` is the person's until
    /// the client is looked up.
    PersonEvent(Event),
    /// The same, where the id may also be the client's own: a person's when it is known as one.
    PersonOrClientEvent(Event),
    /// Profile of a client.
    Profile(ProfileChange),
    /// A person belongs to a client from then on; the message may also carry traits of that client.
    Membership {
        /// The host app's id of the person.
        person: String,
        /// The client.
        client: ProfileChange,
    },
    /// Profile of a person, where clients are accounts.
    PersonProfile(ProfileChange),
    /// A client belongs to a group, and the message carries traits of the group.
    GroupProfile {
        /// The client, with its group.
        client: ProfileChange,
        /// The group.
        group: ProfileChange,
    },
    /// All data of one id belongs to another client.
    Alias {
        /// ID that no longer is a client of its own.
        previous: String,
        /// The client.
        client_id: String,
        /// Time of the message.
        at: Timestamp,
        /// ID of the message.
        message_id: String,
    },
    /// Alias of an id to itself: there is nothing to store.
    Ignored,
}

/// Context in which a message is read.
#[derive(Clone, Copy, Debug)]
pub struct MessageContext<'a> {
    /// Which identifier identifies a client of the organization.
    pub clients_are: ClientIdentity,
    /// When Mainstay received the message.
    pub received_at: Timestamp,
    /// When its batch was sent, by the sender's clock; a message may say so itself.
    pub sent_at: Option<Timestamp>,
    /// ID for an event without one.
    pub fallback_id: &'a str,
}

/// What a message says, before an event is checked: a file gives an event without an id one that
/// follows from what it says.
#[derive(Clone, Debug)]
pub enum Draft {
    /// An event, and whether its client is the person's at that time.
    Event(IncomingEvent, bool),
    /// Any other message, validated.
    Message(IncomingMessage),
}

impl Draft {
    /// Checks an event.
    ///
    /// # Errors
    /// The first field at fault, by its name in Segment's API.
    pub fn checked(self, received_at: Timestamp) -> Result<IncomingMessage, EventError> {
        match self {
            Self::Message(said) => Ok(said),
            Self::Event(incoming, by_person) => {
                let event = validate(incoming, received_at).map_err(use_segment_field_names)?;
                Ok(if by_person {
                    IncomingMessage::PersonEvent(event)
                } else {
                    IncomingMessage::Event(event)
                })
            }
        }
    }
}

impl SegmentMessage<'_> {
    /// What the message says to an organization. `type_of` tells what the organization maps an
    /// event's name to.
    ///
    /// # Errors
    /// The first field at fault, by its name in Segment's API.
    pub fn said(
        self,
        reading: &MessageContext<'_>,
        type_of: impl Fn(&str) -> Option<EventType>,
    ) -> Result<IncomingMessage, EventError> {
        self.draft(reading, type_of)?.checked(reading.received_at)
    }

    /// As [`SegmentMessage::said`], with an event yet to be checked.
    ///
    /// # Errors
    /// The first field at fault, by its name in Segment's API.
    pub fn draft(
        self,
        reading: &MessageContext<'_>,
        type_of: impl Fn(&str) -> Option<EventType>,
    ) -> Result<Draft, EventError> {
        let call = self.call()?;
        check_line("messageId", self.own_id().unwrap_or_default(), MAX_MESSAGE_ID_CHARS)?;
        match call {
            Call::Track | Call::Page | Call::Screen => self.event(call, reading, type_of),
            Call::Identify => self.identify_message(reading).map(Draft::Message),
            Call::Group => self.group_message(reading).map(Draft::Message),
            Call::Alias => self.alias_message(reading).map(Draft::Message),
        }
    }

    fn event(
        mut self,
        call: Call,
        reading: &MessageContext<'_>,
        type_of: impl Fn(&str) -> Option<EventType>,
    ) -> Result<Draft, EventError> {
        let owned = |id: std::borrow::Cow<'_, str>| id.into_owned();
        let (client_id, person, by_person) = match reading.clients_are {
            ClientIdentity::Account => {
                if let Some(account) = self.context_group_id() {
                    (owned(account), self.explicit_user_id().map(owned), false)
                } else {
                    let user = self.user()?.into_owned();
                    (user.clone(), Some(user), true)
                }
            }
            ClientIdentity::User => match (self.explicit_user_id(), self.visitor()) {
                (None, Some(visitor)) => {
                    check_id("anonymousId", &visitor)?;
                    (visitor.to_string(), Some(visitor.into_owned()), true)
                }
                _ => (self.user()?.into_owned(), None, false),
            },
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
            person,
            name,
            event_type,
            timestamp: self.client_timestamp()?,
            sent_at: self.sent_at(reading.sent_at),
            message_id: self.own_id().unwrap_or(reading.fallback_id).to_owned(),
            session_id: self.take_session_id(),
            page_path: self.page_path(),
            duration_seconds: self.take_duration_seconds(),
            data: self.properties,
        };
        Ok(Draft::Event(incoming, by_person))
    }

    fn identify_message(
        mut self,
        reading: &MessageContext<'_>,
    ) -> Result<IncomingMessage, EventError> {
        let user = self.user()?.into_owned();
        let visitor = self.visitor().filter(|visitor| *visitor != user);
        let visitor = visitor.map(std::borrow::Cow::into_owned);
        let traits_patch_source = self.take_traits();
        let change = self.change(user, traits::patch(traits_patch_source), reading)?;
        if reading.clients_are == ClientIdentity::Account {
            return Ok(IncomingMessage::PersonProfile(change));
        }
        Ok(match visitor {
            Some(visitor) => {
                check_id("anonymousId", &visitor)?;
                IncomingMessage::Membership { person: visitor, client: change }
            }
            None => IncomingMessage::Profile(change),
        })
    }

    fn group_message(
        mut self,
        reading: &MessageContext<'_>,
    ) -> Result<IncomingMessage, EventError> {
        let group = self.group_id.as_deref().map(normalize_id).unwrap_or_default().into_owned();
        check_id("groupId", &group)?;
        let told = traits::patch(std::mem::take(&mut self.traits));
        let user = self.explicit_user_id().map(std::borrow::Cow::into_owned);
        if reading.clients_are == ClientIdentity::User {
            let user = self.user()?.into_owned();
            let mut patch = ProfilePatch::default();
            patch.fields.insert(ProfileField::Group, Some(group.clone()));
            let client = self.change(user, patch, reading)?;
            if told == ProfilePatch::default() {
                return Ok(IncomingMessage::Profile(client));
            }
            return Ok(IncomingMessage::GroupProfile {
                client,
                group: self.change(group, told, reading)?,
            });
        }
        let client = self.change(group, told, reading)?;
        Ok(match user {
            Some(person) => {
                check_id("userId", &person)?;
                IncomingMessage::Membership { person, client }
            }
            None => IncomingMessage::Profile(client),
        })
    }

    fn alias_message(self, reading: &MessageContext<'_>) -> Result<IncomingMessage, EventError> {
        let client_id = self.user()?.into_owned();
        let previous = self.previous_id.as_deref().map(normalize_id).unwrap_or_default();
        // Not check_id: a client that is known by such an id is traits_patch_source another one this way.
        check_required("previousId", &previous, MAX_CLIENT_ID_CHARS)?;
        if reading.clients_are == ClientIdentity::Account {
            return Err(EventError::new(
                "type",
                "alias joins two clients, and this organization's clients are accounts; call group \
                 for the user's new id instead",
            ));
        }
        if previous == client_id {
            return Ok(IncomingMessage::Ignored);
        }
        let (at, message_id) = (self.changed_at(reading)?, self.stamp_id(&client_id));
        Ok(IncomingMessage::Alias { previous: previous.into_owned(), client_id, at, message_id })
    }

    /// Whether the message has an id of its own, so that it needs none from [`MessageContext`].
    pub fn has_id(&self) -> bool {
        self.own_id().is_some()
    }

    fn own_id(&self) -> Option<&str> {
        self.message_id.as_deref().filter(|id| !id.is_empty())
    }

    /// What orders messages of one instant: their id, else whom they are about, so that the order
    /// does not depend on which arrives first.
    fn stamp_id(&self, about: &str) -> String {
        self.own_id().unwrap_or(about).to_owned()
    }

    fn change(
        &self,
        client_id: String,
        patch: ProfilePatch,
        reading: &MessageContext<'_>,
    ) -> Result<ProfileChange, EventError> {
        let message_id = self.stamp_id(&client_id);
        let change = ProfileChange { client_id, at: self.changed_at(reading)?, message_id, patch };
        change.check()?;
        Ok(change)
    }

    /// Returns the time of the message, corrected like an event's time.
    fn changed_at(&self, reading: &MessageContext<'_>) -> Result<Timestamp, EventError> {
        changed_at(self.client_timestamp()?, self.sent_at(reading.sent_at), reading.received_at)
    }
}

/// Replaces a field's name by its name in Segment's API.
fn use_segment_field_names(error: EventError) -> EventError {
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
