use std::fmt;

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{Components, Evidence, ScoreInputs, ScoreModel, model::BandFloors};
use crate::{insight::named::named, time::days_before};

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
    /// The name as people read it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::AtRisk => "at risk",
            Self::NeedsAttention => "needs attention",
            Self::Good => "good",
            Self::Excellent => "excellent",
        }
    }
}

/// Where a score is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// Up by at least the model's `trend_points`.
    Rising,
    /// In between, or nothing to compare with.
    Stable,
    /// Down by at least the model's `trend_points`.
    Declining,
}

impl Trend {
    /// The name used in every API and in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rising => "rising",
            Self::Stable => "stable",
            Self::Declining => "declining",
        }
    }
}

impl fmt::Display for Trend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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

/// Which stored scores are old enough to be a `previous`.
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

    /// The `previous` among a client's stored scores, given from the oldest to the newest.
    pub fn choose(self, scores: impl IntoIterator<Item = Previous>) -> Option<Previous> {
        let (mut latest_week, mut oldest_day) = (None, None);
        for score in scores {
            if score.as_of <= self.week {
                latest_week = Some(score);
            }
            if score.as_of <= self.day {
                oldest_day = oldest_day.or(Some(score));
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
    /// What it is compared with.
    pub previous: Option<Previous>,
    /// Points since `previous`.
    pub change: Option<i64>,
    /// Where it is going.
    pub trend: Trend,
    /// How well that is.
    pub band: Band,
}

impl Score {
    /// Computes a score; `inputs.model` is the version of `model`.
    pub fn compute(inputs: ScoreInputs, model: &ScoreModel, previous: Option<Previous>) -> Self {
        let values = model.components(&inputs);
        let overall = Evidence::overall(&values, model);
        let change = previous.map(|previous| overall.points - previous.overall);
        Self {
            overall: overall.points,
            components: Components::from_fn(|component| values.get(component).points),
            coverage: overall.coverage,
            previous,
            change,
            trend: model.trend(change),
            band: model.band(overall.points),
            inputs,
        }
    }
}
