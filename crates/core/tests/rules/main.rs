//! The rules, tested from outside the crate, as the store and the server see them.

mod alert;
mod email;
mod evidence;
mod feedback;
mod improvement;
mod insight;
mod job;
mod model;
mod notification;
mod playbook;
mod portfolio;
mod profile;
mod score;
mod segment;
mod validation;
mod windows;
