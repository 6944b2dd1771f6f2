use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::PlaybookError;
use crate::{
    engagement::check_text,
    named::named,
    time::{add_days, local_day, start_of_day},
};

/// Longest title of a task.
pub const MAX_TASK_TITLE_CHARS: usize = 200;
/// Longest text of a task.
pub const MAX_TASK_TEXT_CHARS: usize = 4_000;

named! {
    /// What became of a task of the staff's.
    StaffTaskState, "task state" {
        /// It is to be done.
        Open = "open",
        /// Somebody did it.
        Done = "done",
        /// Somebody decided that it need not be done.
        Dismissed = "dismissed",
    }
}

/// The day on which a task is due that is made now, so many days later by the organization's calendar.
pub fn due_day(now: Timestamp, days: i32, zone: &TimeZone) -> Date {
    add_days(local_day(now, zone), days)
}

/// The instant from which a task is late: the end of the day on which it is due.
pub fn due_at(due: Date, zone: &TimeZone) -> Timestamp {
    start_of_day(add_days(due, 1), zone)
}

/// Whether a task that is still open is late.
pub fn is_overdue(due: Date, now: Timestamp, zone: &TimeZone) -> bool {
    now >= due_at(due, zone)
}

pub(super) fn check_task_text(field: &str, text: &str) -> Result<(), PlaybookError> {
    check_text("text", text, MAX_TASK_TEXT_CHARS)
        .map_err(|error| PlaybookError::new(field, error.reason))
}

/// Checks what a task says.
///
/// # Errors
/// Naming the field that cannot be used.
pub fn check_task(title: &str, text: &str) -> Result<(), PlaybookError> {
    super::check_line("title", title, MAX_TASK_TITLE_CHARS)?;
    check_task_text("text", text)
}
