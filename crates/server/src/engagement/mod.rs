//! Taking in what clients do.

mod gather;
pub mod import;
mod import_run;
mod queue;
mod said;
mod track;
mod view;
mod writer;

pub use import_run::{ImportFailure, ImportProgress, ImportSummary};
pub use said::Fate;
pub(crate) use track::Naming;
pub use track::{Refusal, Tracked};
pub use view::{EventPage, HEATMAP_DAYS, Heatmap, HeatmapDay};
pub use writer::{Admission, EventWriter, Rates};
