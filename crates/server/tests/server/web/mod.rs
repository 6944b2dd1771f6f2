//! The pages, over real sockets.

mod alerts;
mod asset;
pub(crate) mod browser;
mod client;
mod client_sign_in;
mod clients;
mod components;
mod confirming;
mod contrast;
mod cross_site;
mod headers;
pub(crate) mod hostile;
mod link;
pub(crate) mod live;
mod nginx;
mod notifications;
mod portfolio;
pub(crate) mod roles;
mod settings;
mod sign_in;
mod weight;
mod widgets;
