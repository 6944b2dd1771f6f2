//! `/alerts`: open alerts of all clients, those that ended, and acting on them one by one or together.

mod act;
mod form;
mod lists;
mod page;
mod query;
mod selection;

use crate::web::Pages;

pub(in crate::web) use form::{AlertForm, is_about_until, snooze_problem, with_query};

pub(in crate::web) fn pages() -> Pages {
    Pages::new().get("/alerts", page::show_alerts).post("/alerts", act::act_on_alerts)
}
