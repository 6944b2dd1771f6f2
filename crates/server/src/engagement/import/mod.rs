//! Readers of files with past events, for `mainstay import FILE`, without the database.
//!
//! [`ImportSource::open`] takes a plain or gzipped CSV or NDJSON file and hands out its rows one by
//! one. An invalid row never ends an import: it becomes a [`RejectedRow`] with its line, the reason
//! and its text, for the [`RejectsFile`]. An [`ImportError`] means that the rest of the file cannot
//! be read.
//!
//! The way of a file's bytes through the modules: `input` (unpacks, counts) → `lines` (decodes) → `csv` with
//! `header`, `fields` and `times`, or `ndjson` → [`Row`]. Memory stays bounded whatever the file holds: a row
//! over [`MAX_ROW_BYTES`] is refused without being kept.

mod csv;
mod error;
mod fields;
mod header;
mod input;
mod lines;
mod message_id;
mod ndjson;
mod options;
mod rejects;
mod row;
mod source;
#[cfg(test)]
mod tests;
mod times;
mod values;

pub use error::{ImportError, ImportProblem};
pub use lines::MAX_ROW_BYTES;
pub use message_id::derived_message_id;
pub(super) use ndjson::said as read_segment_message;
pub use options::{
    ColumnMapping, DateFormat, DateFormatError, EventTypeMapping, Field, FileEncoding, Format,
    ImportOptions, MappingError, UnknownEncoding, UnknownFormat,
};
pub use rejects::RejectsFile;
pub use row::{MAX_RAW_CHARS, RejectedRow, Row, RowContent};
pub use source::ImportSource;
