//! `/settings/playbooks`: what follows from alerts and changes of the band, and what came of it.

mod edit;
mod filled;
mod list;
mod words;

use crate::web::Pages;

const PATH: &str = "/settings/playbooks";

pub(super) fn pages() -> Pages {
    Pages::new()
        .get(PATH, list::show_playbooks)
        .post(PATH, edit::create)
        .get("/settings/playbooks/new", edit::new)
        .get("/settings/playbooks/{playbook_id}", edit::edit)
        .post("/settings/playbooks/{playbook_id}", edit::save)
        .post("/settings/playbooks/{playbook_id}/switch", list::switch)
        .post("/settings/playbooks/{playbook_id}/approve", list::approve)
        .post("/settings/playbooks/{playbook_id}/reject", list::reject)
        .get("/settings/playbooks/{playbook_id}/delete", list::ask_to_delete)
        .post("/settings/playbooks/{playbook_id}/delete", list::delete)
}
