use serde::{Deserialize, Serialize};

use super::Components;
use crate::engagement::{MAX_NAME_CHARS, check_required};

/// How a score is computed, as data: an organization can change it, and every score names the
/// version that made it.
///
/// A stored model of an earlier version lacks what came later: each rule and figure has the standard
/// model's as its default, and a component that the model does not weigh has the weight 0. An unknown field
/// is an error, since leaving a rule out would compute another score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreModel {
    /// Display name.
    pub name: String,
    /// Each component's share of the overall, in percent; they sum to 100.
    pub weights: Weights,
    /// Rule of the engagement component.
    #[serde(default)]
    pub engagement: EngagementRule,
    /// Rule of the activation component.
    #[serde(default)]
    pub activation: ActivationRule,
    /// Rule of the progress component.
    #[serde(default)]
    pub progress: ProgressRule,
    /// Rule of the satisfaction component.
    #[serde(default)]
    pub satisfaction: SatisfactionRule,
    /// Rule of the momentum component.
    #[serde(default)]
    pub momentum: MomentumRule,
    /// Lowest overall of each band above *at risk*.
    #[serde(default)]
    pub bands: BandFloors,
    /// A change of at least this many points, up or down, is a trend.
    #[serde(default = "standard_trend_points")]
    pub trend_points: i64,
}

/// Percent of the overall, by component.
pub type Weights = Components<i64>;

/// `active_days / 7 × active_day_points + min(events / events_full, 1) × event_points + bonus`,
/// capped at 100; no event this week is 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngagementRule {
    /// Points for seven active days.
    pub active_day_points: i64,
    /// Points for `events_full` events or more.
    pub event_points: i64,
    /// Events a week that earn all of `event_points`.
    pub events_full: i64,
    /// Bonus for at least one high-value event.
    pub high_value_points: i64,
}

/// `settled / tasks × task_points + launch_kit_points`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ActivationRule {
    /// Points when every onboarding task is completed or skipped.
    pub task_points: i64,
    /// Points once the launch kit is viewed or completed.
    pub launch_kit_points: i64,
    /// Rule for clients without onboarding tasks.
    pub without_tasks: MissingData,
}

/// Sum of the points of every milestone reached, over the client's whole life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProgressRule {
    /// Milestones of `content_generated` events, ascending.
    pub content: Vec<Milestone>,
    /// Milestones of `visual_created` events, ascending.
    pub visuals: Vec<Milestone>,
}

/// Points for having done something a number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Milestone {
    /// Reached at this many.
    pub at: i64,
    /// Worth this many points of the component.
    pub points: i64,
}

/// The mean of recent ratings, each normalised to 0–100.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SatisfactionRule {
    /// How many calendar days back a rating counts.
    pub days: i32,
    /// Rule for clients without a rating.
    pub without_feedback: MissingData,
}

/// This week's events against last week's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MomentumRule {
    /// Points when there were events this week and none last week.
    pub from_nothing: i64,
    /// Steps by change, from the highest change down; below the last one there are 0 points.
    pub steps: Vec<MomentumStep>,
}

/// Points for a change of at least some percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MomentumStep {
    /// Lowest change, in percent of last week's events; may be negative.
    pub at_least_percent: i64,
    /// Points of the component.
    pub points: i64,
}

/// What stands in for a component that has no data. Always marked as assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingData {
    /// No points.
    Zero,
    /// A fixed value, 0–100.
    Neutral(i64),
    /// Leave the component out and share its weight among the others, in exact proportion to theirs.
    Exclude,
}

/// Lowest overall of each band; below `needs_attention` a client is at risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BandFloors {
    /// *Excellent* from here.
    pub excellent: i64,
    /// *Good* from here.
    pub good: i64,
    /// *Needs attention* from here.
    pub needs_attention: i64,
}

const fn standard_trend_points() -> i64 {
    5
}

impl Default for EngagementRule {
    /// The standard model's.
    fn default() -> Self {
        Self { active_day_points: 50, event_points: 50, events_full: 20, high_value_points: 10 }
    }
}

impl Default for ActivationRule {
    /// The standard model's.
    fn default() -> Self {
        Self { task_points: 70, launch_kit_points: 30, without_tasks: MissingData::Zero }
    }
}

impl Default for ProgressRule {
    /// The standard model's.
    fn default() -> Self {
        let milestones =
            |steps: [(i64, i64); 3]| steps.map(|(at, points)| Milestone { at, points }).to_vec();
        Self {
            content: milestones([(1, 20), (5, 20), (10, 10)]),
            visuals: milestones([(1, 20), (5, 15), (10, 15)]),
        }
    }
}

impl Default for SatisfactionRule {
    /// The standard model's.
    fn default() -> Self {
        Self { days: 90, without_feedback: MissingData::Neutral(50) }
    }
}

impl Default for MomentumRule {
    /// The standard model's.
    fn default() -> Self {
        let steps = [(50, 100), (20, 80), (0, 60), (-20, 40), (-50, 20)]
            .map(|(at_least_percent, points)| MomentumStep { at_least_percent, points });
        Self { from_nothing: 80, steps: steps.to_vec() }
    }
}

impl Default for BandFloors {
    /// The standard model's.
    fn default() -> Self {
        Self { excellent: 80, good: 60, needs_attention: 40 }
    }
}

/// Why a score model cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct ModelError {
    /// Path of the field at fault.
    pub field: &'static str,
    /// The problem and its remedy.
    pub reason: String,
}

impl ScoreModel {
    /// Version number of the built-in model; an organization's own models count on from here.
    pub const STANDARD_VERSION: i64 = 1;

