//! The server's tests: one binary, so that there is one link step.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where and stop")]

#[macro_use]
mod support;

mod architecture;
mod bad_input;
mod cli;
mod emails;
mod http;
mod isolation;
mod jobs;
mod notices;
mod openapi;
mod order;
mod playbooks;
mod web;
