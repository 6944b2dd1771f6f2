//! What clients do: the events, what makes one acceptable, and the windows they are counted in.

mod activity;
mod authority;
pub mod cloud_event;
mod event;
mod identifier;
mod json;
mod profile;
pub mod segment;
mod validation;
mod window;

pub use activity::{Activity, Rhythm};
pub use authority::Authority;
pub use event::{Event, EventType, IncomingEvent, UnknownEventType};
pub use identifier::normalize_id;
use identifier::normalized_id;
pub use json::parse_error;
pub use profile::{
    MAX_TRAITS, MAX_TRAITS_BYTES, Profile, ProfileChange, ProfileField, ProfilePatch, ProfileTimes,
    Stamp,
};
use validation::changed_at;
pub use validation::{
    EventError, MAX_CLIENT_ID_CHARS, MAX_DATA_BYTES, MAX_DURATION_SECONDS, MAX_MESSAGE_ID_CHARS,
    MAX_NAME_CHARS, MAX_PATH_CHARS, check_id, check_json, check_line, check_required, check_text,
    is_line, parse_timestamp, validate,
};
pub use window::Windows;
