use askama::Template;
use jiff::civil::Date;
use mainstay_core::{playbook::StaffTaskState, text::count_noun, time::days_between};
use mainstay_store::StaffTask;

use super::{markup, name::display_name, view::View};
use crate::web::{staff::people::People, ui::text::Isolated};

/// Something that staff are to do: an entry of a list of class `rows`.
#[derive(Template)]
#[template(path = "components/staff_task_row.html")]
pub(crate) struct StaffTaskRow {
    icon: &'static str,
    title: String,
    text: String,
    /// Where the client is and what it is called, where the page itself does not say so.
    client: Option<(String, String)>,
    due: String,
    late: bool,
    owner: String,
    from: Option<String>,
    is_open: bool,
    /// Whether the signed-in member may change it.
    actions: bool,
    action: String,
    back: String,
}

impl StaffTaskRow {
    /// A task as `view`, of its client, shows it; `back` is where an action leads to afterwards.
    pub(crate) fn new(view: &View, people: &People, task: &StaffTask, back: String) -> Self {
        let is_open = task.state == StaffTaskState::Open;
        let late = is_open && task.due_on < view.today();
        Self {
            icon: match task.state {
                StaffTaskState::Open if late => "warning",
                StaffTaskState::Open => "task",
                StaffTaskState::Done => "check",
                StaffTaskState::Dismissed => "x",
            },
            title: task.title.clone(),
            text: task.text.clone(),
            client: None,
            due: if is_open { due(view, task.due_on) } else { finished(view, people, task) },
            late,
            owner: task.owner.map_or_else(
                || "Unassigned".to_owned(),
                |owner| format!("for {}", Isolated(&people.name(Some(owner)))),
            ),
            from: task.run.map(|_| "created by a playbook".to_owned()),
            is_open,
            actions: view.has_actions(),
            action: format!("/tasks/{}", task.id),
            back,
        }
    }

    /// With whom it is for.
    pub(crate) fn with_client(self, view: &View, task: &StaffTask) -> Self {
        let name = display_name(task.client_name.as_deref(), &task.client_id).to_owned();
        Self { client: Some((view.link(""), name)), ..self }
    }

    fn about(&self) -> Isolated<'_> {
        Isolated(&self.title)
    }
}

/// `Due Fri 8 May`, and by how much it is late.
fn due(view: &View, on: Date) -> String {
    let days = days_between(on, view.today());
    let late = match days {
        i32::MIN..=-2 => String::new(),
        -1 => ", tomorrow".to_owned(),
        0 => ", today".to_owned(),
        days => format!(", {} late", count_noun(i64::from(days), "day")),
    };
    format!("Due {}{late}", view.weekday(on))
}

fn finished(view: &View, people: &People, task: &StaffTask) -> String {
    let done = match task.state {
        StaffTaskState::Dismissed => "Dismissed",
        _ => "Done",
    };
    let when = task.finished_at.map_or_else(String::new, |at| format!(", {}", view.moment(at)));
    format!("{done} by {}{when}", Isolated(&people.name(task.finished_by)))
}

markup!(StaffTaskRow);
