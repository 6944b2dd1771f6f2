use std::cmp::Reverse;

use jiff::{Timestamp, ToSpan};
use serde_json::{Map, Value, json};

use super::{
    ComponentChange, Insight, InsightEvidence, InsightType, Priority, Rule, VALID_DAYS, WeekFacts,
    contributions,
    sentences::{self, Kind},
};
use crate::{
    engagement::EventType,
    score::{Action, Component, Improvement, Milestone, improvements},
    time::local_day,
};

/// A change of the score by this many points, up or down, is worth an insight.
pub const NOTABLE_CHANGE_POINTS: i64 = 10;
/// With no more onboarding tasks than this left, the client is told which.
pub const MAX_PENDING_TASKS: usize = 3;

impl WeekFacts<'_> {
    pub(super) fn count(&self, kind: EventType) -> i64 {
        self.events.get(&kind).copied().unwrap_or(0)
    }

    /// Events of the types that have no rule of their own, the most frequent type first.
    fn other_events(&self) -> Vec<(EventType, i64)> {
        let mut other_types: Vec<(EventType, i64)> = self
            .events
            .iter()
            .map(|(kind, count)| (*kind, *count))
            .filter(|(kind, count)| *count > 0 && !kind.is_high_value())
            .collect();
        other_types.sort_by_key(|(kind, count)| (Reverse(*count), *kind));
        other_types
    }

    fn insight(
        &self,
        (rule, kind, priority): (Rule, InsightType, Priority),
        (title, message): (String, String),
        basis: InsightBasis,
        figures: Value,
    ) -> Insight {
        Insight {
            rule,
            kind,
            priority,
            title,
            message,
            figures: object(figures),
            evidence: InsightEvidence {
                first: self.period.first,
                last: self.period.last,
                events: basis.events,
                counted: Some(self.events.values().sum()),
                components: basis.components,
                tasks: basis.tasks,
            },
            valid_until: self
                .as_of
                .to_zoned(self.zone.clone())
                .checked_add(VALID_DAYS.days())
                .map_or(Timestamp::MAX, |end| end.timestamp()),
        }
    }
}

/// The part of the evidence that differs between insights of one period.
#[derive(Default)]
struct InsightBasis {
    events: Vec<EventType>,
    components: Vec<Component>,
    tasks: bool,
}

impl InsightBasis {
    fn events(events: impl Into<Vec<EventType>>) -> Self {
        Self { events: events.into(), ..Self::default() }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(figures) => figures,
        _ => Map::new(),
    }
}

