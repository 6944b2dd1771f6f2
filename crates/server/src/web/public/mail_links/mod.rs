//! `/email`: where the links in mails lead. Whoever has a mail may follow them, signed in or not.

mod confirm;
mod stale;
mod track;
mod unsubscribe;

use crate::{
    email::{LinkPurpose, OpenedEmail},
    web::{PageError, Pages, Web},
};

pub(in crate::web) fn pages() -> Pages {
    Pages::new()
        .get("/email/open/{token}", track::open)
        .get("/email/click/{token}", track::click)
        .post("/email/click/{token}", stale::send_link)
        .get(UNSUBSCRIBE, unsubscribe::form)
        .post(UNSUBSCRIBE, unsubscribe::unsubscribe)
        .get("/email/confirm/{token}", confirm::form)
        .post("/email/confirm/{token}", confirm::confirm)
}

const UNSUBSCRIBE: &str = "/email/unsubscribe/{token}";

/// Where a mail program may post without having been on a page of ours: its button for unsubscribing
/// (RFC 8058). Who knows the address has the mail, and no cookie is looked at.
pub(in crate::web) fn allows_cross_site(path: &str) -> bool {
    path.starts_with("/email/unsubscribe/")
}

/// The mail that a link for a purpose names.
async fn found(web: &Web, purpose: LinkPurpose, token: &str) -> Result<OpenedEmail, PageError> {
    web.mainstay.email_of_link(purpose, token).await?.ok_or_else(|| {
        PageError::not_found("This link belongs to no email. Check that you copied all of it.")
    })
}
