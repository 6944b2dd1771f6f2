//! Who vouches for a message, and what it may change because of that.

use jiff::{SignedDuration, Timestamp};

use super::{
    Event, EventError, EventType, ProfileField, ProfilePatch,
    segment::{ClientIdentity, IncomingMessage},
};

/// How far back a write key may date a person's membership of an account: as long as events wait for the
/// first one.
const MAX_MEMBERSHIP_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Authority that vouches for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The organization itself: its secret key, a member, the operator.
    Organization,
    /// A server that has a write key. The key may be public, so it adds and settles nothing.
    WriteKey,
    /// The client itself: its token, or a browser that has a write key.
    Client,
}

impl Authority {
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
                if self == Self::Client {
                    mark_self_reported(event, count_self_told);
                }
            }
            IncomingMessage::Profile(client) | IncomingMessage::GroupProfile { client, .. } => {
                move_to_unconfirmed_email(&mut client.patch);
            }
            IncomingMessage::Membership { client, .. } => {
                if clients_are == ClientIdentity::Account {
                    check_membership(client.at, received_at)?;
                }
                move_to_unconfirmed_email(&mut client.patch);
            }
            IncomingMessage::PersonProfile(_)
            | IncomingMessage::Alias { .. }
            | IncomingMessage::Ignored => {}
        }
        Ok(message)
    }
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
    if received_at.duration_since(since) <= MAX_MEMBERSHIP_AGE {
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