/// The insights of one client's week, the most important first. A [`Rule`] writes at most one.
pub fn weekly_insights(facts: &WeekFacts<'_>) -> Vec<Insight> {
    let rules: [fn(&WeekFacts<'_>) -> Option<Insight>; 10] = [
        no_activity,
        score_moved,
        best_next_step,
        content_milestone,
        visual_milestone,
        tasks_completed,
        content_generated,
        visuals_created,
        tasks_pending,
        other_activity,
    ];
    let mut insights: Vec<Insight> = rules.into_iter().filter_map(|rule| rule(facts)).collect();
    insights.sort_by_key(|insight| (Reverse(insight.priority), insight.rule));
    insights
}

fn no_activity(facts: &WeekFacts<'_>) -> Option<Insight> {
    let silent = facts.events.values().all(|count| *count == 0);
    if !silent || facts.created_at >= facts.period.end {
        return None;
    }
    let from = facts.period.first.max(local_day(facts.created_at, facts.zone));
    Some(facts.insight(
        (Rule::NoActivity, InsightType::Recommendation, Priority::High),
        sentences::no_activity(facts, from),
        InsightBasis::events(EventType::ALL),
        json!({ "events": 0, "since": from, "last_event_at": facts.score.inputs.last }),
    ))
}

fn score_moved(facts: &WeekFacts<'_>) -> Option<Insight> {
    let (previous, change) = (facts.score.previous?, facts.score.change?);
    if change.abs() < NOTABLE_CHANGE_POINTS {
        return None;
    }
    let component_changes = facts.previous_contributions.as_ref().map_or_else(Vec::new, |before| {
        ComponentChange::between(before, &contributions(&facts.score.inputs, facts.model))
    });
    // Good news can wait its turn; bad news is why the client should look today.
    let priority = if change < 0 { Priority::High } else { Priority::Normal };
    Some(
        facts.insight(
            (Rule::ScoreMoved, InsightType::TrendAlert, priority),
            sentences::score_moved(facts, &previous, change, &component_changes),
            InsightBasis {
                components: component_changes
                    .iter()
                    .map(|component_changes| component_changes.component)
                    .collect(),
                ..InsightBasis::default()
            },
            json!({
                "overall": facts.score.overall,
                "previous": previous.overall,
                "previous_as_of": previous.as_of,
                "change": change,
                "moved": component_changes,
            }),
        ),
    )
}

fn best_next_step(facts: &WeekFacts<'_>) -> Option<Insight> {
    let step: Improvement = improvements(&facts.score.inputs, facts.model).into_iter().next()?;
    // What it gains is not said here: the week is over, and by the time somebody reads this another
    // figure is true. "Ways to improve" computes it for now.
    Some(facts.insight(
        (Rule::BestNextStep, InsightType::Recommendation, Priority::Normal),
        sentences::best_next_step(facts, &step),
        InsightBasis {
            components: vec![step.component],
            tasks: step.action == Action::CompleteTask,
            ..InsightBasis::default()
        },
        json!({ "action": step.action, "times": step.times }),
    ))
}

fn content_milestone(facts: &WeekFacts<'_>) -> Option<Insight> {
    milestone(facts, Rule::ContentMilestone, Kind::Content)
}

fn visual_milestone(facts: &WeekFacts<'_>) -> Option<Insight> {
    milestone(facts, Rule::VisualMilestone, Kind::Visual)
}

/// The highest milestone that was crossed within the period.
fn milestone(facts: &WeekFacts<'_>, rule: Rule, kind: Kind) -> Option<Insight> {
    let lifetime = kind.lifetime(facts);
    let crossed: &Milestone = kind
        .milestones(facts.model)
        .iter()
        .rfind(|step| lifetime.before < step.at && step.at <= lifetime.at_end)?;
    Some(facts.insight(
        (rule, InsightType::Milestone, Priority::Normal),
        sentences::milestone(facts, kind, crossed),
        InsightBasis {
            events: vec![kind.event()],
            components: vec![Component::Progress],
            ..InsightBasis::default()
        },
        json!({
            "at": crossed.at,
            "points": crossed.points,
            "before": lifetime.before,
            "total": lifetime.at_end,
        }),
    ))
}

fn tasks_completed(facts: &WeekFacts<'_>) -> Option<Insight> {
    let count = facts.count(EventType::TaskCompleted);
    (count > 0).then(|| {
        facts.insight(
            (Rule::TasksCompleted, InsightType::Milestone, Priority::Normal),
            sentences::tasks_completed(facts, count),
            InsightBasis::events([EventType::TaskCompleted]),
            json!({ "count": count, "pending": facts.pending_tasks.len() }),
        )
    })
}

fn content_generated(facts: &WeekFacts<'_>) -> Option<Insight> {
    amount_made(facts, Rule::ContentGenerated, Kind::Content)
}

fn visuals_created(facts: &WeekFacts<'_>) -> Option<Insight> {
    amount_made(facts, Rule::VisualsCreated, Kind::Visual)
}

fn amount_made(facts: &WeekFacts<'_>, rule: Rule, kind: Kind) -> Option<Insight> {
    let count = facts.count(kind.event());
    (count > 0).then(|| {
        facts.insight(
            (rule, InsightType::Achievement, Priority::Normal),
            sentences::amount_made(facts, kind, count),
            InsightBasis::events([kind.event()]),
            json!({ "count": count, "total": kind.lifetime(facts).at_end }),
        )
    })
}

fn tasks_pending(facts: &WeekFacts<'_>) -> Option<Insight> {
    let count = facts.pending_tasks.len();
    (1..=MAX_PENDING_TASKS).contains(&count).then(|| {
        facts.insight(
            (Rule::TasksPending, InsightType::Tip, Priority::Normal),
            sentences::tasks_pending(facts),
            InsightBasis {
                tasks: true,
                components: vec![Component::Activation],
                ..InsightBasis::default()
            },
            json!({ "count": count }),
        )
    })
}

fn other_activity(facts: &WeekFacts<'_>) -> Option<Insight> {
    let other_types = facts.other_events();
    let count: i64 = other_types.iter().map(|(_, count)| count).sum();
    (count > 0).then(|| {
        let by_type: Map<String, Value> =
            other_types.iter().map(|(kind, count)| (kind.to_string(), json!(count))).collect();
        facts.insight(
            (Rule::OtherActivity, InsightType::WeeklySummary, Priority::Low),
            sentences::other_activity(facts, count, &other_types),
            InsightBasis::events(other_types.iter().map(|(kind, _)| *kind).collect::<Vec<_>>()),
            json!({ "count": count, "by_type": by_type }),
        )
    })
}
