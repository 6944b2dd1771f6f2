use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use jiff::{Timestamp, tz::TimeZone};
use mainstay_store::{Client, Organization, Scope};

use super::cookie::{self, Transport};
use crate::{
    access::SignedInClient,
    web::{PageError, Theme, Web, security::FrameAncestors},
};

/// A client who came in by a link or from the host app.
#[derive(Clone, Debug)]
pub(crate) struct ClientSession {
    /// Whose client.
    pub(crate) organization: Organization,
    /// The organization's time zone.
    pub(crate) zone: TimeZone,
    /// The host app's id of the client.
    pub(crate) external_id: String,
    /// The client with the scope to read it; it may not have sent an event yet.
    pub(crate) known: Option<(Scope, Client)>,
    /// How its pages look.
    pub(crate) theme: Theme,
    /// Set where it is no client that looks, but staff.
    pub(crate) preview: Option<Preview>,
    /// When the session ends.
    pub(crate) expires_at: Timestamp,
    /// The session itself.
    pub(crate) token: String,
}

/// A client's page as staff look at it.
#[derive(Clone, Debug)]
pub(crate) struct Preview {
    /// What the client is called.
    pub(crate) client: String,
    /// The page that staff have of it.
    pub(crate) back: String,
}

impl FromRequestParts<Web> for ClientSession {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, PageError> {
        let transport = Transport::of(&web.site, &parts.headers);
        let token = cookie::read(&parts.headers, transport, cookie::CLIENT);
        let signed_in = match &token {
            Some(token) => web.mainstay.client_session(token).await?,
            None => None,
        };
        let had_one = token.is_some();
        let Some((signed_in, token)) = signed_in.zip(token) else {
            return Err(no_session(had_one));
        };
        let SignedInClient { organization, zone, external_id, expires_at, known, allowed_sites } =
            signed_in;
        if let Some(ancestors) = parts.extensions.get::<FrameAncestors>() {
            ancestors.allow(allowed_sites);
        }
        let theme = Theme::of(&parts.headers);
        Ok(Self { organization, zone, external_id, known, theme, preview: None, expires_at, token })
    }
}

/// A client has no password: it comes in where it is known.
pub(crate) fn no_session(ended: bool) -> PageError {
    let (title, detail) = if ended {
        (
            "Your session has ended",
            "It lasts at most 24 hours. Open this page again from your app, or with the \
             link you were sent.",
        )
    } else {
        (
            "Open this page from your app",
            "This page shows one client's figures. Open it from your app, or with the \
             link you were sent.",
        )
    };
    PageError::new(StatusCode::UNAUTHORIZED, title, detail)
}
