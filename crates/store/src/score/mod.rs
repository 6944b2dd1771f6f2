//! Success scores and everything they are made from.

mod facts;
mod previous;
mod save;

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    engagement::Activity,
    id::ClientId,
    score::{LaunchKit, Previous, Score, ScoreInputs, TaskCounts},
};

/// What is known of one client at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientFacts {
    /// Our id.
    pub client: ClientId,
    /// The host app's id.
    pub external_id: String,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// What its events come to.
    pub activity: Activity,
    /// `content_generated` and `visual_created` events on the local day of the instant.
    pub made_today: (i64, i64),
    /// Its onboarding tasks.
    pub tasks: TaskCounts,
    /// Its launch kit.
    pub launch_kit: LaunchKit,
    /// Number and sum of its ratings in the model's feedback window.
    pub ratings: (i64, i64),
    /// The stored score that a new one is compared with.
    pub previous: Option<Previous>,
    /// What that score was made from; only when the range is detailed.
    pub previous_inputs: Option<ScoreInputs>,
}

/// A stored score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreRow {
    /// Whose it is.
    pub client: ClientId,
    /// Calendar day of its `as_of`.
    pub day: Date,
    /// The score as it is stored, which a check may find tampered with.
    pub score: Score,
    /// When it was computed.
    pub computed_at: Timestamp,
}

/// A client's latest stored score, as far as its band is told by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatestScore {
    /// The instant that it is for.
    pub as_of: Timestamp,
    /// 0–100.
    pub overall: i64,
    /// The version of the model that made it.
    pub model: i64,
}

/// A client whose stored scores are out of date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleClient {
    /// Whose they are.
    pub client: ClientId,
    /// The host app's id.
    pub external_id: String,
    /// Since when the client exists.
    pub created_at: Timestamp,
    /// Scores for instants after this one are out of date.
    pub since: Timestamp,
}
