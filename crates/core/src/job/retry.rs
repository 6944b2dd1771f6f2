use jiff::SignedDuration;

/// How often a run is tried before it counts as failed.
pub const MAX_ATTEMPTS: i64 = 6;

/// Seconds until the next attempt, after the first, the second and so on.
const RETRY_DELAYS_SECONDS: [i64; 5] = [10, 60, 300, 1_200, 3_600];

/// How long to wait after an attempt (from 1) that failed, or `None` when it was the last. `jitter`
/// of 0…1 000 spreads it over 80 to 120 %, so that what failed together is not tried together.
pub fn retry_after(attempt: i64, jitter: u16) -> Option<SignedDuration> {
    if attempt >= MAX_ATTEMPTS {
        return None;
    }
    let index = usize::try_from(attempt - 1).unwrap_or(0).min(RETRY_DELAYS_SECONDS.len() - 1);
    Some(with_jitter(RETRY_DELAYS_SECONDS[index], jitter))
}

/// So many seconds, spread over 80 to 120 %.
pub(crate) fn with_jitter(seconds: i64, jitter: u16) -> SignedDuration {
    let per_mille = 800 + i64::from(jitter.min(1_000)) * 400 / 1_000;
    SignedDuration::from_millis(seconds * per_mille)
}
