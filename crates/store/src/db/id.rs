use jiff::Timestamp;
use uuid::{NoContext, Uuid};

/// A `UUIDv7` of the given instant, with randomness from the operating system.
pub fn new_id<Id: From<Uuid>>(now: Timestamp) -> Id {
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanoseconds)).into()
}
