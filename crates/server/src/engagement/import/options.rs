use std::{fmt, path::Path, str::FromStr};

use encoding_rs::Encoding;
use jiff::tz::TimeZone;
use mainstay_core::engagement::{EventType, UnknownEventType};

/// The options of `mainstay import`.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The format; detected from the name or the first byte if `None`.
    pub format: Option<Format>,
    /// The mapping of fields to CSV columns.
    pub columns: Vec<ColumnMapping>,
    /// The types of event names, with precedence over the organization's mapping.
    pub event_types: Vec<EventTypeMapping>,
    /// The encoding, if neither UTF-8 nor UTF-16 with a BOM.
    pub encoding: Option<FileEncoding>,
    /// The time zone of times without an offset; without it, they are rejected.
    pub time_zone: Option<TimeZone>,
    /// The `strftime` format of times that are not ISO 8601.
    pub date_format: Option<DateFormat>,
}

/// The encoding of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileEncoding(pub(super) &'static Encoding);

/// An unknown encoding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown encoding {0:?}: use for example windows-1252 (what Excel writes in Western Europe), \
         windows-1250 or utf-16le"
)]
pub struct UnknownEncoding(pub String);

impl FromStr for FileEncoding {
    type Err = UnknownEncoding;

    /// Accepts the labels of the Encoding Standard, where `latin1` is windows-1252, because most
    /// "Latin-1" files use its quotes and Euro signs.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Encoding::for_label_no_replacement(text.as_bytes());
        known.map(Self).ok_or_else(|| UnknownEncoding(text.to_owned()))
    }
}

/// A format of times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateFormat(pub(super) String);

/// A format without a date.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a date format: use for example \"%d.%m.%Y %H:%M\" for 28.11.2026 09:30, or \"%m/%d/%Y \
         %I:%M %p\" for 11/28/2026 9:30 AM"
)]
pub struct DateFormatError(pub String);

impl FromStr for DateFormat {
    type Err = DateFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A format that does not read back what it writes would refuse every row.
        let sample = jiff::civil::date(2026, 11, 28).at(9, 30, 0, 0);
        let written = sample
            .to_zoned(TimeZone::UTC)
            .ok()
            .and_then(|sample| jiff::fmt::strtime::format(text, &sample).ok());
        let read = written
            .and_then(|written| jiff::fmt::strtime::parse(text, written).ok())
            .and_then(|read| read.to_date().ok());
        if read == Some(sample.date()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(DateFormatError(text.to_owned()))
        }
    }
}

/// The format of an import file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// One Segment message (JSON object) per line.
    Ndjson,
}

impl Format {
    /// The name used on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    /// The format by the file's name, ignoring `.gz`.
    pub(super) fn from_name(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" | "json" => Some(Self::Ndjson),
            _ => None,
        }
    }

    /// The format by the first byte: no supported CSV header starts like JSON.
    pub(super) const fn from_first_byte(byte: u8) -> Self {
        if matches!(byte, b'{' | b'[') { Self::Ndjson } else { Self::Csv }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An unknown format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown format {0:?}: use csv or ndjson")]
pub struct UnknownFormat(pub String);

impl FromStr for Format {
    type Err = UnknownFormat;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "csv" => Ok(Self::Csv),
            "ndjson" => Ok(Self::Ndjson),
            _ => Err(UnknownFormat(text.to_owned())),
        }
    }
}

/// A known CSV column. All others go into the event's `data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The host app's id of the client.
    ClientId,
    /// The event's name.
    Event,
    /// When it happened: RFC 3339 with an offset.
    Timestamp,
    /// The sender's unique id; derived from the row's content if empty.
    MessageId,
    /// The session.
    SessionId,
    /// The page.
    PagePath,
    /// The duration, in whole seconds.
    DurationSeconds,
}

impl Field {
    /// Every field, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::ClientId,
        Self::Event,
        Self::Timestamp,
        Self::MessageId,
        Self::SessionId,
        Self::PagePath,
        Self::DurationSeconds,
    ];

    /// The default name of its column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientId => "client_id",
            Self::Event => "event",
            Self::Timestamp => "timestamp",
            Self::MessageId => "message_id",
            Self::SessionId => "session_id",
            Self::PagePath => "page_path",
            Self::DurationSeconds => "duration_seconds",
        }
    }

    /// Whether it is required.
    pub const fn is_required(self) -> bool {
        matches!(self, Self::ClientId | Self::Event | Self::Timestamp)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Field {
    type Err = MappingError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|field| field.as_str() == text)
            .ok_or_else(|| MappingError::UnknownField(text.to_owned()))
    }
}

/// An invalid `--column` or `--event-type`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// `--column` without a column, or without `=`.
    #[error(
        "{0:?} does not name a field and a column: write FIELD=COLUMN, for example client_id=user"
    )]
    Column(String),
    /// `--column` with an unknown field.
    #[error(
        "unknown field {0:?}: use one of {fields}; any other column goes into data automatically",
        fields = list(Field::ALL.map(Field::as_str), ", ")
    )]
    UnknownField(String),
    /// `--event-type` without a name, or without `=`.
    #[error(
        "{0:?} does not name an event and its type: write NAME=TYPE, for example \
         \"Report Exported=export_downloaded\""
    )]
    EventType(String),
    /// `--event-type` with an unknown type.
    #[error(transparent)]
    UnknownEventType(#[from] UnknownEventType),
}

/// One `--column FIELD=COLUMN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnMapping {
    /// The field.
    pub field: Field,
    /// The column of the file.
    pub column: String,
}

impl FromStr for ColumnMapping {
    type Err = MappingError;

    /// Splits at the first `=`: only a column's name may contain one.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((field, column)) if !column.trim().is_empty() => {
                Ok(Self { field: field.trim().parse()?, column: column.trim().to_owned() })
            }
            _ => Err(MappingError::Column(text.to_owned())),
        }
    }
}

/// One `--event-type NAME=TYPE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTypeMapping {
    /// The event's name in the file, exactly.
    pub name: String,
    /// What it counts as.
    pub event_type: EventType,
}

impl FromStr for EventTypeMapping {
    type Err = MappingError;

    /// Splits at the last `=`: only an event's name may contain one.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.rsplit_once('=') {
            Some((name, event_type)) if !name.trim().is_empty() => {
                Ok(Self { name: name.to_owned(), event_type: event_type.trim().parse()? })
            }
            _ => Err(MappingError::EventType(text.to_owned())),
        }
    }
}

/// Joins words for a message.
pub(super) fn list<'a>(words: impl IntoIterator<Item = &'a str>, separator: &str) -> String {
    words.into_iter().collect::<Vec<_>>().join(separator)
}
