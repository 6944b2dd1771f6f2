//! Taking in what clients do.

pub mod import;
mod import_run;
mod track;
mod view;
mod writer;

pub use import_run::{ImportProgress, ImportSummary};
pub use track::{Refusal, Tracked};
pub use view::{EventPage, Heatmap, HeatmapDay, HEATMAP_DAYS};
pub use writer::EventWriter;
