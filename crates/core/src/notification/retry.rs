use jiff::{SignedDuration, Timestamp, fmt::rfc2822};

use crate::job::with_jitter;

/// Seconds until a message is sent again, after the first attempt that failed, the second and so on:
/// what Standard Webhooks recommends.
const RETRY_DELAYS_SECONDS: [i64; 9] =
    [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// How often a message is sent before it counts as failed.
pub const MAX_ATTEMPTS: usize = RETRY_DELAYS_SECONDS.len() + 1;
/// An endpoint that has taken nothing for so long by the last attempt of a message is disabled. All of
/// a message's attempts take longer, however they are spread.
pub const DISABLED_AFTER: SignedDuration = SignedDuration::from_hours(60);
/// The longest wait that an endpoint can ask for.
const MAX_RETRY_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// A failure that lasts as long is no passing one.
const NOTABLE_AFTER: SignedDuration = SignedDuration::from_mins(20);
/// What an endpoint answers that is not there any more.
const HTTP_GONE: u16 = 410;

/// How long a message waits after so many attempts that failed, or `None` when that was the last.
/// `jitter` of 0…1 000 spreads it over 80 to 120 %.
pub fn next_attempt(attempts: i64, jitter: u16) -> Option<SignedDuration> {
    let wait =
        usize::try_from(attempts - 1).ok().and_then(|index| RETRY_DELAYS_SECONDS.get(index))?;
    Some(with_jitter(*wait, jitter))
}

/// How long an endpoint asks us to wait by its `Retry-After` (RFC 9110, section 10.2.3): seconds, or a
/// date. At most a day; `None` for what is neither, or past.
pub fn retry_after(value: &str, now: Timestamp) -> Option<SignedDuration> {
    let value = value.trim();
    let wait = if value.bytes().all(|byte| byte.is_ascii_digit()) {
        SignedDuration::from_secs(value.parse().ok()?)
    } else {
        rfc2822::parse(value).ok()?.timestamp().duration_since(now)
    };
    (wait.is_positive()).then(|| wait.min(MAX_RETRY_AFTER))
}

/// Whether an endpoint has taken nothing for long enough that owners should hear of it. All of that
/// happens within the first hour, since a message is sent four times in it.
pub fn is_notable_failure(failing_since: Timestamp, now: Timestamp) -> bool {
    now.duration_since(failing_since) >= NOTABLE_AFTER
}

/// Why an endpoint is disabled after an attempt that failed, if it is. `last` says whether it was the
/// message's last one, and `failing_since` when the first failed since one arrived.
pub fn should_disable(
    status: Option<u16>,
    last: bool,
    failing_since: Timestamp,
    now: Timestamp,
) -> Option<String> {
    if status == Some(HTTP_GONE) {
        return Some("it answered 410 Gone: it wants no more".to_owned());
    }
    let failing = now.duration_since(failing_since);
    (last && failing >= DISABLED_AFTER)
        .then(|| format!("it has taken nothing for {} hours", failing.as_hours()))
}
