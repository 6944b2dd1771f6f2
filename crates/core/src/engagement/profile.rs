use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{EventError, MAX_NAME_CHARS, check_id, check_json, check_line};

/// Largest sum of the traits of one profile, in bytes of JSON: 64 KiB.
pub const MAX_TRAITS_BYTES: usize = 64 * 1024;
/// Most trait names of one profile, including those that were cleared: a cleared trait is remembered,
/// so that an older message which arrives later does not bring it back.
pub const MAX_TRAITS: usize = 1_000;

/// Profile of a client, a person or a group, as the host app reports it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// Display name.
    pub name: Option<String>,
    /// Its address.
    pub email: Option<String>,
    /// The address that a write key told: anybody may have.
    pub unconfirmed_email: Option<String>,
    /// Parts of the component that earn points.
    pub plan: Option<String>,
    /// The account it belongs to (Segment's group).
    pub group_id: Option<String>,
    /// Anything else.
    pub traits: Map<String, Value>,
}

/// The parts of a profile that are kept beside the traits.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ProfileField {
    /// [`Profile::name`].
    Name,
    /// [`Profile::email`].
    Email,
    /// [`Profile::unconfirmed_email`].
    UnconfirmedEmail,
    /// [`Profile::plan`].
    Plan,
    /// [`Profile::group_id`].
    Group,
}

impl ProfileField {
    /// Every field.
    pub const ALL: [Self; 5] =
        [Self::Name, Self::Email, Self::UnconfirmedEmail, Self::Plan, Self::Group];

    /// The field by its name in Segment's API.
    const fn segment_name(self) -> &'static str {
        match self {
            Self::Name => "traits.name",
            Self::Email | Self::UnconfirmedEmail => "traits.email",
            Self::Plan => "traits.plan",
            Self::Group => "groupId",
        }
    }
}

/// When a value was told and by which message: the greater stamp counts, so that two messages of one
/// instant have one answer whichever arrives first.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp(i64, String);

impl Stamp {
    /// The stamp of a message.
    pub fn new(at: Timestamp, message_id: &str) -> Self {
        Self(at.as_microsecond(), message_id.to_owned())
    }

    /// Time of the change.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0).unwrap_or_default()
    }
}

/// The stamp of each value of a profile, including those that were cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfileTimes {
    /// Of the fields.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<ProfileField, Stamp>,
    /// Of the traits.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub traits: BTreeMap<String, Stamp>,
}

impl ProfileTimes {
    /// The stamps of a profile that was all told at one instant, by nobody's message.
    pub fn all_at(profile: &Profile, at: Timestamp) -> Self {
        let stamp = Stamp::new(at, "");
        let set = ProfileField::ALL.into_iter().filter(|field| profile.field(*field).is_some());
        Self {
            fields: set.map(|field| (field, stamp.clone())).collect(),
            traits: profile.traits.keys().map(|name| (name.clone(), stamp.clone())).collect(),
        }
    }
}

/// Changes to a profile. What is not in it stays; `None` and JSON null clear.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProfilePatch {
    /// Of the fields.
    pub fields: BTreeMap<ProfileField, Option<String>>,
    /// Of the traits, one by one.
    pub traits: Map<String, Value>,
}

impl ProfilePatch {
    /// What a field is set to, if it is.
    pub fn set(&self, field: ProfileField) -> Option<&str> {
        self.fields.get(&field)?.as_deref()
    }
}

/// Change to a profile from one message.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileChange {
    /// The host app's id of the client, person or group.
    pub client_id: String,
    /// Time of the change; never later than it was received.
    pub at: Timestamp,
    /// The message that told it; of two at the same instant, the greater id counts.
    pub message_id: String,
    /// Change that it reported.
    pub patch: ProfilePatch,
}

impl ProfileChange {
    /// Checks what is told, by the names of Segment's API.
    ///
    /// # Errors
    /// The first field at fault.
    pub fn check(&self) -> Result<(), EventError> {
        for (field, value) in &self.patch.fields {
            match (field, value) {
                (ProfileField::Group, Some(group)) => {
                    check_id(field.segment_name(), group)?;
                }
                (_, Some(value)) => check_line(field.segment_name(), value, MAX_NAME_CHARS)?,
                (_, None) => {}
            }
        }
        check_json("traits", &Value::Object(self.patch.traits.clone()))?;
        check_count(self.patch.traits.len())
    }
}

impl Profile {
    /// The value of a field.
    pub const fn field(&self, field: ProfileField) -> Option<&String> {
        match field {
            ProfileField::Name => self.name.as_ref(),
            ProfileField::Email => self.email.as_ref(),
            ProfileField::UnconfirmedEmail => self.unconfirmed_email.as_ref(),
            ProfileField::Plan => self.plan.as_ref(),
            ProfileField::Group => self.group_id.as_ref(),
        }
    }

    const fn field_mut(&mut self, field: ProfileField) -> &mut Option<String> {
        match field {
            ProfileField::Name => &mut self.name,
            ProfileField::Email => &mut self.email,
            ProfileField::UnconfirmedEmail => &mut self.unconfirmed_email,
            ProfileField::Plan => &mut self.plan,
            ProfileField::Group => &mut self.group_id,
        }
    }

