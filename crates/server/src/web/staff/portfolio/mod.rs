//! `/portfolio`: all clients, those first who need a person.

mod page;
mod row;
mod which;

use crate::web::Pages;

pub(in crate::web) use which::{read_place, write_place};

pub(in crate::web) fn pages() -> Pages {
    Pages::new().get("/portfolio", page::show_portfolio)
}
