use std::f64::consts::TAU;

use askama::Template;
use mainstay_core::{
    engagement::Windows,
    score::{Component, Components, ScoreModel},
    text::format_points,
    time::time_zone,
};

use super::{
    band::{BandChip, TrendMark},
    evidence::{Details, EvidenceWriter, Table},
    figures::drawn,
    markup,
    sparkline::Sparkline,
    view::View,
};
use crate::score::Explained;

/// How well a client does: the score, where it is going, and its five parts, each of which opens to
/// what it rests on.
#[derive(Template)]
#[template(path = "components/score_card.html")]
pub(crate) struct SuccessScoreCard {
    overall: i64,
    band: BandChip,
    measured: f64,
    assumed: f64,
    cuts: Vec<Cut>,
    floors: [i64; 3],
    change: Option<Change>,
    /// Why there is no change, if that is not because this is the first score.
    uncompared: Option<String>,
    basis: String,
    as_of: String,
    trend: Option<(Sparkline, String)>,
    bars: Vec<Bar>,
    sum: String,
    model: String,
    version: i64,
}

struct Change {
    mark: TrendMark,
    since: String,
    before: i64,
}

/// A mark across the ring.
struct Cut {
    inner: (f64, f64),
    outer: (f64, f64),
}

struct Bar {
    name: &'static str,
    weight: String,
    points: i64,
    contribution: String,
    measured: bool,
    band: &'static str,
    open: bool,
    before: Option<String>,
    table: Table,
}

impl SuccessScoreCard {
    /// The card of a score that `model` made. `weekly` are the scores of the last weeks, oldest
    /// first; `before` what the parts gave in the score that this one is compared with.
    pub(crate) fn new(
        view: &View,
        explained: &Explained,
        model: &ScoreModel,
        details: Details<'_>,
        weekly: &[Option<i64>],
        before: Option<&Components<i64>>,
    ) -> Self {
        let Explained { score, evidence, .. } = explained;
        let inputs = &score.inputs;
        let zone = time_zone(&inputs.zone).unwrap_or_else(|_| view.zone().clone());
        let writer = EvidenceWriter {
            view,
            inputs,
            model,
            details,
            windows: Windows::at(inputs.as_of, zone),
        };
        let assumed: i64 = evidence
            .components
            .iter()
            .filter(|part| !part.measured)
            .map(|part| part.contribution_hundredths)
            .sum();
        let since = score.previous.map(|previous| view.day_of(previous.as_of));
        let fell = |component: Component, contribution: i64| {
            before.is_some_and(|before| contribution < *before.get(component))
        };
        let bars = evidence
            .components
            .iter()
            .map(|part| Bar {
                name: part.component.title(),
                weight: weight_of(part.weight_percent, evidence.weight_total_percent),
                points: part.points,
                contribution: format_points(part.contribution_hundredths),
                measured: part.measured,
                band: BandChip::from(model.band(part.points)).name,
                open: view.is_staff() && fell(part.component, part.contribution_hundredths),
                before: before.zip(since.as_ref()).filter(|_| view.is_staff()).map(
                    |(before, since)| {
                        format!("{} points on {since}.", format_points(*before.get(part.component)))
                    },
                ),
                table: writer.table(part, evidence.weight_total_percent),
            })
            .collect();
        let contributions: Vec<String> = evidence
            .components
            .iter()
            .map(|part| format_points(part.contribution_hundredths))
            .collect();
        Self {
            overall: score.overall,
            band: BandChip::of(score.band, view),
            measured: drawn(evidence.total_hundredths - assumed) / 100.0,
            assumed: drawn(assumed) / 100.0,
            cuts: cuts(model),
            floors: floors(model),
            uncompared: score.incomparable.map(|as_of| {
                let day = view.day_of(as_of);
                format!(
                    "No comparison: the score of {day} used a model that counts feedback over a different period"
                )
            }),
            change: score.previous.zip(score.change).map(|(previous, change)| Change {
                mark: TrendMark::new(change, score.trend),
                since: view.day_of(previous.as_of),
                before: previous.overall,
            }),
            basis: basis(evidence.coverage),
            as_of: view.full_moment(inputs.as_of),
            trend: Sparkline::large(weekly, model, score.band),
            bars,
            sum: format!("{} = {}", contributions.join(" + "), format_points(evidence.total_hundredths)),
            model: model.name.clone(),
            version: inputs.model,
        }
    }
}

/// What is shown in the card's place until there is something to score.
#[derive(Template)]
#[template(path = "components/unscored.html")]
pub(crate) struct Unscored {
    parts: Vec<(&'static str, i64, &'static str)>,
}

impl Unscored {
    /// What the parts of a score by this model will be made of.
    pub(crate) fn new(model: &ScoreModel) -> Self {
        let parts = Component::ALL
            .into_iter()
            .map(|component| (component.title(), *model.weights.get(component), made_of(component)))
            .collect();
        Self { parts }
    }
}

const fn made_of(component: Component) -> &'static str {
    match component {
        Component::Engagement => "Your active days and actions in a week.",
        Component::Activation => "Your onboarding tasks and the launch kit.",
        Component::Progress => "Content and visuals you create.",
        Component::Satisfaction => "Your feedback. Assumed until there is some.",
        Component::Momentum => "This week against the week before.",
    }
}

/// `25 %`, or `25 of 85` where components were left out.
fn weight_of(weight: i64, total: i64) -> String {
    if total == 100 { format!("{weight} %") } else { format!("{weight} of {total}") }
}

fn basis(coverage: i64) -> String {
    match coverage {
        100 => "100 % measured".to_owned(),
        measured => format!("{measured} % measured, {} % assumed", 100 - measured),
    }
}

const fn floors(model: &ScoreModel) -> [i64; 3] {
    [model.bands.needs_attention, model.bands.good, model.bands.excellent]
}

/// Where bands begin on the ring, from the top clockwise.
fn cuts(model: &ScoreModel) -> Vec<Cut> {
    const CENTRE: f64 = 60.0;
    const INNER: f64 = 46.0;
    const OUTER: f64 = 58.0;
    [0].into_iter()
        .chain(floors(model))
        .map(|floor| {
            let (sin, cos) = (drawn(floor) / 100.0 * TAU).sin_cos();
            let at = |radius: f64| (CENTRE + radius * sin, CENTRE - radius * cos);
            Cut { inner: at(INNER), outer: at(OUTER) }
        })
        .collect()
}

markup!(SuccessScoreCard, Unscored);
