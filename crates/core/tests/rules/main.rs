//! The rules, tested from outside the crate, as the store and the server see them.

mod email;
mod evidence;
mod feedback;
mod health;
mod improvement;
mod insight;
mod job;
mod model;
mod notice;
mod playbook;
mod portfolio;
mod profile;
mod score;
mod segment;
mod validation;
mod windows;