    /// The address to show: the confirmed one, else what a write key told.
    pub fn displayed_email(&self) -> Option<&str> {
        self.email.as_deref().or(self.unconfirmed_email.as_deref())
    }

    /// Takes in what a message tells. Each field and trait has its own time: the newest word on it
    /// counts, whichever message arrives first.
    ///
    /// # Errors
    /// When the traits would exceed [`MAX_TRAITS_BYTES`] or [`MAX_TRAITS`]; then nothing of the message
    /// is taken in. Which message is refused at that limit is the one decision that depends on the
    /// order of arrival.
    pub fn apply(
        &mut self,
        change: &ProfileChange,
        times: &mut ProfileTimes,
    ) -> Result<(), EventError> {
        let stamp = Stamp::new(change.at, &change.message_id);
        self.change(&change.patch, times, |_| stamp.clone())
    }

    /// Takes in what somebody decides now, such as a change by the API: it counts whatever was told
    /// before.
    ///
    /// # Errors
    /// As [`Profile::apply`].
    pub fn set(
        &mut self,
        patch: &ProfilePatch,
        now: Timestamp,
        times: &mut ProfileTimes,
    ) -> Result<(), EventError> {
        self.change(patch, times, |known| {
            let after = known.and_then(|known| known.at().checked_add(1.microsecond()).ok());
            Stamp::new(after.map_or(now, |after| after.max(now)), "")
        })
    }

    fn change(
        &mut self,
        patch: &ProfilePatch,
        times: &mut ProfileTimes,
        stamp: impl Fn(Option<&Stamp>) -> Stamp,
    ) -> Result<(), EventError> {
        let (mut changed, mut changed_times) = (self.clone(), times.clone());
        for (field, value) in &patch.fields {
            let stamp = stamp(times.fields.get(field));
            changed.merge_field(*field, value.as_ref(), &stamp, &mut changed_times);
        }
        for (name, value) in &patch.traits {
            let stamp = stamp(times.traits.get(name));
            changed.merge_trait(name, Some(value), &stamp, &mut changed_times);
        }
        if !patch.traits.is_empty() {
            check_count(changed_times.traits.len())?;
            check_sum(&changed.traits)?;
        }
        (*self, *times) = (changed, changed_times);
        Ok(())
    }

    /// Takes in all that is known of another profile, as if each message had told it of this one.
    pub fn merge(&mut self, times: &mut ProfileTimes, other: &Self, other_times: &ProfileTimes) {
        let unstamped = Stamp(i64::MIN, String::new());
        for field in ProfileField::ALL {
            let value = other.field(field);
            let stamp = other_times.fields.get(&field);
            if stamp.is_some() || value.is_some() {
                self.merge_field(field, value, stamp.unwrap_or(&unstamped), times);
            }
        }
        let names = other_times.traits.keys().chain(other.traits.keys());
        for name in names {
            let stamp = other_times.traits.get(name).unwrap_or(&unstamped);
            self.merge_trait(name, other.traits.get(name), stamp, times);
        }
    }

    fn merge_field(
        &mut self,
        field: ProfileField,
        value: Option<&String>,
        stamp: &Stamp,
        times: &mut ProfileTimes,
    ) {
        let known = self.field_mut(field);
        // Of two values with the same stamp, the greater one counts: any rule will do that does not
        // depend on the order of arrival.
        if (times.fields.get(&field), known.as_ref()) < (Some(stamp), value) {
            *known = value.cloned();
            times.fields.insert(field, stamp.clone());
        }
    }

    fn merge_trait(
        &mut self,
        name: &str,
        value: Option<&Value>,
        stamp: &Stamp,
        times: &mut ProfileTimes,
    ) {
        let value = value.filter(|value| !value.is_null());
        let newer = match times.traits.get(name) {
            Some(known) if known == stamp => {
                self.traits.get(name).map(Value::to_string) < value.map(Value::to_string)
            }
            known => known < Some(stamp),
        };
        if newer {
            match value {
                Some(value) => self.traits.insert(name.to_owned(), value.clone()),
                None => self.traits.remove(name),
            };
            times.traits.insert(name.to_owned(), stamp.clone());
        }
    }
}

fn check_count(count: usize) -> Result<(), EventError> {
    if count <= MAX_TRAITS {
        return Ok(());
    }
    Err(EventError::new(
        "traits",
        format!(
            "would be {count} different names, including cleared ones; the limit is {MAX_TRAITS}, \
             send fewer and put what belongs together into one trait"
        ),
    ))
}

fn check_sum(traits: &Map<String, Value>) -> Result<(), EventError> {
    let bytes = serde_json::to_string(traits).map_or(0, |text| text.len());
    if bytes <= MAX_TRAITS_BYTES {
        return Ok(());
    }
    Err(EventError::new(
        "traits",
        format!(
            "would be {bytes} bytes of JSON together with those that are kept; the limit is \
             {MAX_TRAITS_BYTES} (64 KiB), clear some by sending null first"
        ),
    ))
}
