//! What clients do: the events, what makes one acceptable, and the windows they are counted in.

mod activity;
pub mod cloud_event;
mod event;
mod profile;
pub mod segment;
mod validation;
mod window;

pub use activity::{Activity, Rhythm};
pub use event::{Event, EventType, IncomingEvent, UnknownEventType};
pub use profile::{Profile, ProfileChange, ProfileTimes};
use validation::settle;
pub use validation::{
    EventError, MAX_CLIENT_ID_CHARS, MAX_DATA_BYTES, MAX_DURATION_SECONDS, MAX_MESSAGE_ID_CHARS,
    MAX_NAME_CHARS, MAX_PATH_CHARS, check_json, check_required, check_text, parse_timestamp,
    validate,
};
pub use window::Windows;
