//! Light or dark, as the system has it or as somebody chose.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use serde::Deserialize;

use crate::web::{Web, session::cookie::read_plain};

pub(crate) const COOKIE: &str = "mainstay-theme";

/// How pages look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Theme {
    /// As the system has it.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// What there is to choose from, with its name for people.
    pub(crate) const ALL: [(Self, &'static str); 3] =
        [(Self::System, "System"), (Self::Light, "Light"), (Self::Dark, "Dark")];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// What was chosen in this browser.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let chosen = read_plain(headers, COOKIE).unwrap_or_default();
        let named = |theme: &Self| theme.as_str() == chosen;
        Self::ALL.map(|(theme, _)| theme).into_iter().find(named).unwrap_or_default()
    }
}

impl FromRequestParts<Web> for Theme {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}
