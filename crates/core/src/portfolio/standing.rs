use jiff::{SignedDuration, Timestamp};

use crate::{
    alert::{AlertStatus, AlertType, Severity},
    id::{ClientId, MemberId},
    score::{Band, Score, Trend},
};

/// How one client stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Our id.
    pub client: ClientId,
    /// The host app's id.
    pub external_id: String,
    /// Display name.
    pub name: Option<String>,
    /// Its address.
    pub email: Option<String>,
    /// Parts of the component that earn points.
    pub plan: Option<String>,
    /// Member who owns the client.
    pub owner: Option<MemberId>,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// Its latest stored score.
    pub score: Option<StandingScore>,
    /// Its open alerts.
    pub alerts: Vec<OpenAlert>,
}

/// A client's latest stored score, as far as the portfolio shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingScore {
    /// The instant it is for.
    pub as_of: Timestamp,
    /// 0–100.
    pub overall: i64,
    /// Points since the score it is compared with.
    pub change: Option<i64>,
    /// Where it is going.
    pub trend: Trend,
    /// Band of the score.
    pub band: Band,
    /// Percent of the weight that rests on measured data.
    pub coverage: i64,
    /// Events in its week.
    pub events: i64,
    /// Events in the week before.
    pub events_before: i64,
    /// The last event before it.
    pub last_event_at: Option<Timestamp>,
}

impl StandingScore {
    /// Whether it is for the instant just after its client's last event.
    pub fn is_just_after_last_event(&self) -> bool {
        let after = |last: Timestamp| last.checked_add(SignedDuration::from_micros(1)).ok();
        self.last_event_at.and_then(after) == Some(self.as_of)
    }

    /// Whether it is for the instant that it is shown for, unless something happened since: `midnight`
    /// began the present day.
    pub fn is_of_day(&self, midnight: Timestamp) -> bool {
        self.as_of == midnight || (self.as_of > midnight && self.is_just_after_last_event())
    }
}

impl From<&Score> for StandingScore {
    fn from(score: &Score) -> Self {
        let inputs = &score.inputs;
        Self {
            as_of: inputs.as_of,
            overall: score.overall,
            change: score.change,
            trend: score.trend,
            band: score.band,
            coverage: score.coverage,
            events: inputs.events,
            events_before: inputs.events_before,
            last_event_at: inputs.last,
        }
    }
}

/// An open alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenAlert {
    /// Alert type.
    pub kind: AlertType,
    /// Severity.
    pub severity: Severity,
    /// Actions of members.
    pub status: AlertStatus,
}

/// How much need a client without an awake alert is in, and the room below each severity for the fall
/// and the score.
const FALL_WEIGHT: i64 = 1_000;
const SEVERITY_WEIGHT: i64 = 1_000 * FALL_WEIGHT;

impl Standing {
    /// The worst of its alerts that nobody has put off.
    pub fn worst(&self) -> Option<Severity> {
        let awake = |alert: &&OpenAlert| alert.status != AlertStatus::Snoozed;
        self.alerts.iter().filter(awake).map(|alert| alert.severity).max()
    }

    /// Whether it needs a person: an alert is open that nobody has put off.
    pub fn needs_a_person(&self) -> bool {
        self.worst().is_some()
    }

    /// How many of its alerts of a severity are open.
    pub fn open(&self, severity: Severity) -> i64 {
        let count = self.alerts.iter().filter(|alert| alert.severity == severity).count();
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    /// How much it needs a person; more is more urgent. The worst alert decides, then the fall of the
    /// score, then the score. Whoever has no score yet comes after those who have.
    pub fn need(&self) -> i64 {
        let worst = match self.worst() {
            None => 0,
            Some(Severity::Info) => 1,
            Some(Severity::Warning) => 2,
            Some(Severity::Critical) => 3,
        };
        let fall = self.score.as_ref().and_then(|score| score.change).map_or(0, |change| -change);
        let missing = self.score.as_ref().map_or(-1, |score| 100 - score.overall);
        worst * SEVERITY_WEIGHT + fall * FALL_WEIGHT + missing
    }

    /// The score that its score is compared with.
    pub fn before(&self) -> Option<i64> {
        let score = self.score.as_ref()?;
        score.change.map(|change| score.overall - change)
    }
}
