use askama::Template;
use mainstay_store::{LaunchKitTimes, OnboardingTask, TaskStatus};

use super::{markup, view::View};
use crate::web::ui::text::Isolated;

/// A client's onboarding tasks; staff can change them.
#[derive(Template)]
#[template(path = "components/onboarding_tasks.html")]
pub(crate) struct OnboardingTasks {
    actions: bool,
    settled: usize,
    tasks: Vec<Task>,
    add: String,
}

struct Task {
    title: String,
    status: TaskStatus,
    icon: &'static str,
    words: String,
    action: String,
}

impl Task {
    fn about(&self) -> Isolated<'_> {
        Isolated(&self.title)
    }
}

/// What a task can be set to, in words.
const STATUSES: [(TaskStatus, &str); 5] = [
    (TaskStatus::Pending, "Not started"),
    (TaskStatus::InProgress, "In progress"),
    (TaskStatus::Completed, "Done"),
    (TaskStatus::Skipped, "Skipped"),
    (TaskStatus::Deleted, "Remove"),
];

impl OnboardingTasks {
    /// Tasks in the order in which they were made.
    pub(crate) fn new(view: &View, tasks: &[OnboardingTask]) -> Self {
        let is_settled = |task: &&OnboardingTask| {
            matches!(task.status, TaskStatus::Completed | TaskStatus::Skipped)
        };
        Self {
            actions: view.has_actions(),
            settled: tasks.iter().filter(is_settled).count(),
            tasks: tasks
                .iter()
                .map(|task| Task {
                    title: task.title.clone(),
                    status: task.status,
                    icon: match task.status {
                        TaskStatus::Completed => "task",
                        TaskStatus::Skipped | TaskStatus::Deleted => "x",
                        TaskStatus::InProgress => "clock",
                        TaskStatus::Pending => "box",
                    },
                    words: words(view, task),
                    action: view.link(&format!("/tasks/{}", task.id)),
                })
                .collect(),
            add: view.link("/tasks"),
        }
    }
}

fn words(view: &View, task: &OnboardingTask) -> String {
    let touched = view.day_of(task.updated_at);
    match task.status {
        TaskStatus::Pending => format!("Open since {}", view.day_of(task.created_at)),
        TaskStatus::InProgress => format!("In progress, last updated {touched}"),
        TaskStatus::Completed => format!("Done {touched}"),
        TaskStatus::Skipped => format!("Skipped {touched}"),
        TaskStatus::Deleted => format!("Removed {touched}"),
    }
}

/// How far a client got with its launch kit; staff can say so for it.
#[derive(Template)]
#[template(path = "components/launch_kit.html")]
pub(crate) struct LaunchKitCard {
    actions: bool,
    viewed: Option<String>,
    completed: Option<String>,
    action: String,
}

impl LaunchKitCard {
    /// A launch kit by when it was looked at and completed.
    pub(crate) fn new(view: &View, times: LaunchKitTimes) -> Self {
        Self {
            actions: view.has_actions(),
            viewed: times.viewed_at.map(|at| view.moment(at)),
            completed: times.completed_at.map(|at| view.moment(at)),
            action: view.link("/launch-kit"),
        }
    }
}

markup!(OnboardingTasks, LaunchKitCard);
