use mainstay_core::{
    alert::Severity,
    playbook::{MAX_TASKS, Playbook, PlaybookAction, PlaybookTask, Trigger},
};

use crate::{Error, Result};

/// The form of a playbook as it is filled in.
#[derive(Clone, Debug, Default)]
pub(super) struct PlaybookForm {
    pub(super) name: String,
    pub(super) enabled: bool,
    pub(super) on: String,
    pub(super) kind: String,
    pub(super) at_least: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) nudge: bool,
    /// Each webhook that is called, by its id.
    pub(super) webhooks: Vec<String>,
    /// As many as there may be; one without a title is none.
    pub(super) tasks: Vec<PlaybookTaskForm>,
}

/// The fields of a task.
#[derive(Clone, Debug, Default)]
pub(super) struct PlaybookTaskForm {
    pub(super) title: String,
    pub(super) text: String,
    pub(super) days: String,
    pub(super) otherwise: String,
}

impl PlaybookForm {
    pub(super) fn of(playbook: &Playbook, enabled: bool) -> Self {
        let mut form = Self {
            name: playbook.name.clone(),
            enabled,
            at_least: Severity::Warning.to_string(),
            ..Self::default()
        };
        match playbook.trigger {
            Trigger::Alert { kind, at_least } => {
                "alert".clone_into(&mut form.on);
                form.kind = kind.map(|kind| kind.to_string()).unwrap_or_default();
                form.at_least = at_least.to_string();
            }
            Trigger::Band { from, to } => {
                "band".clone_into(&mut form.on);
                form.from = from.map(|from| from.to_string()).unwrap_or_default();
                form.to = to.to_string();
            }
        }
        for action in &playbook.actions {
            match action {
                PlaybookAction::Task(task) => form.tasks.push(PlaybookTaskForm {
                    title: task.title.clone(),
                    text: task.text.clone(),
                    days: task.due_in_days.to_string(),
                    otherwise: task.otherwise.map(|id| id.to_string()).unwrap_or_default(),
                }),
                PlaybookAction::Nudge => form.nudge = true,
                PlaybookAction::Webhook { webhook } => form.webhooks.push(webhook.to_string()),
            }
        }
        form.with_room()
    }

    /// An empty form.
    pub(super) fn blank() -> Self {
        let at_least = Severity::Warning.to_string();
        Self { on: "alert".to_owned(), enabled: true, at_least, ..Self::default() }.with_room()
    }

    /// What was sent: fields in pairs, those of tasks with the task's number.
    pub(super) fn from_fields(fields: &[(String, String)]) -> Self {
        let field = |name: &str| {
            let found = fields.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let task = |number: usize| PlaybookTaskForm {
            title: field(&format!("title-{number}")),
            text: field(&format!("text-{number}")),
            days: field(&format!("days-{number}")),
            otherwise: field(&format!("otherwise-{number}")),
        };
        Self {
            name: field("name"),
            enabled: !field("enabled").is_empty(),
            on: field("on"),
            kind: field("type"),
            at_least: field("at_least"),
            from: field("from"),
            to: field("to"),
            nudge: !field("nudge").is_empty(),
            webhooks: fields
                .iter()
                .filter(|(name, _)| name == "webhook")
                .map(|(_, id)| id.clone())
                .collect(),
            tasks: (0..MAX_TASKS).map(task).collect(),
        }
    }

    fn with_room(mut self) -> Self {
        self.tasks.resize_with(MAX_TASKS, || PlaybookTaskForm {
            days: "2".to_owned(),
            ..PlaybookTaskForm::default()
        });
        self
    }

    pub(super) fn playbook(&self) -> Result<Playbook> {
        let mut actions = Vec::new();
        for task in self.tasks.iter().filter(|task| !task.is_blank()) {
            actions.push(PlaybookAction::Task(task.task()?));
        }
        if self.nudge {
            actions.push(PlaybookAction::Nudge);
        }
        for id in &self.webhooks {
            let unknown = |_| Error::invalid("webhook", "is not in the list; choose one from it");
            actions.push(PlaybookAction::Webhook { webhook: id.parse().map_err(unknown)? });
        }
        Ok(Playbook { name: self.name.trim().to_owned(), trigger: self.trigger()?, actions })
    }

    fn trigger(&self) -> Result<Trigger> {
        match self.on.as_str() {
            "alert" => Ok(Trigger::Alert {
                kind: any("type", &self.kind)?,
                at_least: one("at_least", &self.at_least)?,
            }),
            "band" => {
                Ok(Trigger::Band { from: any("from", &self.from)?, to: one("to", &self.to)? })
            }
            _ => Err(Error::invalid("on", "is neither an alert nor a band; choose one")),
        }
    }
}

impl PlaybookTaskForm {
    pub(super) fn is_blank(&self) -> bool {
        self.title.trim().is_empty() && self.text.trim().is_empty()
    }

    fn task(&self) -> Result<PlaybookTask> {
        let days = self.days.trim().parse();
        Ok(PlaybookTask {
            title: self.title.trim().to_owned(),
            text: self.text.trim().to_owned(),
            due_in_days: days.map_err(|_| {
                Error::invalid("days", format!("{:?} is not a whole number of days", self.days))
            })?,
            otherwise: match self.otherwise.as_str() {
                "" => None,
                id => Some(id.parse().map_err(|_| {
                    Error::invalid("otherwise", "is not a member; choose one from the list")
                })?),
            },
        })
    }
}

fn one<T: std::str::FromStr<Err: std::fmt::Display>>(field: &str, name: &str) -> Result<T> {
    name.parse().map_err(|error: T::Err| Error::invalid(field, error.to_string()))
}

fn any<T: std::str::FromStr<Err: std::fmt::Display>>(field: &str, name: &str) -> Result<Option<T>> {
    if name.is_empty() { Ok(None) } else { one(field, name).map(Some) }
}
