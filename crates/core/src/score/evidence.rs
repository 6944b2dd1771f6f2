use serde::Serialize;

use super::{
    Component, ComponentValue, Components, LaunchKit, Milestone, MissingData, MomentumStep,
    ScoreInputs, ScoreModel,
    ratio::{Fraction, round_half_up, share},
};
use crate::text::{count_noun, format_points as in_points, format_thousands};

/// Why a score is what it is, from its inputs and model alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The five components, in their usual order.
    pub components: Vec<ComponentEvidence>,
    /// The overall before its one rounding, in hundredths of a point: exactly the sum of the
    /// contributions.
    pub total_hundredths: i64,
    /// The overall, 0–100.
    pub overall: i64,
    /// Percent of the weight that rests on measured data.
    pub coverage: i64,
    /// Sum of the weights that count, in percent: 100, or less where components were left out.
    pub weight_total_percent: i64,
}

/// Why one component has its points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComponentEvidence {
    /// ID.
    pub component: Component,
    /// 0–100.
    pub points: i64,
    /// The model's weight in percent, 0 when the component was left out. Its share of the overall is
    /// `weight_percent / weight_total_percent`.
    pub weight_percent: i64,
    /// `points × weight_percent / weight_total_percent`, in hundredths of a point of the overall. Where
    /// that is no whole number, the largest remainders are rounded up, so that the sum is exact.
    pub contribution_hundredths: i64,
    /// False when the points rest on the model's rule for missing data.
    pub measured: bool,
    /// The rule that fired, as a sentence with its numbers.
    pub rule: String,
    /// Parts that make up the points.
    pub parts: Vec<Part>,
}

/// One summand of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The fact, for example "4 active days of 7".
    pub fact: String,
    /// Its points in hundredths, rounded half up for display; the component rounds only its sum.
    pub hundredths: i64,
    /// The most it could give, in points.
    pub of: i64,
}

/// The overall of five component values.
pub(super) struct Overall {
    pub(super) points: i64,
    pub(super) coverage: i64,
}

/// How the overall is shared out among the components.
struct Shares {
    /// Each component's weight in percent, 0 where it is left out.
    weights: Components<i64>,
    weight_total: i64,
    contributions: Components<i64>,
    total_hundredths: i64,
    overall: i64,
}

/// A component in words.
struct Explanation {
    measured: bool,
    rule: String,
    parts: Vec<Part>,
}

impl Evidence {
    /// Explains a score.
    pub fn of(inputs: &ScoreInputs, model: &ScoreModel) -> Self {
        let values = model.components(inputs);
        let shares = Shares::of(&values, model);
        let components: Vec<_> = Component::ALL
            .into_iter()
            .map(|component| {
                let explanation = explain(component, inputs, model);
                ComponentEvidence {
                    component,
                    points: values.get(component).points,
                    weight_percent: *shares.weights.get(component),
                    contribution_hundredths: *shares.contributions.get(component),
                    measured: explanation.measured,
                    rule: explanation.rule,
                    parts: explanation.parts,
                }
            })
            .collect();
        Self {
            components,
            total_hundredths: shares.total_hundredths,
            overall: shares.overall,
            coverage: coverage(&values, model),
            weight_total_percent: shares.weight_total,
        }
    }

    pub(super) fn value_of(
        component: Component,
        inputs: &ScoreInputs,
        model: &ScoreModel,
    ) -> (i64, bool) {
        let (exact, measured) = exact_value(component, inputs, model);
        (round_half_up(exact).clamp(0, 100), measured)
    }

    pub(super) fn overall(values: &Components<ComponentValue>, model: &ScoreModel) -> Overall {
        let points = Shares::of(values, model).overall;
        Overall { points, coverage: coverage(values, model) }
    }
}

fn coverage(values: &Components<ComponentValue>, model: &ScoreModel) -> i64 {
    Component::ALL
        .into_iter()
        .filter(|component| values.get(*component).measured)
        .map(|component| *model.weights.get(component))
        .sum()
}

const fn missing_rule(component: Component, model: &ScoreModel) -> Option<MissingData> {
    match component {
        Component::Activation => Some(model.activation.without_tasks),
        Component::Satisfaction => Some(model.satisfaction.without_feedback),
        _ => None,
    }
}

