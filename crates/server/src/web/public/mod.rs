//! Pages for which nobody needs to be signed in: signing in, and where links in emails lead.

pub(super) mod mail_links;
pub(super) mod sign_in;
pub(super) mod theme;
