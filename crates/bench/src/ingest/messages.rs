use std::fmt::Write as _;

use bytes::Bytes;
use mainstay::{Clock as _, SystemClock};

const NAMES: [&str; 5] =
    ["page_view", "login", "content_generated", "task_completed", "Report Exported"];

/// A request's path and body.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: &'static str,
    pub(crate) body: Bytes,
    /// Its messages' numbers: from the first, so many.
    pub(crate) first: u64,
    pub(crate) count: u64,
}

impl Request {
    /// As Segment's SDKs send them: one message, or a batch.
    pub(crate) fn of(first: u64, count: u64, clients: u64) -> Self {
        let now = SystemClock.now();
        let mut body = String::with_capacity(160 * usize::try_from(count).unwrap_or(1) + 64);
        if count == 1 {
            message(&mut body, first, clients, now);
            return Self { path: "/v1/track", body: body.into(), first, count };
        }
        body.push_str("{\"batch\":[");
        for number in first..first + count {
            if number > first {
                body.push(',');
            }
            message(&mut body, number, clients, now);
        }
        // Writing to a String cannot fail.
        let _ = write!(body, "],\"sentAt\":\"{now}\"}}");
        Self { path: "/v1/batch", body: body.into(), first, count }
    }
}

/// The id by which a message is found again.
pub(crate) fn message_id(number: u64) -> String {
    // Spread like the random ids of real senders.
    format!("{:016x}-{number}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn message(body: &mut String, number: u64, clients: u64, now: jiff::Timestamp) {
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let name = NAMES[usize::try_from(spread % 5).unwrap_or(0)];
    let _ = write!(
        body,
        "{{\"type\":\"track\",\"userId\":\"client-{}\",\"event\":\"{name}\",\
         \"messageId\":\"{}\",\"timestamp\":\"{now}\",\"properties\":{{\"plan\":\"pro\"}}}}",
        spread % clients.max(1),
        message_id(number)
    );
}
