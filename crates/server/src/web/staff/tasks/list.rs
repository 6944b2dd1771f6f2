use askama::Template;
use axum::extract::State;
use mainstay_core::{
    playbook::StaffTaskState,
    text::{count_noun, format_thousands},
};
use mainstay_store::{DueDateCursor, StaffTask, StaffTaskFilter};
use serde::Deserialize;
use url::form_urlencoded;

use crate::{
    Error, Result,
    web::{
        PageResult, Place, Query, StaffSession, StaffShell, Web, show,
        staff::people::People,
        ui::{components::StaffTaskRow, text::visible},
    },
};

/// Tasks a page.
const PAGE_SIZE: i64 = 50;
/// What stands for nobody in the filter.
const UNASSIGNED: &str = "nobody";

/// A part of the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TaskView {
    Mine,
    All,
    Done,
    Dismissed,
}

impl TaskView {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Mine, "mine", "Mine"),
        (Self::All, "all", "All"),
        (Self::Done, "done", "Done"),
        (Self::Dismissed, "dismissed", "Dismissed"),
    ];

    const fn state(self) -> StaffTaskState {
        match self {
            Self::Mine | Self::All => StaffTaskState::Open,
            Self::Done => StaffTaskState::Done,
            Self::Dismissed => StaffTaskState::Dismissed,
        }
    }
}

/// The address: which tasks, and what was just done.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TaskQuery {
    view: String,
    owner: String,
    after: String,
    done: String,
}

impl TaskQuery {
    fn part(&self) -> Result<TaskView> {
        if self.view.is_empty() {
            return Ok(TaskView::Mine);
        }
        let found = TaskView::ALL.into_iter().find(|(_, name, _)| *name == self.view);
        found.map(|(part, ..)| part).ok_or_else(|| {
            let names = TaskView::ALL.map(|(_, name, _)| name).join(", ");
            Error::invalid("view", format!("unknown view {:?}: use one of {names}", self.view))
        })
    }

    fn filter(&self, session: &StaffSession) -> Result<StaffTaskFilter> {
        let part = self.part()?;
        let chosen = match self.owner.as_str() {
            _ if part == TaskView::Mine => Some(session.member_id()),
            "" | UNASSIGNED => None,
            id => Some(id.parse().map_err(|_| {
                Error::invalid("owner", "is not a member; choose one from the list, or nobody")
            })?),
        };
        Ok(StaffTaskFilter {
            owner: chosen,
            unowned: part != TaskView::Mine && self.owner == UNASSIGNED,
            state: Some(part.state()),
            latest_first: part.state() != StaffTaskState::Open,
            after: self.place()?,
            ..StaffTaskFilter::default()
        })
    }

    fn place(&self) -> Result<Option<DueDateCursor>> {
        if self.after.is_empty() {
            return Ok(None);
        }
        let read = || {
            let (due, id) = self.after.split_once('~')?;
            Some((due.parse().ok()?, id.parse().ok()?))
        };
        read().map(Some).ok_or_else(|| {
            Error::invalid("after", "is not a valid cursor; go back to the first page")
        })
    }

    fn link(&self) -> String {
        let given = [("view", &self.view), ("owner", &self.owner), ("after", &self.after)];
        let given = given.into_iter().filter(|(_, value)| !value.is_empty());
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
        if query.is_empty() { "/tasks".to_owned() } else { format!("/tasks?{query}") }
    }
}

struct Tab {
    href: String,
    words: &'static str,
    current: bool,
}

struct Group {
    words: &'static str,
    rows: Vec<StaffTaskRow>,
}

