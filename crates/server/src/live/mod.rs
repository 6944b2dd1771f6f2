//! What happens, as it happens: events taken in, events refused, alerts and scores that changed.

mod arrived;
mod hub;
mod refusals;
mod streams;
mod watch;

pub use arrived::Arrived;
pub use hub::{Hub, LiveEvent, News, Subscription};
pub(crate) use refusals::Refused;
pub(crate) use streams::{OpenStream, StreamRefusal, Streams};
