//! The API from outside: real requests over a real socket.

mod access;
mod alerts;
mod authority;
mod clients;
mod cloud_events;
mod erasure;
mod events;
mod known_clients;
mod merges;
mod on_demand;
mod operation;
mod organization;
mod rates;
mod segment;
pub(crate) mod silence;
mod stalled;
mod success;
