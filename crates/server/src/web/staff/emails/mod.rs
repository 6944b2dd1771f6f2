//! `/emails`: the mails to clients, and what became of each.

mod list;
mod preview;
mod words;

use crate::web::Pages;

#[cfg(feature = "gallery")]
pub(in crate::web) use preview::policy;
pub(in crate::web) use words::delivery_words;

pub(in crate::web) fn pages() -> Pages {
    Pages::new()
        .get("/emails", list::show_emails)
        .get("/emails/{email_id}", preview::show_email)
        .get("/emails/{email_id}/html", preview::show_html)
}