impl Shares {
    /// Components that are left out give their weight to the others in exact proportion: nothing is
    /// rounded before the overall.
    fn of(values: &Components<ComponentValue>, model: &ScoreModel) -> Self {
        let weights = Components::from_fn(|component| {
            let left_out = !values.get(component).measured
                && missing_rule(component, model) == Some(MissingData::Exclude);
            if left_out { 0 } else { *model.weights.get(component) }
        });
        let weight_total: i64 =
            Component::ALL.into_iter().map(|component| *weights.get(component)).sum();
        // With nothing left that weighs anything, every product below is 0.
        let divisor = weight_total.max(1);
        let exact = Components::from_fn(|component| {
            let product = weights.get(component) * values.get(component).points;
            Fraction::new(product * 100, divisor)
        });
        let sum: Fraction = Component::ALL.into_iter().map(|component| exact.get(component)).sum();
        let overall = round_half_up(sum / 100);
        // 39.496 makes 39, so its hundredths must not read 39.50, which would make 40.
        let nearest = round_half_up(sum);
        let total_hundredths = if round_half_up(Fraction::new(nearest, 100)) == overall {
            nearest
        } else {
            sum.floor().to_integer()
        };
        let floor = |component| exact.get(component).floor().to_integer();
        let floors: i64 = Component::ALL.into_iter().map(floor).sum();
        let mut by_remainder = Component::ALL;
        by_remainder.sort_by_key(|component| std::cmp::Reverse(exact.get(*component).fract()));
        let left_over = usize::try_from(total_hundredths - floors).unwrap_or(0);
        let contributions = Components::from_fn(|component| {
            floor(component) + i64::from(by_remainder[..left_over].contains(&component))
        });
        Self { weights, weight_total, contributions, total_hundredths, overall }
    }
}

fn exact_value(component: Component, inputs: &ScoreInputs, model: &ScoreModel) -> (Fraction, bool) {
    let whole = Fraction::from_integer;
    match component {
        Component::Engagement => (engagement(inputs, model).iter().sum(), true),
        Component::Activation if inputs.tasks == 0 => {
            (whole(assumed_points(model.activation.without_tasks)), false)
        }
        Component::Activation => (activation(inputs, model).iter().sum(), true),
        Component::Progress => {
            let rule = &model.progress;
            let points = reached_points(&rule.content, inputs.content)
                + reached_points(&rule.visuals, inputs.visuals);
            (whole(points), true)
        }
        Component::Satisfaction if inputs.ratings == 0 => {
            (whole(assumed_points(model.satisfaction.without_feedback)), false)
        }
        Component::Satisfaction => (Fraction::new(inputs.rating_sum, inputs.ratings), true),
        Component::Momentum => (whole(momentum(inputs, model)), true),
    }
}

/// Active days, events and high-value bonus; all 0 without an event this week.
fn engagement(inputs: &ScoreInputs, model: &ScoreModel) -> [Fraction; 3] {
    let rule = &model.engagement;
    if inputs.events == 0 {
        return [Fraction::from_integer(0); 3];
    }
    [
        share(inputs.active_days.min(7), 7, rule.active_day_points),
        share(inputs.events.min(rule.events_full), rule.events_full, rule.event_points),
        Fraction::from_integer(if inputs.high_value > 0 { rule.high_value_points } else { 0 }),
    ]
}

/// Tasks and launch kit.
fn activation(inputs: &ScoreInputs, model: &ScoreModel) -> [Fraction; 2] {
    let rule = &model.activation;
    let kit = if inputs.kit == LaunchKit::Unopened { 0 } else { rule.launch_kit_points };
    [share(inputs.settled, inputs.tasks, rule.task_points), Fraction::from_integer(kit)]
}

fn reached_points(milestones: &[Milestone], count: i64) -> i64 {
    milestones.iter().filter(|step| count >= step.at).map(|step| step.points).sum()
}

fn momentum(inputs: &ScoreInputs, model: &ScoreModel) -> i64 {
    match (inputs.events, inputs.events_before) {
        (0, 0) => 0,
        (_, 0) => model.momentum.from_nothing,
        (this_week, last_week) => {
            momentum_step(hundredfold_change(this_week, last_week), last_week, model)
                .map_or(0, |step| step.points)
        }
    }
}

