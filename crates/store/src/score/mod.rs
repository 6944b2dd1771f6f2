//! Success scores and everything they are made from.

mod facts;
mod history;
mod previous;
mod save;
mod stale;

pub use history::ClientHistory;

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    engagement::Activity,
    id::ClientId,
    score::{EarlierScore, LaunchKit, Score, TaskCounts},
};

/// Facts about one client at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientFacts {
    /// Our id.
    pub client: ClientId,
    /// The host app's id.
    pub external_id: String,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// The instant that all of this is for.
    pub as_of: Timestamp,
    /// The instant before which tasks, launch kit and ratings count, where it is later than `as_of`.
    pub known_at: Option<Timestamp>,
    /// Totals of the events.
    pub activity: Activity,
    /// `content_generated` and `visual_created` events on the local day of the instant.
    pub made_today: (i64, i64),
    /// Its onboarding tasks.
    pub tasks: TaskCounts,
    /// Its launch kit.
    pub launch_kit: LaunchKit,
    /// Number and sum of its ratings in the model's feedback window.
    pub ratings: (i64, i64),
    /// The stored score that a new one is compared with. What it was made from is only read when the
    /// range is detailed, or where another model made it than is to make the new one.
    pub previous: Option<EarlierScore>,
}

/// A stored score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreRow {
    /// Owner.
    pub client: ClientId,
    /// Calendar day of its `as_of`.
    pub day: Date,
    /// The score as it is stored, which a check may find tampered with.
    pub score: Score,
    /// What the inputs themselves say of themselves; the columns decide.
    pub recorded: Recorded,
    /// When it was computed.
    pub computed_at: Timestamp,
}

/// The instant and the version of the model that are stored with a score's inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The instant.
    pub as_of: Timestamp,
    /// The version.
    pub model: i64,
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
