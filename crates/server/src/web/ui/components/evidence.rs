//! Why a component has its points, line by line, in the words of a page.

use mainstay_core::{
    engagement::{EventType, Windows},
    insight::words::{format_ordinal, join_with_and},
    score::{
        Component, ComponentEvidence, LaunchKit, Milestone, MissingData, ScoreInputs, ScoreModel,
    },
    text::{count_noun, format_points, format_thousands},
    time::days_before,
};
use mainstay_store::{Feedback, LaunchKitTimes, OnboardingTask, TaskStatus};

use crate::web::ui::text::straight;

use super::{feedback::rating_words, figures::tenths, view::View};

/// Most titles of open tasks that are named in a sentence.
const MAX_NAMED: usize = 3;

/// What else is known of the client: it names what the score only counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Details<'a> {
    pub(crate) tasks: &'a [OnboardingTask],
    pub(crate) launch_kit: LaunchKitTimes,
    /// The latest ratings, newest first.
    pub(crate) feedback: &'a [Feedback],
}

/// A line of evidence: a fact and what it gives.
pub(super) struct Line {
    pub(super) fact: String,
    pub(super) value: String,
}

fn line(fact: impl Into<String>, value: impl Into<String>) -> Line {
    Line { fact: fact.into(), value: value.into() }
}

/// A sentence that ends in a link.
pub(super) struct Note {
    pub(super) text: String,
    pub(super) href: String,
    pub(super) link: String,
}

/// All that a component's points rest on.
pub(super) struct Table {
    pub(super) lines: Vec<Line>,
    pub(super) sum: Line,
    pub(super) contribution: Line,
    pub(super) note: Option<Note>,
}

/// What evidence is written from.
pub(super) struct EvidenceWriter<'a> {
    pub(super) view: &'a View,
    pub(super) inputs: &'a ScoreInputs,
    pub(super) model: &'a ScoreModel,
    pub(super) details: Details<'a>,
    pub(super) windows: Windows,
}

