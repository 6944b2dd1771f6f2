use jiff::{SignedDuration, Timestamp};

use crate::{
    alert::{AlertFacts, AlertType, Condition, Family, condition},
    score::Band,
};

/// A client that recovers later than this has hardly done so because of what was done: 14 days of 24
/// hours.
pub const RECOVERY_WINDOW: SignedDuration = SignedDuration::from_hours(24 * 14);

/// What went wrong with a client, as it stood when that was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setback {
    /// An alert opened.
    Alert {
        /// Of which type.
        kind: AlertType,
        /// Time.
        at: Timestamp,
        /// The overall score then and the one it was compared with, where the alert is about the
        /// score.
        score: Option<(i64, Option<i64>)>,
    },
    /// The score fell into a band.
    Fall {
        /// ID.
        into: Band,
        /// Time.
        at: Timestamp,
    },
}

impl Setback {
    /// When the silence was detected.
    pub const fn at(self) -> Timestamp {
        match self {
            Self::Alert { at, .. } | Self::Fall { at, .. } => at,
        }
    }

    /// Whether the client has recovered from it in time.
    ///
    /// After a silence: something came from it again. After a stalled task: none is stalled any more.
    /// After a fall of the score: the score stands in a better band than then, or has regained at least
    /// half of the points that it had lost. That a score's condition ended is not enough: a week after
    /// a fall the fallen score is what the next one is compared with.
    pub fn has_recovered(self, facts: &AlertFacts) -> bool {
        let since = facts.as_of.duration_since(self.at());
        if since <= SignedDuration::ZERO || since > RECOVERY_WINDOW {
            return false;
        }
        match self {
            Self::Alert { kind: AlertType::TaskStalled, .. } => {
                condition(Family::TaskStalled, facts) == Condition::Ended
            }
            Self::Alert { score: Some((then, before)), .. } => {
                has_climbed(facts, |now, band_of| {
                    let regained = before
                        .is_some_and(|before| before > then && 2 * (now - then) >= before - then);
                    regained || band_of(now) > band_of(then)
                })
            }
            Self::Alert { at, score: None, .. } => facts.silent_since() > at,
            Self::Fall { into, .. } => has_climbed(facts, |now, band_of| band_of(now) > into),
        }
    }
}

/// Whether the present score is as high as asked; never without one.
fn has_climbed(facts: &AlertFacts, enough: impl Fn(i64, &dyn Fn(i64) -> Band) -> bool) -> bool {
    facts
        .score
        .as_ref()
        .is_some_and(|score| enough(score.overall, &|overall| score.bands.band(overall)))
}
