//! `/api/client`: the endpoints that Mainstay grew from.

pub(super) mod success;
