//! `/tasks`: what staff are to do for clients.

mod change;
mod list;

use crate::web::Pages;

pub(in crate::web) use change::NewTaskForm;

pub(in crate::web) fn pages() -> Pages {
    Pages::new()
        .get("/tasks", list::show_tasks)
        .get("/tasks/{staff_task_id}", change::show_task)
        .post("/tasks/{staff_task_id}", change::change_task)
        .post("/tasks/{staff_task_id}/delete", change::delete_task)
}
