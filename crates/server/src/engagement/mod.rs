//! Taking in what clients do.

pub mod import;
mod import_run;
mod track;
mod view;
mod writer;

pub use import_run::{ImportFailure, ImportProgress, ImportSummary};
pub use track::{Refusal, Tracked};
pub use view::{EventPage, HEATMAP_DAYS, Heatmap, HeatmapDay};
pub use writer::EventWriter;
