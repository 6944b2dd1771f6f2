//! The frames around pages: for staff, for clients, and the bare one of signing in and of errors.

mod bare;
mod client;
mod place;
mod staff;
mod theme;
mod undelivered;

pub(crate) use bare::BareShell;
pub(crate) use client::ClientShell;
pub(crate) use place::Place;
pub(crate) use staff::StaffShell;
pub(crate) use theme::{COOKIE, Theme};
pub(crate) use undelivered::Undelivered;