impl EvidenceWriter<'_> {
    pub(super) fn table(&self, evidence: &ComponentEvidence, weight_total: i64) -> Table {
        let (lines, sum) = match evidence.component {
            Component::Engagement => self.engagement(evidence),
            Component::Activation => self.activation(evidence),
            Component::Progress => self.progress(),
            Component::Satisfaction => self.satisfaction(),
            Component::Momentum => self.momentum(),
        };
        let sum = if evidence.measured { sum } else { "Assumed, not measured".to_owned() };
        Table {
            lines,
            sum: line(sum, format!("{} of 100", evidence.points)),
            contribution: line(
                match weight_total {
                    100 => format!("{} × {} %", evidence.points, evidence.weight_percent),
                    // Components were left out: the exact share is a fraction.
                    total => format!("{} × {}/{total}", evidence.points, evidence.weight_percent),
                },
                format!("{} points", format_points(evidence.contribution_hundredths)),
            ),
            note: self.note(evidence.component),
        }
    }

    fn engagement(&self, evidence: &ComponentEvidence) -> (Vec<Line>, String) {
        let (inputs, rule) = (self.inputs, &self.model.engagement);
        let [days, events, bonus] = evidence.parts.as_slice() else {
            return (vec![line("No events this week", "0 of 100")], "Engagement".to_owned());
        };
        let total = days.hundredths + events.hundredths + bonus.hundredths;
        let lines = vec![
            line(
                format!("{} of 7", count_noun(inputs.active_days, "active day")),
                share_of(days.hundredths, rule.active_day_points),
            ),
            line(
                format!(
                    "{}; {} or more give all {}",
                    count_noun(inputs.events, "event"),
                    format_thousands(rule.events_full),
                    rule.event_points
                ),
                share_of(events.hundredths, rule.event_points),
            ),
            line(
                match inputs.high_value {
                    0 => "No high-value events".to_owned(),
                    some => format!("{}; one gives all", count_noun(some, "high-value event")),
                },
                share_of(bonus.hundredths, rule.high_value_points),
            ),
        ];
        let sum = if total > 100 * 100 {
            format!("Total {}, at most 100", tenths(total))
        } else {
            total_words(total)
        };
        (lines, sum)
    }

    fn activation(&self, evidence: &ComponentEvidence) -> (Vec<Line>, String) {
        let rule = &self.model.activation;
        let [tasks, kit] = evidence.parts.as_slice() else {
            return (
                vec![assumed_line("No onboarding tasks yet", rule.without_tasks)],
                String::new(),
            );
        };
        let lines = vec![
            line(self.settled(), share_of(tasks.hundredths, rule.task_points)),
            line(self.launch_kit(), share_of(kit.hundredths, rule.launch_kit_points)),
        ];
        (lines, total_words(tasks.hundredths + kit.hundredths))
    }

    /// Skipped tasks are told apart while the tasks are still as they were counted.
    fn settled(&self) -> String {
        let inputs = self.inputs;
        let count = |status| count(self.details.tasks, |task| task.status == status);
        let (done, skipped) = (count(TaskStatus::Completed), count(TaskStatus::Skipped));
        let tasks = count_noun(inputs.tasks, "onboarding task");
        let as_counted =
            (done + skipped, count_all(self.details.tasks)) == (inputs.settled, inputs.tasks);
        if as_counted && skipped == 0 {
            format!("{done} of {tasks} done")
        } else if as_counted {
            format!("{done} done and {skipped} skipped of {tasks}")
        } else {
            format!("{} of {tasks} done or skipped", format_thousands(inputs.settled))
        }
    }

    fn launch_kit(&self) -> String {
        let times = self.details.launch_kit;
        let (words, at) = match self.inputs.kit {
            LaunchKit::Unopened => return "Launch kit not opened".to_owned(),
            LaunchKit::Viewed => ("Launch kit viewed", times.viewed_at),
            LaunchKit::Completed => ("Launch kit completed", times.completed_at),
        };
        at.map_or_else(|| words.to_owned(), |at| format!("{words} on {}", self.view.day_of(at)))
    }

    fn progress(&self) -> (Vec<Line>, String) {
        let rule = &self.model.progress;
        let kinds = [
            (&rule.content, self.inputs.content, "piece of content"),
            (&rule.visuals, self.inputs.visuals, "visual"),
        ];
        let mut total = 0;
        let lines = kinds
            .into_iter()
            .map(|(milestones, count, noun)| {
                let sum = |steps: &mut dyn Iterator<Item = &Milestone>| {
                    steps.map(|step| step.points).sum::<i64>()
                };
                let reached = sum(&mut milestones.iter().filter(|step| count >= step.at));
                total += reached;
                line(
                    milestone_progress(milestones, count, noun),
                    format!("{reached} of {} points", sum(&mut milestones.iter())),
                )
            })
            .collect();
        (lines, total_words(total * 100))
    }

    fn satisfaction(&self) -> (Vec<Line>, String) {
        let (inputs, rule) = (self.inputs, &self.model.satisfaction);
        let days = count_noun(rule.days.into(), "day");
        if inputs.ratings == 0 {
            let fact = format!("No feedback in the last {days}");
            return (vec![assumed_line(&fact, rule.without_feedback)], String::new());
        }
        let since = days_before(inputs.as_of, rule.days, &self.windows.zone);
        let counted_ones: Vec<&Feedback> = self
            .details
            .feedback
            .iter()
            .filter(|rating| (since..inputs.known_until()).contains(&rating.given_at))
            .collect();
        let answers = count_noun(inputs.ratings, "answer");
        let sum: i64 = counted_ones.iter().map(|rating| rating.normalised).sum();
        // Only when they are all there: a list that does not add up explains nothing.
        let all_known = (count_all(&counted_ones), sum) == (inputs.ratings, inputs.rating_sum);
        let lines = if all_known {
            counted_ones
                .iter()
                .rev()
                .map(|rating| {
                    line(
                        format!(
                            "{}, on {}",
                            rating_words(rating),
                            self.view.day_of(rating.given_at)
                        ),
                        rating.normalised.to_string(),
                    )
                })
                .collect()
        } else {
            vec![line(
                format!("{answers}, each from 0 to 100"),
                format!("{} in total", format_thousands(inputs.rating_sum)),
            )]
        };
        (lines, format!("Mean of {answers} in {days}"))
    }

    fn momentum(&self) -> (Vec<Line>, String) {
        let (now, before) = (self.inputs.events, self.inputs.events_before);
        let rule = &self.model.momentum;
        let lines = match (now, before) {
            (0, 0) => vec![line("No events this week or the week before", "0 of 100")],
            (_, 0) => vec![
                line(
                    format!("{} this week, none the week before", count_noun(now, "event")),
                    "new",
                ),
                line("Events after a week without any", format!("{} of 100", rule.from_nothing)),
            ],
            _ => {
                let step = rule
                    .steps
                    .iter()
                    .position(|step| reaches(now, before, i128::from(step.at_least_percent)));
                let points = step.map_or(0, |step| rule.steps[step].points);
                vec![
                    line(
                        format!(
                            "{} this week, {} the week before",
                            count_noun(now, "event"),
                            format_thousands(before)
                        ),
                        change_words(now, before, self.model),
                    ),
                    line(self.step_words(step), format!("{points} of 100")),
                ]
            }
        };
        (lines, "Momentum".to_owned())
    }

    fn step_words(&self, step: Option<usize>) -> String {
        let steps = &self.model.momentum.steps;
        match step {
            Some(0) => format!("A change of {} or more", percent(steps[0].at_least_percent)),
            Some(step) => format!(
                "A change from {} to under {}",
                percent(steps[step].at_least_percent),
                percent(steps[step - 1].at_least_percent)
            ),
            None => match steps.last().map(|step| step.at_least_percent) {
                Some(lowest) if lowest <= 0 => {
                    format!("A fall of more than {} %", format_thousands(-lowest))
                }
                Some(lowest) => format!("A change of less than {}", percent(lowest)),
                None => "The model has no steps".to_owned(),
            },
        }
    }

    fn note(&self, component: Component) -> Option<Note> {
        let (view, windows, inputs) = (self.view, &self.windows, self.inputs);
        let week = |from| view.events_between(from, windows.as_of);
        let span = view.span(windows.this_week, windows.as_of);
        match component {
            Component::Engagement => Some(Note {
                text: format!("{span}. "),
                href: week(windows.this_week),
                link: see(inputs.events, "event"),
            }),
            Component::Momentum => Some(Note {
                text: format!("This week is {span}. "),
                href: week(windows.last_week),
                link: see(inputs.events + inputs.events_before, "event"),
            }),
            Component::Progress => Some(Note {
                text: view.your("Counted since you joined. ", "").to_owned(),
                href: view.events_until(
                    windows.as_of,
                    &[EventType::ContentGenerated, EventType::VisualCreated],
                ),
                link: see(inputs.content + inputs.visuals, "event"),
            }),
            Component::Activation => (inputs.tasks > 0).then(|| Note {
                text: straight(&self.still_open()),
                href: view.part("tasks-h"),
                link: see(inputs.tasks, "task"),
            }),
            Component::Satisfaction if inputs.ratings > 0 => Some(Note {
                text: String::new(),
                href: view.part("feedback-h"),
                link: see(inputs.ratings, "answer"),
            }),
            Component::Satisfaction => (!view.is_staff()).then(|| Note {
                text: "Your own answer replaces it. It can move the score either way. ".to_owned(),
                href: view.part("feedback-h"),
                link: "Give feedback".to_owned(),
            }),
        }
    }

    fn still_open(&self) -> String {
        let open: Vec<String> = self
            .details
            .tasks
            .iter()
            .filter(|task| matches!(task.status, TaskStatus::Pending | TaskStatus::InProgress))
            .map(|task| format!("“{}”", task.title))
            .collect();
        match open.len() {
            0 => String::new(),
            few if few <= MAX_NAMED => format!("Still open: {}. ", join_with_and(&open)),
            many => format!("Still open: {many} tasks. "),
        }
    }
}

