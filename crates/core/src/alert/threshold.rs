use jiff::SignedDuration;

/// Silence of this length is inactivity: 48 hours.
pub const INACTIVE_AFTER: SignedDuration = SignedDuration::from_hours(48);
/// Silence of this length is no activity at all: 3 days of 24 hours, whatever the clocks do.
pub const ZERO_ACTIVITY_AFTER: SignedDuration = SignedDuration::from_hours(72);
/// A task in progress that is untouched for this long is stalled: 72 hours.
pub const TASK_STALLED_AFTER: SignedDuration = SignedDuration::from_hours(72);
/// A fall of the score by this many points is a warning.
pub const SCORE_DROP_WARNING: i64 = 20;
/// A fall of the score by this many points is critical.
pub const SCORE_DROP_CRITICAL: i64 = 30;
/// Silence of more than this many usual gaps is a risk of churn.
pub const CHURN_GAP_FACTOR: i64 = 3;
/// But never one of this many days or fewer.
pub const CHURN_MIN_DAYS: i64 = 7;
