//! Who vouches for a message, and what it may change because of that.

use jiff::{SignedDuration, Timestamp};

use super::{
    Event, EventError, EventType, ProfileField, ProfilePatch,
    segment::{ClientIdentity, IncomingMessage},
};

/// How far back a write key may date whose a person's events are: as long as events wait for that.
const MAX_MEMBERSHIP_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Authority that vouches for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The organization itself: its secret key, a member, the operator.
    Organization,
    /// A server that has a write key. The key may be public, so it adds and settles nothing.
    WriteKey,
    /// A browser that has a write key.
    Browser,
    /// The client itself, with the token that the organization gave it.
    Client,
}

impl Authority {
    /// Whether nothing but a write key vouches for a message.
    pub const fn is_write_key(self) -> bool {
        matches!(self, Self::WriteKey | Self::Browser)
    }

    /// Whether a client sends about itself.
    pub const fn is_self(self) -> bool {
        matches!(self, Self::Browser | Self::Client)
    }

    /// Reduces a message to what its sender may say. An email address stays unconfirmed unless the
    /// organization vouches for it. Of what a client says of itself, a high-value event is kept as
    /// [`EventType::Custom`] unless `count_self_told`.
    ///
    /// # Errors
    /// Names the field when the sender may not say this at all.
    pub fn limit(
        self,
        mut message: IncomingMessage,
        (clients_are, count_self_told): (ClientIdentity, bool),
        received_at: Timestamp,
    ) -> Result<IncomingMessage, EventError> {
        if self == Self::Organization {
            return Ok(message);
        }
        match &mut message {
            IncomingMessage::Event(event)
            | IncomingMessage::PersonEvent(event)
            | IncomingMessage::PersonOrClientEvent(event) => {
                if self.is_self() {
                    mark_self_reported(event, count_self_told);
                }
            }
            IncomingMessage::Profile(client) | IncomingMessage::GroupProfile { client, .. } => {
                move_to_unconfirmed_email(&mut client.patch);
            }
            IncomingMessage::Membership { client, .. } => {
                move_to_unconfirmed_email(&mut client.patch);
                match clients_are {
                    ClientIdentity::Account => check_membership(client.at, received_at)?,
                    // The profile counts, however old it is.
                    ClientIdentity::User if !is_recent(client.at, received_at) => {
                        return Ok(IncomingMessage::Profile(client.clone()));
                    }
                    ClientIdentity::User => {}
                }
            }
            IncomingMessage::Alias { at, .. } => check_alias(*at, received_at)?,
            IncomingMessage::PersonProfile(_) | IncomingMessage::Ignored => {}
        }
        Ok(message)
    }
}

fn is_recent(at: Timestamp, received_at: Timestamp) -> bool {
    received_at.duration_since(at) <= MAX_MEMBERSHIP_AGE
}

fn check_alias(at: Timestamp, received_at: Timestamp) -> Result<(), EventError> {
    if is_recent(at, received_at) {
        return Ok(());
    }
    Err(EventError::new(
        "timestamp",
        format!(
            "{at} is more than 7 days ago; a write key joins an id at most 7 days back, send an older \
             alias with a secret key"
        ),
    ))
}

fn mark_self_reported(event: &mut Event, counts: bool) {
    event.self_told = true;
    if event.event_type.is_high_value() && !counts {
        event.event_type = EventType::Custom;
    }
}

fn move_to_unconfirmed_email(patch: &mut ProfilePatch) {
    if let Some(email) = patch.fields.remove(&ProfileField::Email) {
        patch.fields.insert(ProfileField::UnconfirmedEmail, email);
    }
}

/// A membership counts from its own time on. Dated far back, it would take everything that the person
/// ever did to another account.
fn check_membership(since: Timestamp, received_at: Timestamp) -> Result<(), EventError> {
    if is_recent(since, received_at) {
        return Ok(());
    }
    Err(EventError::new(
        "timestamp",
        format!(
            "{since} is more than 7 days ago; a write key moves a person to an account at most 7 days \
             back, send an older membership with a secret key"
        ),
    ))
}