fn count<T>(items: &[T], matches: impl Fn(&T) -> bool) -> i64 {
    i64::try_from(items.iter().filter(|item| matches(item)).count()).unwrap_or(i64::MAX)
}

fn count_all<T>(items: &[T]) -> i64 {
    count(items, |_| true)
}

fn share_of(hundredths: i64, of: i64) -> String {
    format!("{} of {of} points", tenths(hundredths))
}

fn total_words(hundredths: i64) -> String {
    if hundredths % 100 == 0 {
        "Total".to_owned()
    } else {
        format!("Total {}, rounded", tenths(hundredths))
    }
}

fn assumed_line(fact: &str, missing: MissingData) -> Line {
    match missing {
        MissingData::Zero => line(format!("{fact}: counted as 0"), "0 assumed"),
        MissingData::Neutral(points) => {
            line(format!("{fact}: a neutral value is used"), format!("{points} assumed"))
        }
        MissingData::Exclude => {
            line(format!("{fact}: left out, the other parts share its weight"), "left out")
        }
    }
}

fn milestone_progress(milestones: &[Milestone], count: i64, noun: &str) -> String {
    if count == 0 {
        return format!("No {} yet", noun.rsplit(" of ").next().unwrap_or(noun));
    }
    let (reached, ahead): (Vec<&Milestone>, Vec<&Milestone>) =
        milestones.iter().partition(|step| count >= step.at);
    let reached: Vec<String> =
        reached.iter().map(|step| format!("the {}", format_ordinal(step.at))).collect();
    let reached = if reached.is_empty() {
        "no milestone yet".to_owned()
    } else {
        format!("{} reached", join_with_and(&reached))
    };
    let next = ahead
        .first()
        .map_or_else(String::new, |step| format!(", next the {}", format_ordinal(step.at)));
    format!("{} so far: {reached}{next}", count_noun(count, noun))
}

