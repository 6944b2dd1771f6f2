//! What goes outside: news of alerts, the endpoints it goes to, and the outbox of messages.

pub(super) mod message;
pub(super) mod news;
pub(super) mod webhook;
