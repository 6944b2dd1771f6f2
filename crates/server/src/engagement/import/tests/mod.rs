use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use mainstay_core::engagement::{
    Event, EventType, IncomingEvent,
    segment::{ClientIdentity, IncomingMessage},
};
use tempfile::TempDir;

use super::{
    Format, ImportError, ImportOptions, ImportSource, RejectedRow, Row, RowContent,
    read_segment_message,
};

mod csv;
mod excel;
mod message_id;
mod ndjson;
mod open;
mod options;
mod properties;
mod rejects;

const HEADER: &str = "client_id,event,timestamp,message_id,session_id,page_path,duration_seconds\n";
const TIME: &str = "2026-05-01T09:30:00+02:00";

/// A file in its own temporary directory.
struct Sample {
    _directory: TempDir,
    path: PathBuf,
}

impl Sample {
    fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        Self { _directory: directory, path }
    }

    fn open(&self) -> Result<ImportSource, ImportError> {
        ImportSource::open(&self.path, &ImportOptions::default())
    }

    fn open_as(&self, format: Format) -> Result<ImportSource, ImportError> {
        ImportSource::open(
            &self.path,
            &ImportOptions { format: Some(format), ..Default::default() },
        )
    }

    /// The error without the path, which differs between runs.
    fn problem(&self) -> String {
        self.open().unwrap_err().problem.to_string()
    }
}

fn gzipped(content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content.as_ref()).unwrap();
    encoder.finish().unwrap()
}

type Rows = Vec<Result<Row, RejectedRow>>;

fn read(name: &str, content: impl AsRef<[u8]>, options: &ImportOptions) -> Rows {
    let sample = Sample::new(name, content);
    ImportSource::open(&sample.path, options).unwrap().map(Result::unwrap).collect()
}

fn csv_rows(content: impl AsRef<[u8]>) -> Rows {
    read("x.csv", content, &ImportOptions::default())
}

fn ndjson_rows(content: impl AsRef<[u8]>) -> Rows {
    read("x.ndjson", content, &ImportOptions::default())
}

fn event(row: Result<Row, RejectedRow>) -> IncomingEvent {
    match row.unwrap().content {
        RowContent::Event(event) => *event,
        other @ RowContent::Message(_) => panic!("no row of a table: {other:?}"),
    }
}

fn message_of(row: Result<Row, RejectedRow>) -> String {
    match row.unwrap().content {
        RowContent::Message(json) => json,
        other @ RowContent::Event(_) => panic!("no message: {other:?}"),
    }
}

/// Parses a message with the import's event types.
fn message_with(
    json: &str,
    clients_are: ClientIdentity,
    of_file: impl Fn(&str) -> Option<EventType>,
) -> Result<IncomingMessage, String> {
    let now = "2026-05-20T12:00:00Z".parse().unwrap();
    read_segment_message(json, clients_are, now, of_file, |_| None)
        .map_err(|error| error.to_string())
}

fn event_in(message: Result<IncomingMessage, String>) -> Event {
    match message.unwrap() {
        IncomingMessage::Event(event) | IncomingMessage::PersonEvent(event) => event,
        other => panic!("no event: {other:?}"),
    }
}

/// The line and reason of the only row, which is rejected.
fn refusal(mut rows: Rows) -> (u64, String) {
    assert_eq!(rows.len(), 1, "{rows:?}");
    let row = rows.remove(0).unwrap_err();
    (row.line, row.reason)
}

/// The line and outcome of each row.
fn outcomes(rows: &Rows) -> Vec<(u64, bool)> {
    rows.iter()
        .map(|row| match row {
            Ok(row) => (row.line, true),
            Err(row) => (row.line, false),
        })
        .collect()
}

#[track_caller]
fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
