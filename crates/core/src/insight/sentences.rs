//! Titles and messages for clients: the fact, its number, what to do; "you", and no praise.

use jiff::civil::Date;

use super::{
    ComponentChange, LifetimeCount, PendingTask, WeekFacts,
    words::{format_day, format_local_day, format_ordinal, join_with_and},
};
use crate::{
    engagement::EventType,
    score::{Action, Improvement, Milestone, Previous, ScoreInputs, ScoreModel},
    text::{count_noun, format_thousands},
    time::days_between,
};

/// The two things that clients make and that have milestones.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Content,
    Visual,
}

impl Kind {
    pub(super) const fn event(self) -> EventType {
        match self {
            Self::Content => EventType::ContentGenerated,
            Self::Visual => EventType::VisualCreated,
        }
    }

    pub(super) const fn lifetime(self, facts: &WeekFacts<'_>) -> LifetimeCount {
        match self {
            Self::Content => facts.content,
            Self::Visual => facts.visuals,
        }
    }

    pub(super) fn milestones(self, model: &ScoreModel) -> &[Milestone] {
        match self {
            Self::Content => &model.progress.content,
            Self::Visual => &model.progress.visuals,
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::Content => "piece of content",
            Self::Visual => "visual",
        }
    }

    const fn plural(self) -> &'static str {
        match self {
            Self::Content => "pieces of content",
            Self::Visual => "visuals",
        }
    }

    /// `no content`, `1 piece of content`, `2 pieces of content`.
    fn count_noun(self, count: i64) -> String {
        match (self, count) {
            (Self::Content, 0) => "no content".to_owned(),
            (Self::Visual, 0) => "no visuals".to_owned(),
            _ => count_noun(count, self.noun()),
        }
    }

    /// As in "Write your 5th piece of content", "5 pieces of content written", "You wrote 5 pieces of
    /// content".
    const fn verbs(self) -> [&'static str; 3] {
        match self {
            Self::Content => ["Write", "written", "wrote"],
            Self::Visual => ["Make", "made", "made"],
        }
    }

    /// `The next milestone is the 10th: 4 more.`, with a space before it; empty after the last one.
    fn next_milestone(self, count: i64, model: &ScoreModel) -> String {
        self.milestones(model).iter().find(|step| step.at > count).map_or_else(
            String::new,
            |step| {
                format!(
                    " The next milestone is the {}: {} more.",
                    format_ordinal(step.at),
                    format_thousands(step.at - count)
                )
            },
        )
    }
}

fn period(facts: &WeekFacts<'_>) -> String {
    facts.period.describe_from(facts.period.first)
}

pub(super) fn no_activity(facts: &WeekFacts<'_>, from: Date) -> (String, String) {
    let days = i64::from(days_between(from, facts.period.last)) + 1;
    let last = facts.score.inputs.last.map_or_else(String::new, |last| {
        format!("; your last was on {}", format_local_day(last, facts.zone, facts.as_of))
    });
    // A client that came back after the period needs no telling to.
    let back = facts.score.inputs.last.is_some_and(|last| last >= facts.period.end);
    let advice = if back { "" } else { " One visit makes a day active." };
    (
        format!("No activity for {}", count_noun(days, "day")),
        format!("You had no activity {}{last}.{advice}", facts.period.describe_from(from)),
    )
}

pub(super) fn score_moved(
    facts: &WeekFacts<'_>,
    previous: &Previous,
    change: i64,
    component_changes: &[ComponentChange],
) -> (String, String) {
    let verb = if change < 0 { "fell" } else { "rose" };
    let parts = if component_changes.is_empty() {
        String::new()
    } else {
        format!(" In points: {}.", ComponentChange::words(component_changes))
    };
    (
        format!("Your score {verb} {} points, to {}", change.abs(), facts.score.overall),
        format!(
            "It was {} on {}.{parts} Open the score to see the events behind each part.",
            previous.overall,
            format_local_day(previous.as_of, facts.zone, facts.as_of),
        ),
    )
}

/// A step that would raise a score, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepWords {
    /// What to do: "Make your 5th visual".
    pub title: String,
    /// What is true now: "You have 4 visuals; the 5th reaches a milestone."
    pub fact: String,
}

/// What an improvement asks of the client with these inputs and open tasks.
pub fn step_words(
    step: &Improvement,
    inputs: &ScoreInputs,
    model: &ScoreModel,
    pending_tasks: &[PendingTask],
) -> StepWords {
    let (title, fact) = match step.action {
        Action::GenerateContent => make_more(Kind::Content, inputs.content, step, model),
        Action::CreateVisual => make_more(Kind::Visual, inputs.visuals, step, model),
        Action::CompleteTask => (
            match pending_tasks {
                [only] => format!("Finish “{}”", only.title),
                _ => "Finish an onboarding task".to_owned(),
            },
            format!(
                "You have done {} of {}.",
                inputs.settled,
                count_noun(inputs.tasks, "onboarding task")
            ),
        ),
        Action::ViewLaunchKit => (
            "Open your launch kit".to_owned(),
            "You have not opened your launch kit yet.".to_owned(),
        ),
        Action::BeActive if inputs.active_today() => (
            "Visit once more".to_owned(),
            format!("You had {} in the last 7 days.", count_noun(inputs.events, "event")),
        ),
        Action::BeActive => (
            "Visit on one more day".to_owned(),
            format!("You were active on {} of the last 7 days.", inputs.active_days),
        ),
    };
    StepWords { title, fact }
}

