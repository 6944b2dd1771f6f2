use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{Components, Evidence, ScoreInputs, ScoreModel, model::BandFloors};
use crate::{
    named::named,
    time::{days_before, local_day, start_of_day, to_micros},
};

named! {
    /// How well a client does, in a word; a later one is better.
    Band, "band" {
        /// 0–39 in the standard model.
        AtRisk = "at_risk",
        /// 40–59 in the standard model.
        NeedsAttention = "needs_attention",
        /// 60–79 in the standard model.
        Good = "good",
        /// 80–100 in the standard model.
        Excellent = "excellent",
    }
}

impl Band {
    /// The name as staff read it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::AtRisk => "at risk",
            Self::NeedsAttention => "needs attention",
            Self::Good => "good",
            Self::Excellent => "excellent",
        }
    }

    /// The name as the client itself reads it, on its page, in widgets and in its emails: "at risk"
    /// is a supplier's word for a customer it may lose.
    pub const fn client_words(self) -> &'static str {
        match self {
            Self::AtRisk => "getting going",
            Self::NeedsAttention => "building up",
            Self::Good | Self::Excellent => self.words(),
        }
    }
}

named! {
    /// Where a score is going.
    Trend, "trend" {
        /// Up by at least the model's `trend_points`.
        Rising = "rising",
        /// In between, or nothing to compare with.
        Stable = "stable",
        /// Down by at least the model's `trend_points`.
        Declining = "declining",
    }
}

impl BandFloors {
    /// The band of an overall score.
    pub const fn band(&self, overall: i64) -> Band {
        if overall >= self.excellent {
            Band::Excellent
        } else if overall >= self.good {
            Band::Good
        } else if overall >= self.needs_attention {
            Band::NeedsAttention
        } else {
            Band::AtRisk
        }
    }
}

impl ScoreModel {
    /// The band of an overall score.
    pub const fn band(&self, overall: i64) -> Band {
        self.bands.band(overall)
    }

    /// The trend of a change; no change to speak of when there is no previous score.
    pub fn trend(&self, change: Option<i64>) -> Trend {
        match change {
            Some(change) if change >= self.trend_points => Trend::Rising,
            Some(change) if change <= -self.trend_points => Trend::Declining,
            _ => Trend::Stable,
        }
    }
}

/// The stored score that a new one is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// The instant it was computed for.
    pub as_of: Timestamp,
    /// Its overall.
    pub overall: i64,
}

/// A stored score as it may be compared with a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierScore {
    /// The instant it was computed for.
    pub as_of: Timestamp,
    /// Its overall by the model that made it.
    pub overall: i64,
    /// The version of that model.
    pub model: i64,
    /// What it was made from; may be left out where it is to be compared with a score of the same
    /// model.
    pub inputs: Option<ScoreInputs>,
}

/// What a score is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Comparison {
    /// No stored score is old enough.
    #[default]
    Nothing,
    /// An earlier score, by the model of the later one.
    With(Previous),
    /// The score of this instant, which was made by a model that counts feedback over other days: its
    /// inputs do not tell what the present model would have made of it.
    Impossible(Timestamp),
}

impl EarlierScore {
    /// The score as `model` would have made it, so that a change is the client's and not the model's.
    /// `version` is the number of `model`, and `made_by` the model that the score was made with.
    pub fn compare_using(
        &self,
        (version, model): (i64, &ScoreModel),
        made_by: &ScoreModel,
    ) -> Comparison {
        if version == self.model {
            return Comparison::With(Previous { as_of: self.as_of, overall: self.overall });
        }
        match &self.inputs {
            Some(inputs) if model.can_recompute(made_by, inputs.ratings) => {
                let overall = Evidence::overall(&model.components(inputs), model).points;
                Comparison::With(Previous { as_of: self.as_of, overall })
            }
            _ => Comparison::Impossible(self.as_of),
        }
    }
}

impl From<Option<Previous>> for Comparison {
    fn from(previous: Option<Previous>) -> Self {
        previous.map_or(Self::Nothing, Self::With)
    }
}

/// Latest times at which a stored score counts as `previous`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreviousCutoffs {
    /// First choice: the latest score at or before this instant, seven calendar days back.
    pub week: Timestamp,
    /// Second choice: the oldest score at or before this instant, one calendar day back.
    pub day: Timestamp,
}

impl PreviousCutoffs {
    /// The cut-offs of a score computed for `as_of`.
    pub fn at(as_of: Timestamp, zone: &TimeZone) -> Self {
        Self { week: days_before(as_of, 7, zone), day: days_before(as_of, 1, zone) }
    }

    /// The index of the `previous` among the instants of a client's stored scores, given from the
    /// oldest to the newest.
    pub fn choose(self, scores: impl IntoIterator<Item = Timestamp>) -> Option<usize> {
        let (mut latest_week, mut oldest_day) = (None, None);
        for (index, as_of) in scores.into_iter().enumerate() {
            if as_of <= self.week {
                latest_week = Some(index);
            }
            if as_of <= self.day {
                oldest_day = oldest_day.or(Some(index));
            }
        }
        latest_week.or(oldest_day)
    }
}

/// A client's success score at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// What it was made from.
    pub inputs: ScoreInputs,
    /// 0–100.
    pub overall: i64,
    /// Each component, 0–100.
    pub components: Components<i64>,
    /// Percent of the weight that rests on measured data.
    pub coverage: i64,
    /// Earlier score by the same model.
    pub previous: Option<Previous>,
    /// The earlier score that it would be compared with, were it not made by a model that counts
    /// feedback over other days.
    pub incomparable: Option<Timestamp>,
    /// Points since `previous`.
    pub change: Option<i64>,
    /// Where it is going.
    pub trend: Trend,
    /// Band of the score.
    pub band: Band,
}

impl Score {
    /// Computes a score; `inputs.model` is the version of `model`.
    pub fn compute(
        inputs: ScoreInputs,
        model: &ScoreModel,
        compared: impl Into<Comparison>,
    ) -> Self {
        let values = model.components(&inputs);
        let overall = Evidence::overall(&values, model);
        let (previous, incomparable) = match compared.into() {
            Comparison::Nothing => (None, None),
            Comparison::With(previous) => (Some(previous), None),
            Comparison::Impossible(as_of) => (None, Some(as_of)),
        };
        let change = previous.map(|previous| overall.points - previous.overall);
        Self {
            overall: overall.points,
            components: Components::from_fn(|component| values.get(component).points),
            coverage: overall.coverage,
            previous,
            incomparable,
            change,
            trend: model.trend(change),
            band: model.band(overall.points),
            inputs,
        }
    }
}

/// The instant that a client's score is shown for: just after its last event, so that this counts, or
/// the beginning of the local day of `now`, whichever is later. So a score moves when something happens
/// and when a day ends, and at no other time. Events at or after `now` have not happened yet; the answer
/// is never after `now`.
pub fn displayed_as_of(
    last_event_at: Option<Timestamp>,
    now: Timestamp,
    zone: &TimeZone,
) -> Timestamp {
    let now = to_micros(now);
    let midnight = start_of_day(local_day(now, zone), zone);
    let after_last = last_event_at
        .filter(|last| *last < now)
        .and_then(|last| last.checked_add(SignedDuration::from_micros(1)).ok());
    after_last.map_or(midnight, |after| after.max(midnight))
}