fn see(count: i64, noun: &str) -> String {
    if count == 1 {
        format!("See the {noun}")
    } else {
        format!("See the {}", count_noun(count, noun))
    }
}

/// `(now − before) / before ≥ percent %`.
fn reaches(now: i64, before: i64, percent: i128) -> bool {
    (i128::from(now) - i128::from(before)) * 100 >= percent * i128::from(before)
}

/// `+20 %`, `0 %`, `−50 %`.
fn percent(percent: i64) -> String {
    format!("{}{} %", if percent > 0 { "+" } else { "" }, format_thousands(percent))
}

/// The change with one decimal, rounded half up; rounded down where half up would show a step that
/// the change has not reached.
fn change_words(now: i64, before: i64, model: &ScoreModel) -> String {
    let (change, before_wide) = (i128::from(now) - i128::from(before), i128::from(before));
    let rounded = (change * 2_000 + before_wide).div_euclid(2 * before_wide);
    let crossed = model.momentum.steps.iter().any(|step| {
        let percent = i128::from(step.at_least_percent);
        (rounded >= percent * 10) != reaches(now, before, percent)
    });
    let tenths = if crossed { (change * 1_000).div_euclid(before_wide) } else { rounded };
    let sign = match tenths {
        0 => "",
        1.. => "+",
        _ => "\u{2212}",
    };
    let whole = i64::try_from(tenths.unsigned_abs() / 10).unwrap_or(i64::MAX);
    match tenths.unsigned_abs() % 10 {
        0 => format!("{sign}{} %", format_thousands(whole)),
        rest => format!("{sign}{}.{rest} %", format_thousands(whole)),
    }
}