pub(super) fn best_next_step(facts: &WeekFacts<'_>, step: &Improvement) -> (String, String) {
    let StepWords { title, fact } =
        step_words(step, &facts.score.inputs, facts.model, &facts.pending_tasks);
    let message = format!("{fact} “Ways to improve” shows what it is worth now.");
    (title, message)
}

fn make_more(kind: Kind, count: i64, step: &Improvement, model: &ScoreModel) -> (String, String) {
    let then = count + step.times;
    let [verb, ..] = kind.verbs();
    let title = if step.times == 1 {
        format!("{verb} your {} {}", format_ordinal(then), kind.noun())
    } else {
        format!("{verb} {} more {}", step.times, kind.plural())
    };
    let yet = if count == 0 { " yet" } else { "" };
    let have = format!("You have {}{yet}", kind.count_noun(count));
    let reaches = kind.milestones(model).iter().any(|step| step.at == then);
    let fact = if reaches {
        format!("{have}; the {} reaches a milestone.", format_ordinal(then))
    } else {
        format!("{have}.")
    };
    (title, fact)
}

pub(super) fn milestone(
    facts: &WeekFacts<'_>,
    kind: Kind,
    crossed: &Milestone,
) -> (String, String) {
    let lifetime = kind.lifetime(facts);
    let today = facts.period.last;
    (
        format!("Milestone: {} {}", format_ordinal(crossed.at), kind.noun()),
        format!(
            "You had {} before {} and {} at the end of {}. The {} gives {} of 100 progress points.{}",
            kind.count_noun(lifetime.before),
            format_day(facts.period.first, today),
            format_thousands(lifetime.at_end),
            format_day(facts.period.last, today),
            format_ordinal(crossed.at),
            crossed.points,
            kind.next_milestone(lifetime.at_end, facts.model),
        ),
    )
}

pub(super) fn tasks_completed(facts: &WeekFacts<'_>, count: i64) -> (String, String) {
    let left = match facts.pending_tasks.len() {
        0 => String::new(),
        1 => " 1 onboarding task is left.".to_owned(),
        more => format!(" {more} onboarding tasks are left."),
    };
    (
        format!("{} done", count_noun(count, "task")),
        format!("You finished {} {}.{left}", count_noun(count, "task"), period(facts)),
    )
}

pub(super) fn amount_made(facts: &WeekFacts<'_>, kind: Kind, count: i64) -> (String, String) {
    let [_, participle, past] = kind.verbs();
    let total = kind.lifetime(facts).at_end;
    let what = count_noun(count, kind.noun());
    (
        format!("{what} {participle}"),
        format!(
            "You {past} {what} {}, {} in all.{}",
            period(facts),
            format_thousands(total),
            kind.next_milestone(total, facts.model),
        ),
    )
}

pub(super) fn tasks_pending(facts: &WeekFacts<'_>) -> (String, String) {
    let tasks = &facts.pending_tasks;
    let titles: Vec<String> = tasks.iter().map(|task| format!("“{}”", task.title)).collect();
    let since = tasks.iter().map(|task| task.open_since).min().unwrap_or(facts.as_of);
    let since = format_local_day(since, facts.zone, facts.as_of);
    let message = if tasks.len() == 1 {
        format!(
            "{} has been open since {since}. Finish it to complete your onboarding.",
            join_with_and(&titles)
        )
    } else {
        format!(
            "{} are open, the oldest since {since}. Finish them to complete your onboarding.",
            join_with_and(&titles)
        )
    };
    let count = i64::try_from(tasks.len()).unwrap_or(i64::MAX);
    (format!("{} left", count_noun(count, "onboarding task")), message)
}

pub(super) fn other_activity(
    facts: &WeekFacts<'_>,
    count: i64,
    other_types: &[(EventType, i64)],
) -> (String, String) {
    let parts: Vec<String> =
        other_types.iter().map(|(kind, count)| count_noun(*count, noun(*kind))).collect();
    (
        format!("Other activity: {}", count_noun(count, "event")),
        format!("You had {} {}.", join_with_and(&parts), period(facts)),
    )
}

const fn noun(kind: EventType) -> &'static str {
    match kind {
        EventType::Login => "sign-in",
        EventType::PageView => "page view",
        EventType::TaskCompleted => "finished task",
        EventType::ContentGenerated => "piece of content",
        EventType::VisualCreated => "visual",
        EventType::VoiceInteraction => "voice interaction",
        EventType::InsightReviewed => "insight review",
        EventType::ExportDownloaded => "export",
        EventType::SettingsUpdated => "settings change",
        EventType::FeedbackGiven => "feedback answer",
        EventType::Custom => "other event",
    }
}
