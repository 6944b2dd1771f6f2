//! Who is looking at a page. Handlers name what they need by the extractor they take:
//! [`StaffSession`] is any member, [`AdminSession`] one who may change settings, [`ClientSession`] a
//! client, for its own pages.

mod client;
pub(super) mod cookie;
pub(super) mod origin;
mod staff;

pub(crate) use client::ClientSession;
pub(crate) use staff::{AdminSession, StaffSession};
