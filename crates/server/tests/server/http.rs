//! The API from outside: real requests over a real socket.

mod access;
mod alerts;
mod clients;
mod cloud_events;
mod events;
mod operation;
mod organization;
mod segment;
pub(crate) mod silence;
mod success;
