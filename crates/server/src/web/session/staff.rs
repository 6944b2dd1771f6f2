use axum::{
    extract::FromRequestParts,
    http::{Method, request::Parts},
};
use jiff::{Timestamp, tz::TimeZone};
use mainstay_core::id::{MemberId, OrganizationId};
use mainstay_store::{Member, Organization, Scope, SignInFailures, StoreError};

use super::cookie::{self, Transport};
use crate::{
    Error,
    access::{Actor, SignedInMember, check_method},
    alert::MissingData,
    web::{PageError, Theme, Undelivered, Web, ui::components::View},
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
    /// What of the organization's data is missing.
    pub(crate) missing: MissingData,
    /// What does not leave: emails, or messages to webhooks.
    pub(crate) undelivered: Vec<Undelivered>,
    /// When it last showed by its password that it is the one: by signing in, or since.
    pub(crate) confirmed_at: Timestamp,
    /// Wrong passwords that were tried for it and that it has not confirmed to know of.
    pub(crate) failures: Option<SignInFailures>,
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
    pub(crate) const fn is_admin(&self) -> bool {
        self.member.role.may_administer()
    }

    /// Whether it may change anything but its own account.
    pub(crate) const fn may_write(&self) -> bool {
        self.member.role.may_write()
    }

    /// Refuses a page that is only there to change something.
    pub(crate) fn check_may_write(&self) -> Result<(), Error> {
        if self.may_write() { Ok(()) } else { Err(StoreError::MayNotWrite.into()) }
    }

    /// How it sees a client.
    pub(crate) fn view(&self, now: Timestamp, external_id: &str) -> View {
        View::of_staff(self.zone.clone(), now, external_id).with_actions(self.may_write())
    }

    /// Who it is, where one may manage less than another.
    pub(crate) const fn actor(&self) -> Actor {
        Actor::Member(self.organization.id, self.member.id, self.member.role)
    }

    /// Whoever is signed in, whatever it asks for.
    pub(crate) async fn signed_in(parts: &Parts, web: &Web) -> Result<Self, PageError> {
        let transport = Transport::of(&web.site, &parts.headers);
        let token = cookie::read(&parts.headers, transport, cookie::MEMBER);
        let signed_in = match &token {
            Some(token) => web.mainstay.session(token).await?,
            None => None,
        };
        let Some((signed_in, token)) = signed_in.zip(token) else {
            let ended = cookie::read(&parts.headers, transport, cookie::MEMBER).is_some();
            return Err(PageError::SignIn { next: next_of(parts), ended });
        };
        let SignedInMember { organization, zone, member, scope, confirmed_at, failures } =
            signed_in;
        let theme = Theme::of(&parts.headers);
        let missing = web.mainstay.missing_data(scope).await?;
        let undelivered = Undelivered::find(web, &organization, &zone, parts.uri.path()).await?;
        Ok(Self {
            organization,
            zone,
            member,
            scope,
            theme,
            missing,
            undelivered,
            confirmed_at,
            failures,
            token,
        })
    }
}

impl FromRequestParts<Web> for StaffSession {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, PageError> {
        let session = Self::signed_in(parts, web).await?;
        check_method(session.member.role, &parts.method)?;
        Ok(session)
    }
}

/// A member for a page that changes nothing but that member's own account, which a viewer may too.
#[derive(Clone, Debug)]
pub(crate) struct AccountSession(pub(crate) StaffSession);

impl FromRequestParts<Web> for AccountSession {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, PageError> {
        StaffSession::signed_in(parts, web).await.map(Self)
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
            Err(PageError::forbidden(format!(
                "Your role is {}. Only an owner or admin can change settings; ask one of them.",
                session.member.role
            )))
        }
    }
}
