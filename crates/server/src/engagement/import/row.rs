use mainstay_core::engagement::IncomingEvent;

/// How much of a row's text is kept for the list of refused rows, in characters: enough to find and
/// recognise it, and a broken file cannot make that list larger than itself by much.
pub const MAX_RAW_CHARS: usize = 1_000;

/// One row that could be read. Its event still has to pass
/// [`validate`](mainstay_core::engagement::validate).
#[derive(Clone, Debug)]
pub struct Row {
    /// The line of the file on which the row starts, counted from 1.
    pub line: u64,
    /// What it says.
    pub content: RowContent,
    /// Its text, at most [`MAX_RAW_CHARS`] characters: kept because the row may yet be refused,
    /// when the file has long been read on.
    pub raw: String,
}

/// What a row says.
#[derive(Clone, Debug)]
pub enum RowContent {
    /// A client did something, in a table. `timestamp` and `message_id` are always set; `sent_at` never is,
    /// because the clock of history cannot be corrected.
    Event(Box<IncomingEvent>),
    /// A Segment message, as JSON: what it says depends on whom the organization calls its clients.
    Message(String),
}

/// A row that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    /// The line of the file on which the row starts, counted from 1.
    pub line: u64,
    /// What is wrong with it and what to do.
    pub reason: String,
    /// Its text, at most [`MAX_RAW_CHARS`] characters.
    pub raw: String,
}

/// A row as a format's reader found it, before it is known to be good.
pub(super) struct Found {
    pub(super) line: u64,
    pub(super) raw: String,
    pub(super) content: Result<RowContent, String>,
}

/// The text of a row for people: without its line end, cut, and readable even if it is not UTF-8.
pub(super) fn raw_text(bytes: &[u8]) -> String {
    // A character takes at most 4 bytes, so this holds MAX_RAW_CHARS whole ones if there are more.
    let head = &bytes[..bytes.len().min(MAX_RAW_CHARS * 4)];
    let text = String::from_utf8_lossy(head);
    let mut raw = match text.char_indices().nth(MAX_RAW_CHARS) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.into_owned(),
    };
    raw.truncate(raw.trim_end_matches(['\r', '\n']).len());
    raw
}