    /// The built-in model, the table of the specification.
    pub fn standard() -> Self {
        Self {
            name: "standard".to_owned(),
            weights: Weights {
                engagement: 25,
                activation: 20,
                progress: 25,
                satisfaction: 15,
                momentum: 15,
            },
            engagement: EngagementRule::default(),
            activation: ActivationRule::default(),
            progress: ProgressRule::default(),
            satisfaction: SatisfactionRule::default(),
            momentum: MomentumRule::default(),
            bands: BandFloors::default(),
            trend_points: standard_trend_points(),
        }
    }

    /// Whether a score of another model, made from `ratings` ratings, can be computed again by this one
    /// from its stored inputs: only when they hold the feedback that this model counts.
    pub(super) const fn can_recompute(&self, made_by: &Self, ratings: i64) -> bool {
        let (days, theirs) = (self.satisfaction.days, made_by.satisfaction.days);
        days == theirs || (ratings == 0 && days < theirs)
    }

    /// Checks that the model makes scores of 0–100 whose contributions add up.
    ///
    /// # Errors
    /// The first field at fault.
    pub fn check(&self) -> Result<(), ModelError> {
        let fail = |field, reason: String| Err(ModelError { field, reason });
        check_required("name", &self.name, MAX_NAME_CHARS)
            .or_else(|error| fail(error.field, error.reason))?;
        let weights = super::Component::ALL.map(|component| *self.weights.get(component));
        if weights.iter().any(|weight| !(0..=100).contains(weight)) {
            return fail("weights", "each weight is a whole percent from 0 to 100".to_owned());
        }
        let sum: i64 = weights.iter().sum();
        if sum != 100 {
            return fail("weights", format!("they sum to {sum}; make them sum to 100"));
        }
        let points = [
            ("engagement.active_day_points", self.engagement.active_day_points),
            ("engagement.event_points", self.engagement.event_points),
            ("engagement.high_value_points", self.engagement.high_value_points),
            ("activation.task_points", self.activation.task_points),
            ("activation.launch_kit_points", self.activation.launch_kit_points),
            ("momentum.from_nothing", self.momentum.from_nothing),
            ("trend_points", self.trend_points),
        ];
        for (field, value) in points {
            if !(0..=100).contains(&value) {
                return fail(
                    field,
                    format!("{value} is outside 0 to 100; use a whole number in between"),
                );
            }
        }
        if self.trend_points == 0 {
            return fail("trend_points", "0 would make every score a trend; use 1 to 100".into());
        }
        if !(1..=100_000).contains(&self.engagement.events_full) {
            return fail(
                "engagement.events_full",
                format!(
                    "{} is outside 1 to 100000; use a number of events in between",
                    self.engagement.events_full
                ),
            );
        }
        let activation = self.activation.task_points + self.activation.launch_kit_points;
        if activation > 100 {
            return fail(
                "activation",
                format!(
                    "task_points and launch_kit_points add up to {activation}; make them 100 or less"
                ),
            );
        }
        for (field, missing) in [
            ("activation.without_tasks", self.activation.without_tasks),
            ("satisfaction.without_feedback", self.satisfaction.without_feedback),
        ] {
            if let MissingData::Neutral(value) = missing
                && !(0..=100).contains(&value)
            {
                return fail(
                    field,
                    format!("neutral {value} is outside 0 to 100; use a whole number in between"),
                );
            }
        }
        if !(1..=3_650).contains(&self.satisfaction.days) {
            return fail(
                "satisfaction.days",
                format!(
                    "{} is outside 1 to 3650; use a number of days in between",
                    self.satisfaction.days
                ),
            );
        }
        self.check_steps()
    }

    fn check_steps(&self) -> Result<(), ModelError> {
        let fail = |field, reason: &str| Err(ModelError { field, reason: reason.to_owned() });
        let mut total = 0;
        for (field, milestones) in [
            ("progress.content", &self.progress.content),
            ("progress.visuals", &self.progress.visuals),
        ] {
            if milestones.len() > 20 {
                return fail(field, "has more than 20 milestones; use fewer");
            }
            if milestones.iter().any(|step| step.at < 1 || !(0..=100).contains(&step.points)) {
                return fail(field, "a milestone is at 1 or more and worth 0 to 100 points");
            }
            if !milestones.is_sorted_by(|a, b| a.at < b.at) {
                return fail(field, "list the milestones in ascending order, each once");
            }
            total += milestones.iter().map(|step| step.points).sum::<i64>();
        }
        if total > 100 {
            return Err(ModelError {
                field: "progress",
                reason: format!("its milestones add up to {total} points; make them 100 or less"),
            });
        }
        let steps = &self.momentum.steps;
        if steps.len() > 20 {
            return fail("momentum.steps", "has more than 20 steps; use fewer");
        }
        if steps.iter().any(|step| {
            !(0..=100).contains(&step.points) || !(-100..=10_000).contains(&step.at_least_percent)
        }) {
            return fail(
                "momentum.steps",
                "a step is at −100 to 10000 % and worth 0 to 100 points",
            );
        }
        if !steps.is_sorted_by(|a, b| a.at_least_percent > b.at_least_percent) {
            return fail(
                "momentum.steps",
                "list the steps from the highest change down, each once",
            );
        }
        let bands = self.bands;
        if !(0 < bands.needs_attention
            && bands.needs_attention < bands.good
            && bands.good < bands.excellent
            && bands.excellent <= 100)
        {
            return fail("bands", "use 0 < needs_attention < good < excellent ≤ 100");
        }
        Ok(())
    }
}
