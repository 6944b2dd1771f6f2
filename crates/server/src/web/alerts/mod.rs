//! `/alerts`: open alerts of all clients, those that ended, and acting on them one by one or together.

mod act;
mod chosen;
mod lists;
mod page;
mod which;

use super::Pages;

pub(super) fn pages() -> Pages {
    Pages::new().get("/alerts", page::show_alerts).post("/alerts", act::act_on_alerts)
}
