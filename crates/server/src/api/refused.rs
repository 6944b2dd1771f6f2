use serde::Serialize;
use utoipa::ToSchema;

/// Why an event was rejected.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedEvent {
    /// Its index in the request, from 0.
    #[schema(example = 2)]
    pub(crate) index: usize,
    /// The field at fault.
    #[schema(example = "duration_seconds")]
    pub(crate) field: String,
    /// What is wrong with it, its limit and what to do.
    #[schema(example = "-5 is outside 0 to 86400 (one day); send whole seconds")]
    pub(crate) reason: String,
}
