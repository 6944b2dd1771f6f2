//! Ingestion of events and profiles.

mod dry_run;
mod faults;
mod gather;
pub mod import;
mod import_run;
mod incoming_bodies;
mod keys;
mod messages;
mod queue;
mod track;
mod view;
mod writer;

pub use import_run::{ImportFailure, ImportProgress, ImportSummary};
pub(crate) use incoming_bodies::BodyOwner;
pub(crate) use keys::KeyActivityBuffer;
pub(crate) use messages::{ConflictRetries, KEPT_OUT_REASON};
pub use messages::{MessageOutcome, Source};
pub(crate) use track::IngestSettings;
pub use track::{Refusal, TrackOutcome};
pub use view::{EventPage, HEATMAP_DAYS, Heatmap, HeatmapDay};
pub use writer::{Admission, EventWriter, Rates};
