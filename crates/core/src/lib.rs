//! The rules of Mainstay, as pure functions.
//!
//! Nothing here reads a clock, a database, a file or a random number: the instant a figure is
//! computed for is always an argument. An event's way is the way through the modules:
//! [`engagement`] → [`score`] → [`insight`] → [`alert`] → [`email`] and [`notification`]; [`job`] says when,
//! and [`playbook`] what else follows from an alert.
//!
//! All arithmetic is integer or rational and rounds half up, so that a figure is the same bit for
//! bit wherever and whenever it is recomputed.

pub mod alert;
pub mod email;
pub mod engagement;
pub mod id;
pub mod insight;
pub mod job;
pub mod member;
mod named;
pub mod notification;
pub mod playbook;
pub mod portfolio;
pub mod score;
pub mod text;
pub mod time;
