//! The API from outside: real requests over a real socket.

mod access;
mod alerts;
mod clients;
mod events;
mod operation;
mod organization;
mod success;
