//! Live updates: stored events, rejected events, and changes of alerts and scores.

mod hub;
mod recent;
mod refusals;
mod streams;
mod watch;

pub use hub::{Hub, LiveEvent, LiveUpdate, Subscription};
pub use recent::RecentEvents;
pub(crate) use refusals::RefusedMessage;
pub(crate) use streams::{StreamPermit, StreamRefusal, Streams};
