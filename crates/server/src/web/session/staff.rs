use axum::{
    extract::FromRequestParts,
    http::{Method, request::Parts},
};
use jiff::tz::TimeZone;
use mainstay_core::id::{MemberId, OrganizationId};
use mainstay_store::{DataSilence, Member, Organization, Role, Scope};

use super::cookie::{self, Transport};
use crate::{
    access::SignedIn,
    web::{PageError, Place, StaffShell, Theme, Web},
};

/// A member who signed in.
#[derive(Clone, Debug)]
pub(crate) struct StaffSession {
    /// Whose data.
    pub(crate) organization: Organization,
    /// The organization's time zone.
    pub(crate) zone: TimeZone,
    /// Who.
    pub(crate) member: Member,
    /// What it may read.
    pub(crate) scope: Scope,
    /// How its pages look.
    pub(crate) theme: Theme,
    /// Since when no client at all sends events, where that lasts.
    pub(crate) silence: Option<DataSilence>,
    /// The session itself, to end it or all others.
    pub(crate) token: String,
}

impl StaffSession {
    /// The organization's id.
    pub(crate) const fn organization_id(&self) -> OrganizationId {
        self.organization.id
    }

    /// The member's id, for an alert's history.
    pub(crate) const fn member_id(&self) -> MemberId {
        self.member.id
    }

    /// Whether it may change settings.
    pub(crate) fn is_admin(&self) -> bool {
        self.member.role != Role::Staff
    }

    /// The frame around a page of staff.
    pub(crate) fn shell(&self, place: Place) -> StaffShell {
        StaffShell::new(self, place)
    }
}

impl FromRequestParts<Web> for StaffSession {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, PageError> {
        let transport = Transport::of(&web.site, &parts.headers);
        let token = cookie::read(&parts.headers, transport, cookie::MEMBER);
        let signed_in = match &token {
            Some(token) => web.mainstay.session(token).await?,
            None => None,
        };
        let Some((SignedIn { organization, zone, member, scope }, token)) = signed_in.zip(token)
        else {
            let ended = cookie::read(&parts.headers, transport, cookie::MEMBER).is_some();
            return Err(PageError::SignIn { next: next_of(parts), ended });
        };
        let theme = Theme::of(&parts.headers);
        let silence = web.mainstay.data_silence(scope).await?;
        Ok(Self { organization, zone, member, scope, theme, silence, token })
    }
}

/// Where to go on after signing in: what was asked for, unless that was to do something.
fn next_of(parts: &Parts) -> Option<String> {
    let asked = parts.uri.path_and_query()?.as_str();
    (parts.method == Method::GET && asked != "/").then(|| asked.to_owned())
}

/// A member who may change settings: owner or admin.
#[derive(Clone, Debug)]
pub(crate) struct AdminSession(pub(crate) StaffSession);

impl FromRequestParts<Web> for AdminSession {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, PageError> {
        let session = StaffSession::from_request_parts(parts, web).await?;
        if session.is_admin() {
            Ok(Self(session))
        } else {
            Err(PageError::forbidden(
                "Your role is staff. Only an owner or an admin changes settings; ask one of them.",
            ))
        }
    }
}
