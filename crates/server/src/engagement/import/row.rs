use mainstay_core::engagement::IncomingEvent;

/// Maximum length of a row's text in the list of rejected rows: enough to identify the row, without
/// blowing up the list for a broken file.
pub const MAX_RAW_CHARS: usize = 1_000;

/// A parsed row. Its event still has to pass
/// [`validate`](mainstay_core::engagement::validate).
#[derive(Clone, Debug)]
pub struct Row {
    /// The line of the file on which the row starts, counted from 1.
    pub line: u64,
    /// The content.
    pub content: RowContent,
    /// Its text, at most [`MAX_RAW_CHARS`] characters: kept because the row may be rejected later.
    pub raw: String,
}

/// The content of a row.
#[derive(Clone, Debug)]
pub enum RowContent {
    /// An event in a table. `timestamp` and `message_id` are always set; `sent_at` never is,
    /// because past clocks cannot be corrected.
    Event(Box<IncomingEvent>),
    /// A Segment message as JSON, whose meaning depends on whether clients are users or groups.
    Message(String),
}

/// A rejected row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    /// The line of the file on which the row starts, counted from 1.
    pub line: u64,
    /// What is wrong, and the remedy.
    pub reason: String,
    /// Its text, at most [`MAX_RAW_CHARS`] characters.
    pub raw: String,
}

/// A row as parsed by a format's reader, before validation.
pub(super) struct ParsedRow {
    pub(super) line: u64,
    pub(super) raw: String,
    pub(super) content: Result<RowContent, String>,
}

/// The text of a row for people: without its line end, truncated, and with invalid UTF-8 replaced.
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
