//! `/emails`: the mails to clients, and what became of each.

mod list;
mod preview;
mod words;

use super::Pages;

pub(super) use preview::policy;
pub(super) use words::told;

pub(super) fn pages() -> Pages {
    Pages::new()
        .get("/emails", list::show_emails)
        .get("/emails/{email_id}", preview::show_email)
        .get("/emails/{email_id}/html", preview::show_html)
}
