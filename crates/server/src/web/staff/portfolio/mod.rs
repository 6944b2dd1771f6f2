//! `/portfolio`: all clients, those first who need a person.

mod page;
mod query;
mod row;

use crate::web::Pages;

pub(in crate::web) use query::{read_place, write_place};

pub(in crate::web) fn pages() -> Pages {
    Pages::new().get("/portfolio", page::show_portfolio)
}
