//! The configuration file.

use std::{
    fs, io,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{ConfigError, limits::LimitsTable, password};

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
        let known = "the keys are `database`, `listen`, `public_url`, `behind_proxy`, `smtp_url`, \
                     `mail_from`, `job_lease_seconds`, `events_per_second`, \
                     `events_per_second_per_key`, `events_per_second_per_write_key`, \
                     `events_per_second_per_client_token`, `self_told_events_per_day`, `webhook_allow`, \
                     `key_file`, `secrets_at_rest`, `database_password_file`, `smtp_password_file` and the table `limits`, \
                     for example listen = \"127.0.0.1:8080\"";
        let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        (line, format!("{}; {known}", message.replace("unknown field", "unknown key")))
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
