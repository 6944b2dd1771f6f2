use askama::Template;
use axum::extract::State;
use mainstay_core::{
    playbook::StaffTaskState,
    text::{counted, grouped},
};
use mainstay_store::{DuePlace, StaffTask, StaffTaskFilter};
use serde::Deserialize;
use url::form_urlencoded;

use crate::{
    Error, Result,
    web::{
        Answer, Asked, Place, StaffSession, StaffShell, Web, show,
        staff::people::People,
        ui::{components::StaffTaskRow, text::visible},
    },
};

/// Tasks a page.
const SHOWN: i64 = 50;
/// What stands for nobody in the filter.
const NOBODY: &str = "nobody";

/// A part of the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Mine,
    All,
    Done,
    Dismissed,
}

impl Part {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Mine, "mine", "Mine"),
        (Self::All, "all", "Everybody’s"),
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
pub(super) struct Which {
    view: String,
    owner: String,
    after: String,
    done: String,
}

impl Which {
    fn part(&self) -> Result<Part> {
        if self.view.is_empty() {
            return Ok(Part::Mine);
        }
        let found = Part::ALL.into_iter().find(|(_, name, _)| *name == self.view);
        found.map(|(part, ..)| part).ok_or_else(|| {
            let names = Part::ALL.map(|(_, name, _)| name).join(", ");
            Error::invalid("view", format!("unknown view {:?}: use one of {names}", self.view))
        })
    }

    fn filter(&self, session: &StaffSession) -> Result<StaffTaskFilter> {
        let part = self.part()?;
        let chosen = match self.owner.as_str() {
            _ if part == Part::Mine => Some(session.member_id()),
            "" | NOBODY => None,
            id => Some(id.parse().map_err(|_| {
                Error::invalid("owner", "is no member; choose one of the list, or nobody")
            })?),
        };
        Ok(StaffTaskFilter {
            owner: chosen,
            unowned: part != Part::Mine && self.owner == NOBODY,
            state: Some(part.state()),
            latest_first: part.state() != StaffTaskState::Open,
            after: self.place()?,
            ..StaffTaskFilter::default()
        })
    }

    fn place(&self) -> Result<Option<DuePlace>> {
        if self.after.is_empty() {
            return Ok(None);
        }
        let read = || {
            let (due, id) = self.after.split_once('~')?;
            Some((due.parse().ok()?, id.parse().ok()?))
        };
        read().map(Some).ok_or_else(|| {
            Error::invalid("after", "is not where a page ended; go back to the first page")
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
    Asked(which): Asked<Which>,
) -> Answer {
    let part = which.part()?;
    let filter = which.filter(&session)?;
    let mut tasks = web.mainstay.staff_tasks(session.scope, &filter, SHOWN + 1).await?;
    let more = i64::try_from(tasks.len()).is_ok_and(|count| count > SHOWN);
    tasks.truncate(usize::try_from(SHOWN).unwrap_or(usize::MAX));
    let next = tasks.last().filter(|_| more).map(|last| {
        Which { after: format!("{}~{}", last.due_on, last.id), ..which.clone() }.link()
    });
    let me = Some(session.member_id());
    let late = web.mainstay.overdue_staff_tasks(session.scope, me).await?;
    let people = People::load(&web.mainstay, &session).await?;
    let mut shell = session.shell(Place::Tasks);
    shell.late_tasks = Some(late).filter(|late| *late > 0);
    show(&TasksPage {
        shell,
        headline: headline(late),
        done: told(&which.done),
        tabs: Part::ALL
            .map(|(one, name, words)| Tab {
                href: Which { view: name.to_owned(), ..Which::default() }.link(),
                words,
                current: one == part,
            })
            .into(),
        owners: (part != Part::Mine).then(|| owners(&people, &which.owner)),
        groups: groups(&web, &session, &people, &which, &tasks),
        blank: blank(part),
        first: (!which.after.is_empty())
            .then(|| Which { after: String::new(), ..which.clone() }.link()),
        view: which.view,
        next,
    })
}

fn headline(late: i64) -> String {
    match late {
        0 => "No task of yours is late".to_owned(),
        1 => "1 task of yours is late".to_owned(),
        late => format!("{} tasks of yours are late", grouped(late)),
    }
}

fn told(done: &str) -> Option<&'static str> {
    Some(match done {
        "saved" => "Saved.",
        "done" => "Done. Who did it and when is kept.",
        "dismissed" => "Dismissed.",
        "open" => "It is open again.",
        "deleted" => "Deleted.",
        _ => return None,
    })
}

const fn blank(part: Part) -> &'static str {
    match part {
        Part::Mine => "None is yours. A task comes from a playbook, or from a client’s page.",
        Part::All => "None is open. A task comes from a playbook, or from a client’s page.",
        Part::Done => "None is done yet. Finished tasks are kept here, with who and when.",
        Part::Dismissed => "None was dismissed. What need not be done is kept here.",
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
    members.chain([choice(NOBODY.to_owned(), "Nobody")]).collect()
}

fn groups(
    web: &Web,
    session: &StaffSession,
    people: &People,
    which: &Which,
    tasks: &[StaffTask],
) -> Vec<Group> {
    let now = web.mainstay.now();
    let mut groups: Vec<Group> = Vec::new();
    for task in tasks {
        let view = session.view(now, &task.client_id);
        let words = match (task.state, task.due_on.cmp(&view.today())) {
            (StaffTaskState::Done | StaffTaskState::Dismissed, _) => "By the day they were due",
            (StaffTaskState::Open, std::cmp::Ordering::Less) => "Late",
            (StaffTaskState::Open, std::cmp::Ordering::Equal) => "Due today",
            (StaffTaskState::Open, std::cmp::Ordering::Greater) => "Due later",
        };
        let row = StaffTaskRow::new(&view, people, task, which.link()).with_client(&view, task);
        match groups.last_mut() {
            Some(last) if last.words == words => last.rows.push(row),
            _ => groups.push(Group { words, rows: vec![row] }),
        }
    }
    groups
}

impl Group {
    fn count(&self) -> String {
        counted(i64::try_from(self.rows.len()).unwrap_or(i64::MAX), "task")
    }
}
