use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    EventError, MAX_CLIENT_ID_CHARS, MAX_NAME_CHARS, check_json, check_required, check_text,
};

/// What the host app tells of a client.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// What people call it.
    pub name: Option<String>,
    /// Its address.
    pub email: Option<String>,
    /// What it pays for.
    pub plan: Option<String>,
    /// The account it belongs to (Segment's group).
    pub group_id: Option<String>,
    /// Anything else.
    pub traits: Map<String, Value>,
}

/// Since when what is known of a client's profile holds: an older message that comes later must not
/// undo a newer one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProfileTimes {
    /// When the newest traits were told.
    pub traits_at: Option<Timestamp>,
    /// When the newest account was told.
    pub group_at: Option<Timestamp>,
}

/// What one message tells of a client.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileChange {
    /// The host app's id of the client.
    pub client_id: String,
    /// When it was told.
    pub at: Timestamp,
    /// What of it: `None` and missing traits say nothing, a trait that is null takes it away.
    pub told: Profile,
}

impl ProfileChange {
    /// Checks what is told, by the names of Segment's API.
    ///
    /// # Errors
    /// The first field at fault.
    pub fn check(&self) -> Result<(), EventError> {
        for (field, value) in [
            ("traits.name", &self.told.name),
            ("traits.email", &self.told.email),
            ("traits.plan", &self.told.plan),
        ] {
            if let Some(value) = value {
                check_text(field, value, MAX_NAME_CHARS)?;
            }
        }
        if let Some(group_id) = &self.told.group_id {
            check_required("groupId", group_id, MAX_CLIENT_ID_CHARS)?;
        }
        check_json("traits", &Value::Object(self.told.traits.clone()))
    }
}

impl Profile {
    /// Takes in what a message tells. Of two that tell the same thing, the later one counts,
    /// whichever comes first; an older one only fills in what nothing is known of.
    pub fn learn(&mut self, change: &ProfileChange, times: &mut ProfileTimes) {
        let told = &change.told;
        if told.group_id.is_some()
            && learns(&mut times.group_at, change.at, self.group_id.is_some())
        {
            self.group_id.clone_from(&told.group_id);
        }
        if told.name.is_none()
            && told.email.is_none()
            && told.plan.is_none()
            && told.traits.is_empty()
        {
            return;
        }
        let newer = times.traits_at.is_none_or(|known| known <= change.at);
        for (known, told) in [
            (&mut self.name, &told.name),
            (&mut self.email, &told.email),
            (&mut self.plan, &told.plan),
        ] {
            if told.is_some() && (newer || known.is_none()) {
                known.clone_from(told);
            }
        }
        for (name, value) in &told.traits {
            if newer && value.is_null() {
                self.traits.remove(name);
            } else if !value.is_null() && (newer || !self.traits.contains_key(name)) {
                self.traits.insert(name.clone(), value.clone());
            }
        }
        times.traits_at = times.traits_at.max(Some(change.at));
    }
}

/// Whether something told at an instant is to be kept, and moves on the time of what is known.
fn learns(known_at: &mut Option<Timestamp>, at: Timestamp, known: bool) -> bool {
    let newer = known_at.is_none_or(|known_at| known_at <= at);
    *known_at = (*known_at).max(Some(at));
    newer || !known
}
