//! The configuration file.

use std::{
    fs, io,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{ConfigError, limits::LimitsTable, password};

/// Keys this similar may be typos of each other, on a scale of 0 to 1.
const SIMILAR: f64 = 0.8;
/// There are too many to list them in an error.
const KEYS_ARE_LISTED: &str = "docs/guides/operate.md, section Configuration, lists the keys";

/// The contents of `mainstay.toml`. An unknown key is an error: otherwise a typo would silently
/// keep the default, and data could end up in the wrong database.
#[expect(clippy::struct_field_names, reason = "they have the same names as the keys of the file")]
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) database: Option<String>,
    pub(super) listen: Option<String>,
    pub(super) public_url: Option<String>,
    pub(super) behind_proxy: Option<bool>,
    pub(super) smtp_url: Option<String>,
    pub(super) mail_from: Option<String>,
    pub(super) job_lease_seconds: Option<i64>,
    pub(super) events_per_second: Option<NonZeroU32>,
    pub(super) events_per_second_per_key: Option<NonZeroU32>,
    pub(super) events_per_second_per_write_key: Option<u32>,
    pub(super) events_per_second_per_client_token: Option<u32>,
    pub(super) self_told_events_per_day: Option<u32>,
    pub(super) webhook_allow: Option<String>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) secrets_at_rest: Option<String>,
    pub(super) database_password_file: Option<PathBuf>,
    pub(super) smtp_password_file: Option<PathBuf>,
    #[serde(default)]
    pub(super) limits: LimitsTable,
}

impl File {
    pub(super) fn holds_password(&self) -> bool {
        [&self.database, &self.smtp_url]
            .into_iter()
            .flatten()
            .any(|url| password::contains_password(url))
    }
}

/// Reads a configuration file; `None` if it does not exist.
pub(super) fn read(path: &Path) -> Result<Option<File>, ConfigError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ConfigError::Unreadable { path: path.to_owned(), error }),
    };
    parse(&text).map(Some).map_err(|(line, reason)| ConfigError::Malformed {
        path: path.to_owned(),
        line,
        reason,
    })
}

pub(super) fn parse(text: &str) -> Result<File, (Option<usize>, String)> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_of(text, span.start));
        let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        let reason = unknown_key(&message).unwrap_or(message);
        (line, format!("{reason}; {KEYS_ARE_LISTED}"))
    })
}

/// What is said of an unknown key, with the known one that was probably meant, instead of what the parser
/// says: that lists all keys. `None` when the message is about something else.
fn unknown_key(message: &str) -> Option<String> {
    let (key, known) = message.strip_prefix("unknown field `")?.rsplit_once("`, expected ")?;
    // The names stand between backticks, whatever is written around them.
    let nearest = known
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|known| (strsim::jaro_winkler(&key.to_lowercase(), known), known))
        .filter(|(likeness, _)| *likeness >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let suggestion =
        nearest.map_or_else(String::new, |(_, known)| format!("; did you mean `{known}`?"));
    Some(format!("unknown key `{key}`{suggestion}"))
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