/// `(a − b) × 100`; i128 because event counts are unbounded here.
fn hundredfold_change(this_week: i64, last_week: i64) -> i128 {
    (i128::from(this_week) - i128::from(last_week)) * 100
}

/// The first step with `(a − b) / b ≥ p %`, without dividing.
fn momentum_step(change: i128, last_week: i64, model: &ScoreModel) -> Option<&MomentumStep> {
    model
        .momentum
        .steps
        .iter()
        .find(|step| change >= i128::from(step.at_least_percent) * i128::from(last_week))
}

const fn assumed_points(missing: MissingData) -> i64 {
    match missing {
        MissingData::Zero | MissingData::Exclude => 0,
        MissingData::Neutral(points) => points,
    }
}

fn describe_assumed(missing: MissingData) -> String {
    match missing {
        MissingData::Zero => "assumed 0".to_owned(),
        MissingData::Neutral(points) => format!("assumed {points}"),
        MissingData::Exclude => "left out, and its weight goes to the others".to_owned(),
    }
}

fn part(fact: String, points: Fraction, of: i64) -> Part {
    Part { fact, hundredths: round_half_up(points * 100), of }
}

fn explain(component: Component, inputs: &ScoreInputs, model: &ScoreModel) -> Explanation {
    let (exact, measured) = exact_value(component, inputs, model);
    let (rule, parts) = match component {
        Component::Engagement => explain_engagement(inputs, model, exact),
        Component::Activation => explain_activation(inputs, model),
        Component::Progress => explain_progress(inputs, model),
        Component::Satisfaction => explain_satisfaction(inputs, model, exact),
        Component::Momentum => explain_momentum(inputs, model),
    };
    Explanation { measured, rule, parts }
}

fn explain_engagement(
    inputs: &ScoreInputs,
    model: &ScoreModel,
    exact: Fraction,
) -> (String, Vec<Part>) {
    if inputs.events == 0 {
        return ("No event this week.".to_owned(), Vec::new());
    }
    let rule = &model.engagement;
    let [days, events, bonus] = engagement(inputs, model);
    let cap = if exact > Fraction::from_integer(100) { ", capped at 100" } else { "" };
    let high_value = match inputs.high_value {
        0 => "none".to_owned(),
        some => format_thousands(some),
    };
    let sentence = format!(
        "{} on {} this week, {high_value} of high value{cap}.",
        count_noun(inputs.events, "event"),
        count_noun(inputs.active_days, "day"),
    );
    let parts = vec![
        part(format!("active on {} of 7 days", inputs.active_days), days, rule.active_day_points),
        part(
            format!(
                "{} of {}",
                format_thousands(inputs.events.min(rule.events_full)),
                count_noun(rule.events_full, "event")
            ),
            events,
            rule.event_points,
        ),
        part(count_or_no(inputs.high_value, "high-value event"), bonus, rule.high_value_points),
    ];
    (sentence, parts)
}

fn explain_activation(inputs: &ScoreInputs, model: &ScoreModel) -> (String, Vec<Part>) {
    let rule = &model.activation;
    if inputs.tasks == 0 {
        return (
            format!("No onboarding tasks yet: {}.", describe_assumed(rule.without_tasks)),
            Vec::new(),
        );
    }
    let [tasks, kit] = activation(inputs, model);
    let kit_words = match inputs.kit {
        LaunchKit::Unopened => "launch kit not opened",
        LaunchKit::Viewed => "launch kit viewed",
        LaunchKit::Completed => "launch kit completed",
    };
    let done = format!(
        "{} of {} completed or skipped",
        format_thousands(inputs.settled),
        count_noun(inputs.tasks, "onboarding task")
    );
    (
        format!("{done}, {kit_words}."),
        vec![
            part(done, tasks, rule.task_points),
            part(kit_words.to_owned(), kit, rule.launch_kit_points),
        ],
    )
}

fn explain_progress(inputs: &ScoreInputs, model: &ScoreModel) -> (String, Vec<Part>) {
    let kinds = [
        (&model.progress.content, inputs.content, "piece of content"),
        (&model.progress.visuals, inputs.visuals, "visual"),
    ];
    let parts = kinds
        .into_iter()
        .flat_map(|(milestones, count, noun)| {
            milestones.iter().map(move |step| {
                let reached = if count >= step.at { step.points } else { 0 };
                part(
                    format!(
                        "{} of {}",
                        format_thousands(count.min(step.at)),
                        count_noun(step.at, noun)
                    ),
                    Fraction::from_integer(reached),
                    step.points,
                )
            })
        })
        .collect();
    let describe_made = |count, noun, none: &str| {
        if count == 0 { none.to_owned() } else { count_noun(count, noun) }
    };
    let sentence = format!(
        "{} and {} made so far.",
        describe_made(inputs.content, "piece of content", "No content"),
        describe_made(inputs.visuals, "visual", "no visuals"),
    );
    (sentence, parts)
}

