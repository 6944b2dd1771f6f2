//! Taking in what clients do.

mod arrivals;
mod faults;
mod gather;
pub mod import;
mod import_run;
mod keys;
mod queue;
mod rehearsal;
mod said;
mod track;
mod view;
mod writer;

pub(crate) use arrivals::BodyOwner;
pub use import_run::{ImportFailure, ImportProgress, ImportSummary};
pub(crate) use keys::KeysSeen;
pub use said::Fate;
pub(crate) use said::{KEPT_OUT, Tries};
pub(crate) use track::Naming;
pub use track::{Refusal, Tracked};
pub use view::{EventPage, HEATMAP_DAYS, Heatmap, HeatmapDay};
pub use writer::{Admission, EventWriter, Rates};
