use jiff::{SignedDuration, Timestamp};

use crate::job::jittered;

/// Seconds until a message is sent again, after the first attempt that failed, the second and so on:
/// what Standard Webhooks recommends.
const WAITS: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// How often a message is sent before it counts as failed.
pub const MOST_ATTEMPTS: usize = WAITS.len() + 1;
/// An endpoint that has taken nothing for so long by the last attempt of a message is disabled. All of
/// a message's attempts take longer, however they are spread.
pub const DISABLED_AFTER: SignedDuration = SignedDuration::from_hours(60);
/// What an endpoint answers that is not there any more.
const GONE: u16 = 410;

/// How long a message waits after so many attempts that failed, or `None` when that was the last.
/// `jitter` of 0…1 000 spreads it over 80 to 120 %.
pub fn next_attempt(attempts: i64, jitter: u16) -> Option<SignedDuration> {
    let wait = usize::try_from(attempts - 1).ok().and_then(|index| WAITS.get(index))?;
    Some(jittered(*wait, jitter))
}

/// Why an endpoint is disabled after an attempt that failed, if it is. `last` says whether it was the
/// message's last one, and `failing_since` when the first failed since one arrived.
pub fn disables(
    status: Option<u16>,
    last: bool,
    failing_since: Timestamp,
    now: Timestamp,
) -> Option<String> {
    if status == Some(GONE) {
        return Some("it answered 410 Gone: it wants no more".to_owned());
    }
    let failing = now.duration_since(failing_since);
    (last && failing >= DISABLED_AFTER)
        .then(|| format!("it has taken nothing for {} hours", failing.as_hours()))
}
