//! What members see: a folder for each page or group of pages, with its forms and templates.

pub(super) mod alerts;
pub(super) mod client;
pub(super) mod emails;
pub(super) mod jobs;
pub(super) mod live;
pub(super) mod people;
pub(super) mod portfolio;
pub(super) mod settings;
pub(super) mod tasks;
