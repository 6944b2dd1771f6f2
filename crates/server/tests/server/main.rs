//! The server's tests: one binary, so that there is one link step.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where and stop")]

#[macro_use]
mod support;

mod access;
mod any_order;
mod architecture;
mod bad_input;
mod cli;
mod docs;
mod dry_run;
mod emails;
mod faults;
mod http;
mod isolation;
mod jobs;
mod notifications;
mod one_score;
mod openapi;
mod order;
mod playbooks;
mod stuck;
mod web;
