//! Who is looking at a page. Handlers name what they need by the extractor they take:
//! [`StaffSession`] is any member, but a viewer only for requests that only read; [`AccountSession`] any
//! member, for its own account; [`AdminSession`] one who may change settings; [`Confirmed`] one who also
//! signed in lately or confirms its password; [`ClientSession`] a client, for its own pages.

mod client;
mod confirmed;
pub(super) mod cookie;
mod forwarded;
pub(super) mod once;
pub(super) mod origin;
mod staff;

pub(crate) use client::{ClientSession, Preview};
pub(crate) use confirmed::{Confirmed, Sensitive};
pub(crate) use staff::{AccountSession, AdminSession, StaffSession};
