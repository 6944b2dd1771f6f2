use std::io::{self, IsTerminal as _};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use super::{CliError, Result};
use crate::supervise::log_panics;

/// How logs are written: lines for people, or a JSON object a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

/// Starts logging to standard error, by `RUST_LOG`. Commands that answer and end only warn unless
/// told otherwise; what they have to say they print.
pub(super) fn start(format: Option<LogFormat>) -> Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.is_empty() => {
            EnvFilter::try_new(&directives).map_err(|error| {
                CliError::Message(format!(
                    "RUST_LOG {directives:?}: {error}; use for example info or mainstay=debug"
                ))
            })?
        }
        // sqlx tells every notice of PostgreSQL at `info`, "already exists, skipping" among them.
        _ if format.is_some() => EnvFilter::new("info,sqlx=warn"),
        // And every slow statement at `warn`, which many of a large import are.
        _ => EnvFilter::new("warn,sqlx=error"),
    };
    let colours = io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| LossyStderr(io::stderr()))
        // What cannot be logged cannot be told either, and trying to would panic.
        .log_internal_errors(false)
        .with_ansi(colours);
    let started = match format {
        Some(LogFormat::Json) => builder.json().flatten_event(true).try_init(),
        Some(LogFormat::Text) | None => builder.try_init(),
    };
    // A program that calls this as a library may log already, and knows how.
    drop(started);
    log_panics();
    Ok(())
}

/// Standard error, as far as it can be written: a full disk or a reader that went away costs lines of the
/// log and nothing else.
struct LossyStderr(io::Stderr);

impl io::Write for LossyStderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.0.write_all(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}