fn explain_satisfaction(
    inputs: &ScoreInputs,
    model: &ScoreModel,
    exact: Fraction,
) -> (String, Vec<Part>) {
    let rule = &model.satisfaction;
    if inputs.ratings == 0 {
        return (
            format!(
                "No feedback in {}: {}.",
                last_days(rule.days),
                describe_assumed(rule.without_feedback)
            ),
            Vec::new(),
        );
    }
    let ratings = format!("{} in {}", count_noun(inputs.ratings, "rating"), last_days(rule.days));
    let mean = part(format!("mean of {ratings}"), exact, 100);
    let sentence = if inputs.ratings == 1 {
        format!("{ratings}: {} of 100.", format_thousands(inputs.rating_sum))
    } else {
        format!("{ratings}, on average {} of 100.", in_points(mean.hundredths))
    };
    (sentence, vec![mean])
}

fn explain_momentum(inputs: &ScoreInputs, model: &ScoreModel) -> (String, Vec<Part>) {
    let (this_week, last_week) = (inputs.events, inputs.events_before);
    let (sentence, fact) = match (this_week, last_week) {
        (0, 0) => ("No event this week or last week.".to_owned(), "no event to compare".to_owned()),
        (_, 0) => (
            format!("{} this week, none last week.", count_noun(this_week, "event")),
            "events after a week without any".to_owned(),
        ),
        _ => {
            let change = hundredfold_change(this_week, last_week);
            let step = momentum_step(change, last_week, model);
            let percent = displayed_percent(change, last_week, model);
            let sentence = format!(
                "{} this week, {} last week: {}.",
                count_or_no(this_week, "event"),
                format_thousands(last_week),
                if change == 0 { "no change".to_owned() } else { format_signed(percent) },
            );
            let fact = match (step, model.momentum.steps.last()) {
                (Some(step), _) => {
                    format!("a change of {} or more", format_signed(step.at_least_percent))
                }
                (None, Some(lowest)) => {
                    format!("a change below {}", format_signed(lowest.at_least_percent))
                }
                (None, None) => "the model has no steps".to_owned(),
            };
            (capitalize(&sentence), fact)
        }
    };
    let points = Fraction::from_integer(momentum(inputs, model));
    (sentence, vec![part(fact, points, 100)])
}

/// The change in whole percent, rounded half up; rounded down where half up would show a step that
/// the change has not reached (+49.9 % earns the points of +20 %, so it must not read "+50 %").
fn displayed_percent(change: i128, last_week: i64, model: &ScoreModel) -> i64 {
    let last = i128::from(last_week);
    let rounded = (2 * change + last).div_euclid(2 * last);
    let step = |change| momentum_step(change, last_week, model);
    let shown =
        if step(rounded * last) == step(change) { rounded } else { change.div_euclid(last) };
    i64::try_from(shown).unwrap_or(i64::MAX)
}

/// `+20 %`, `0 %`, `−20 %`.
fn format_signed(percent: i64) -> String {
    format!("{}{} %", if percent > 0 { "+" } else { "" }, format_thousands(percent))
}

fn count_or_no(count: i64, noun: &str) -> String {
    if count == 0 { format!("no {noun}") } else { count_noun(count, noun) }
}

/// `the last day`, `the last 90 days`.
fn last_days(days: i32) -> String {
    if days == 1 {
        "the last day".to_owned()
    } else {
        format!("the last {}", count_noun(days.into(), "day"))
    }
}

fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

impl ScoreModel {
    /// The five components of a client, without the explanations: what the bulk run needs.
    pub fn components(&self, inputs: &ScoreInputs) -> Components<ComponentValue> {
        Components::from_fn(|component| {
            let (points, measured) = Evidence::value_of(component, inputs, self);
            ComponentValue { points, measured }
        })
    }
}