#[derive(Template)]
#[template(path = "tasks/tasks.html")]
struct TasksPage {
    shell: StaffShell,
    headline: String,
    done: Option<&'static str>,
    tabs: Vec<Tab>,
    view: String,
    owners: Option<Vec<(String, String, bool)>>,
    groups: Vec<Group>,
    blank: &'static str,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn show_tasks(
    session: StaffSession,
    State(web): State<Web>,
    Query(query): Query<TaskQuery>,
) -> PageResult {
    let part = query.part()?;
    let filter = query.filter(&session)?;
    let mut tasks = web.mainstay.staff_tasks(session.scope, &filter, PAGE_SIZE + 1).await?;
    let more = i64::try_from(tasks.len()).is_ok_and(|count| count > PAGE_SIZE);
    tasks.truncate(usize::try_from(PAGE_SIZE).unwrap_or(usize::MAX));
    let next = tasks.last().filter(|_| more).map(|last| {
        TaskQuery { after: format!("{}~{}", last.due_on, last.id), ..query.clone() }.link()
    });
    let me = Some(session.member_id());
    let late = web.mainstay.overdue_staff_tasks(session.scope, me).await?;
    let people = People::load(&web.mainstay, &session).await?;
    let mut shell = session.shell(Place::Tasks);
    shell.late_tasks = Some(late).filter(|late| *late > 0);
    show(&TasksPage {
        shell,
        headline: headline(late),
        done: done_message(&query.done),
        tabs: TaskView::ALL
            .map(|(one, name, words)| Tab {
                href: TaskQuery { view: name.to_owned(), ..TaskQuery::default() }.link(),
                words,
                current: one == part,
            })
            .into(),
        owners: (part != TaskView::Mine).then(|| owners(&people, &query.owner)),
        groups: groups(&web, &session, &people, &query, &tasks),
        blank: blank(part),
        first: (!query.after.is_empty())
            .then(|| TaskQuery { after: String::new(), ..query.clone() }.link()),
        view: query.view,
        next,
    })
}

fn headline(late: i64) -> String {
    match late {
        0 => "No overdue tasks".to_owned(),
        1 => "1 of your tasks is overdue".to_owned(),
        late => format!("{} of your tasks are overdue", format_thousands(late)),
    }
}

fn done_message(done: &str) -> Option<&'static str> {
    Some(match done {
        "saved" => "Saved.",
        "done" => "Done. The history keeps who did it and when.",
        "dismissed" => "Dismissed.",
        "open" => "Reopened.",
        "deleted" => "Deleted.",
        _ => return None,
    })
}

const fn blank(part: TaskView) -> &'static str {
    match part {
        TaskView::Mine => "You have no tasks. Tasks come from playbooks and from client pages.",
        TaskView::All => "No open tasks. Tasks come from playbooks and from client pages.",
        TaskView::Done => {
            "No tasks are done yet. Finished tasks are listed here, with who did them and when."
        }
        TaskView::Dismissed => "No dismissed tasks. Tasks that were not needed are listed here.",
    }
}

fn owners(people: &People, chosen: &str) -> Vec<(String, String, bool)> {
    let choice = |value: String, words: &str| {
        let is_chosen = value == chosen;
        (value, words.to_owned(), is_chosen)
    };
    let members = people
        .all
        .iter()
        .map(|member| choice(member.id.to_string(), visible(&member.name, &member.email)));
    members.chain([choice(UNASSIGNED.to_owned(), "Unassigned")]).collect()
}

fn groups(
    web: &Web,
    session: &StaffSession,
    people: &People,
    query: &TaskQuery,
    tasks: &[StaffTask],
) -> Vec<Group> {
    let now = web.mainstay.now();
    let mut groups: Vec<Group> = Vec::new();
    for task in tasks {
        let view = session.view(now, &task.client_id);
        let words = match (task.state, task.due_on.cmp(&view.today())) {
            (StaffTaskState::Done | StaffTaskState::Dismissed, _) => "By due date",
            (StaffTaskState::Open, std::cmp::Ordering::Less) => "Late",
            (StaffTaskState::Open, std::cmp::Ordering::Equal) => "Due today",
            (StaffTaskState::Open, std::cmp::Ordering::Greater) => "Due later",
        };
        let row = StaffTaskRow::new(&view, people, task, query.link()).with_client(&view, task);
        match groups.last_mut() {
            Some(last) if last.words == words => last.rows.push(row),
            _ => groups.push(Group { words, rows: vec![row] }),
        }
    }
    groups
}

impl Group {
    fn count(&self) -> String {
        count_noun(i64::try_from(self.rows.len()).unwrap_or(i64::MAX), "task")
    }
}
