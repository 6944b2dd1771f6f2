use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::{
    insight::{ComponentChange, contributions},
    score::{Band, BandFloors, Components, Previous, Score, ScoreModel, Trend},
};

/// Everything that a client's alerts are judged by.
#[derive(Clone, Debug)]
pub struct AlertFacts {
    /// The instant of the check.
    pub as_of: Timestamp,
    /// The organization's zone, for the dates in sentences; no rule depends on it.
    pub zone: TimeZone,
    /// When the client was created: its silence counts from here while it has no event.
    pub created_at: Timestamp,
    /// Its last event before `as_of`.
    pub last_event_at: Option<Timestamp>,
    /// [`Rhythm::usual_gap_days`](crate::engagement::Rhythm::usual_gap_days).
    pub usual_gap_days: Option<i32>,
    /// Every onboarding task in progress, however fresh.
    pub tasks_in_progress: Vec<TaskInProgress>,
    /// The client's latest score; `None` before the first.
    pub score: Option<ScoreFacts>,
}

/// An onboarding task that was begun and is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskInProgress {
    /// Its title.
    pub title: String,
    /// When the task last changed.
    pub updated_at: Timestamp,
}

/// What alerts need to know of a score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreFacts {
    /// The instant it is for.
    pub as_of: Timestamp,
    /// 0–100.
    pub overall: i64,
    /// Band of the score.
    pub band: Band,
    /// Earlier score to compare with.
    pub previous: Option<Previous>,
    /// The band of `previous`, by the same model.
    pub previous_band: Option<Band>,
    /// Points since `previous`.
    pub change: Option<i64>,
    /// Where it is going.
    pub trend: Trend,
    /// The bands' edges, for sentences.
    pub bands: BandFloors,
    /// What moved it since `previous`, the largest change first; empty when that is not known.
    pub moved: Vec<ComponentChange>,
}

impl ScoreFacts {
    /// The facts of a score. `model` is the version that made it; `previous_contributions` are
    /// [`contributions`] of the score that `score.previous` names.
    pub fn of(
        score: &Score,
        model: &ScoreModel,
        previous_contributions: Option<&Components<i64>>,
    ) -> Self {
        Self {
            moved: previous_contributions.map_or_else(Vec::new, |before| {
                ComponentChange::between(before, &contributions(&score.inputs, model))
            }),
            ..Self::new(score.inputs.as_of, score.overall, score.previous, model)
        }
    }

    /// The facts of a score of which only the overall is at hand.
    pub fn new(
        as_of: Timestamp,
        overall: i64,
        previous: Option<Previous>,
        model: &ScoreModel,
    ) -> Self {
        let change = previous.map(|previous| overall - previous.overall);
        Self {
            as_of,
            overall,
            band: model.band(overall),
            previous,
            previous_band: previous.map(|previous| model.band(previous.overall)),
            change,
            trend: model.trend(change),
            bands: model.bands,
            moved: Vec::new(),
        }
    }

    pub(super) fn at_risk_and_declining(&self) -> bool {
        self.band == Band::AtRisk && self.trend == Trend::Declining
    }
}

impl AlertFacts {
    /// Since when nothing has come from the client: its last event, or its creation.
    pub fn silent_since(&self) -> Timestamp {
        self.last_event_at.unwrap_or(self.created_at)
    }

    /// How long that is; never negative.
    pub fn silence(&self) -> SignedDuration {
        self.as_of.duration_since(self.silent_since()).max(SignedDuration::ZERO)
    }

    /// The tasks untouched for at least `limit`, the longest untouched first.
    pub(super) fn stalled_tasks(&self, limit: SignedDuration) -> Vec<&TaskInProgress> {
        let mut tasks: Vec<&TaskInProgress> = self
            .tasks_in_progress
            .iter()
            .filter(|task| self.as_of.duration_since(task.updated_at) >= limit)
            .collect();
        tasks.sort_by(|a, b| (a.updated_at, &a.title).cmp(&(b.updated_at, &b.title)));
        tasks
    }
}
