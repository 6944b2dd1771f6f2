use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// An id of the host app as it is kept and looked up: without white space around it and in Unicode's
/// composed form (NFC). Otherwise `Zoë`, typed on two systems, would be two clients that look alike.
pub fn normalize_id(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim();
    if trimmed.is_ascii() || is_nfc(trimmed) {
        Cow::Borrowed(trimmed)
    } else {
        Cow::Owned(trimmed.nfc().collect())
    }
}

/// [`normalize_id`] of a text that is kept, without a copy where nothing changes.
pub(crate) fn normalized_id(text: String) -> String {
    match normalize_id(&text) {
        Cow::Borrowed(same) if same.len() == text.len() => text,
        other => other.into_owned(),
    }
}
