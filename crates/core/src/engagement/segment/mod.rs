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
    ProfileChange, ProfileField, ProfilePatch, check_id, check_line, check_required, normalize_id,
    told_at, validate,
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
    /// A person did something for the client it belongs to at that time: a user for its account, a
    /// visitor for the client that it turns out to be. The event's `client_id` is the person's until
    /// the client is looked up.
    DidByPerson(Event),
    /// The same, where the id may also be the client's own: a person's when it is known as one.
    DidByPersonOrClient(Event),
    /// Something about a client.
    Told(ProfileChange),
    /// A person belongs to a client from then on; the message may also carry traits of that client.
    Joined {
        /// The host app's id of the person.
        person: String,
        /// The client.
        client: ProfileChange,
    },
    /// Something about a person, where clients are accounts.
    ToldOfPerson(ProfileChange),
    /// A client belongs to a group, and the message carries traits of the group.
    Grouped {
        /// The client, with its group.
        client: ProfileChange,
        /// The group.
        group: ProfileChange,
    },
    /// What was known under one id belongs to another client.
    Alias {
        /// The id that is no client of its own any more.
        previous: String,
        /// The client.
        client_id: String,
        /// When that was said.
        at: Timestamp,
        /// The message that said so.
        message_id: String,
    },
    /// An alias of an id to itself: there is nothing to keep.
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
    pub sent_at: Option<Timestamp>,
    /// The id of an event that has none of its own.
    pub fallback_id: &'a str,
}

/// What a message says, before an event is checked: a file gives an event without an id one that
/// follows from what it says.
#[derive(Clone, Debug)]
pub enum Draft {
    /// An event, and whether its client is the person's at that time.
    Event(IncomingEvent, bool),
    /// Anything else, checked.
    Said(Said),
}

impl Draft {
    /// Checks an event.
    ///
    /// # Errors
    /// The first field at fault, by its name in Segment's API.
    pub fn checked(self, received_at: Timestamp) -> Result<Said, EventError> {
        match self {
            Self::Said(said) => Ok(said),
            Self::Event(incoming, by_person) => {
                let event = validate(incoming, received_at).map_err(in_segments_words)?;
                Ok(if by_person { Said::DidByPerson(event) } else { Said::Did(event) })
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
        reading: &Reading<'_>,
        type_of: impl Fn(&str) -> Option<EventType>,
    ) -> Result<Said, EventError> {
        self.draft(reading, type_of)?.checked(reading.received_at)
    }

    /// As [`SegmentMessage::said`], with an event yet to be checked.
    ///
    /// # Errors
    /// The first field at fault, by its name in Segment's API.
    pub fn draft(
        self,
        reading: &Reading<'_>,
        type_of: impl Fn(&str) -> Option<EventType>,
    ) -> Result<Draft, EventError> {
        let call = self.call()?;
        check_line("messageId", self.own_id().unwrap_or_default(), MAX_MESSAGE_ID_CHARS)?;
        match call {
            Call::Track | Call::Page | Call::Screen => self.event(call, reading, type_of),
            Call::Identify => self.identified(reading).map(Draft::Said),
            Call::Group => self.grouped(reading).map(Draft::Said),
            Call::Alias => self.aliased(reading).map(Draft::Said),
        }
    }

    fn event(
        mut self,
        call: Call,
        reading: &Reading<'_>,
        type_of: impl Fn(&str) -> Option<EventType>,
    ) -> Result<Draft, EventError> {
        let owned = |id: std::borrow::Cow<'_, str>| id.into_owned();
        let (client_id, person, by_person) = match reading.clients_are {
            ClientsAre::Groups => {
                if let Some(account) = self.context_group_id() {
                    (owned(account), self.named_user().map(owned), false)
                } else {
                    let user = self.user()?.into_owned();
                    (user.clone(), Some(user), true)
                }
            }
            ClientsAre::Users => match (self.named_user(), self.visitor()) {
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
            timestamp: self.happened_at()?,
            sent_at: self.sent_at(reading.sent_at),
            message_id: self.own_id().unwrap_or(reading.fallback_id).to_owned(),
            session_id: self.take_session_id(),
            page_path: self.page_path(),
            duration_seconds: self.take_duration(),
            data: self.properties,
        };
        Ok(Draft::Event(incoming, by_person))
    }

    fn identified(mut self, reading: &Reading<'_>) -> Result<Said, EventError> {
        let user = self.user()?.into_owned();
        let visitor = self.visitor().filter(|visitor| *visitor != user);
        let visitor = visitor.map(std::borrow::Cow::into_owned);
        let given = self.take_traits();
        let change = self.change(user, traits::patch(given), reading)?;
        if reading.clients_are == ClientsAre::Groups {
            return Ok(Said::ToldOfPerson(change));
        }
        Ok(match visitor {
            Some(visitor) => {
                check_id("anonymousId", &visitor)?;
                Said::Joined { person: visitor, client: change }
            }
            None => Said::Told(change),
        })
    }

    fn grouped(mut self, reading: &Reading<'_>) -> Result<Said, EventError> {
        let group = self.group_id.as_deref().map(normalize_id).unwrap_or_default().into_owned();
        check_id("groupId", &group)?;
        let told = traits::patch(std::mem::take(&mut self.traits));
        let user = self.named_user().map(std::borrow::Cow::into_owned);
        if reading.clients_are == ClientsAre::Users {
            let user = self.user()?.into_owned();
            let mut patch = ProfilePatch::default();
            patch.fields.insert(ProfileField::Group, Some(group.clone()));
            let client = self.change(user, patch, reading)?;
            if told == ProfilePatch::default() {
                return Ok(Said::Told(client));
            }
            return Ok(Said::Grouped { client, group: self.change(group, told, reading)? });
        }
        let client = self.change(group, told, reading)?;
        Ok(match user {
            Some(person) => {
                check_id("userId", &person)?;
                Said::Joined { person, client }
            }
            None => Said::Told(client),
        })
    }

    fn aliased(self, reading: &Reading<'_>) -> Result<Said, EventError> {
        let client_id = self.user()?.into_owned();
        let previous = self.previous_id.as_deref().map(normalize_id).unwrap_or_default();
        // Not check_id: a client that is known by such an id is given another one this way.
        check_required("previousId", &previous, MAX_CLIENT_ID_CHARS)?;
        if reading.clients_are == ClientsAre::Groups {
            return Err(EventError::new(
                "type",
                "alias joins two clients, and this organization's clients are accounts; call group \
                 for the user's new id instead",
            ));
        }
        if previous == client_id {
            return Ok(Said::Nothing);
        }
        let (at, message_id) = (self.told_at(reading)?, self.stamp_id(&client_id));
        Ok(Said::Alias { previous: previous.into_owned(), client_id, at, message_id })
    }

    /// Whether the message has an id of its own, so that it needs none from [`Reading`].
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
        reading: &Reading<'_>,
    ) -> Result<ProfileChange, EventError> {
        let message_id = self.stamp_id(&client_id);
        let change = ProfileChange { client_id, at: self.told_at(reading)?, message_id, patch };
        change.check()?;
        Ok(change)
    }

    /// When it was told, corrected like an event's time.
    fn told_at(&self, reading: &Reading<'_>) -> Result<Timestamp, EventError> {
        told_at(self.happened_at()?, self.sent_at(reading.sent_at), reading.received_at)
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
