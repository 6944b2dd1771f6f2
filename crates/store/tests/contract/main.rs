//! What the store promises, kept on both databases.
//!
//! `cargo test -p mainstay-store` runs everything on SQLite and names what it leaves out;
//! `scripts/with-postgres cargo test -p mainstay-store -- --include-ignored` runs all of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where and stop")]

#[macro_use]
mod harness;
mod fixtures;

mod access;
mod alerts;
mod anonymous;
mod catalogue;
mod clients;
mod coverage;
mod documents;
mod emails;
mod engagement;
mod erasure;
mod exactly_once;
mod facts;
mod insights;
mod isolation;
mod jobs;
mod known_clients;
mod locks;
mod memberships;
mod merging;
mod migrations;
mod names;
mod notes;
mod onboarding;
mod opening;
mod order;
mod organizations;
mod plans;
mod playbooks;
mod policies;
mod portfolio;
mod profiles;
mod property;
mod rehearsal;
mod rolling_up;
mod scores;
mod secrets;
mod sign_in;
mod silence_of_postgres;
mod staff_tasks;
mod transactional_emails;
mod transactions;
mod verify;
mod viewer;
mod webhooks;
mod zone_changes;
