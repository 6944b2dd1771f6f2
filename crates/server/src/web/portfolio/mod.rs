//! `/portfolio`: all clients, those first who need a person.

mod page;
mod row;
mod which;

use super::Pages;

pub(super) use which::{read_place, write_place};

pub(super) fn pages() -> Pages {
    Pages::new().get("/portfolio", page::show_portfolio)
}
