//! Callers and their permissions.
//!
//! Handlers name what they need by the extractor they take: [`Caller`] is anybody we know,
//! [`StaffCaller`] a member or a secret key, [`Administrator`] one who may change settings, and
//! [`ClientAccess`] anybody who may see the client in the path. An extractor answers 401 or 403 before
//! a handler reads any other part of the request. A viewer's token is a [`Caller`] and a [`StaffCaller`] for
//! requests that only read.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use mainstay_core::{
    engagement::{Authority, normalize_id},
    id::{MemberId, OrganizationId},
};
use mainstay_store::{Client, KeySource, Scope};

use super::{
    Api,
    input::{client_id, path_text},
    problem::Problem,
    sample::RequestOrganization,
};
use crate::{
    Error,
    access::{Actor, CallerKey, Principal, check_method},
};

const AUTHENTICATION_HINT: &str = "send the header Authorization: Bearer with a secret key (msk_…), a write key \
                   (mwk_…), a member's token (mmt_…) or a client's token, or Basic with the key as \
                   user and no password";
const UNKNOWN_CREDENTIAL: &str = "this key or token is unknown, revoked or expired; if it is a client's token, sign it as a JWT \
                       signed with HS256 and the organization's token secret, with sub = the \
                       client's id, aud = the organization's slug and exp at most 24 hours ahead";

/// Any authenticated caller, with the authority of its messages.
#[derive(Debug)]
pub(crate) struct Caller(pub(crate) Principal, pub(crate) CallerKey, pub(crate) Authority);

/// A member or a secret key: may see and change the organization's data.
#[derive(Debug)]
pub(crate) struct StaffCaller {
    /// Whose data.
    pub(crate) organization: OrganizationId,
    /// The scope it may read.
    pub(crate) scope: Scope,
    /// The member, for an alert's history.
    pub(crate) member: Option<MemberId>,
}

/// An owner, an admin or a secret key: may also change settings, keys and members.
#[derive(Debug)]
pub(crate) struct Administrator {
    /// Whose data.
    pub(crate) organization: OrganizationId,
    /// The scope it may read.
    pub(crate) scope: Scope,
    /// The actor, whose permissions differ.
    pub(crate) actor: Actor,
    /// The member; `None` is a secret key.
    pub(crate) member: Option<MemberId>,
}

/// A caller that may see the number of open alerts: a member, a secret key, or a page with a badge token.
#[derive(Debug)]
pub(crate) struct BadgeReader {
    /// The scope it may read.
    pub(crate) scope: Scope,
}

/// The client in the path, requested by itself, a member or a secret key.
#[derive(Debug)]
pub(crate) struct ClientAccess {
    /// Whose data.
    pub(crate) organization: OrganizationId,
    /// The scope that the caller may read.
    pub(crate) scope: Scope,
    /// The client.
    pub(crate) client: Client,
}

impl StaffCaller {
    /// The actor, whose permissions differ.
    pub(super) const fn actor(&self) -> Actor {
        match (self.scope, self.member) {
            (Scope::Member(organization, role), Some(member)) => {
                Actor::Member(organization, member, role)
            }
            _ => Actor::SecretKey(self.organization),
        }
    }
}

impl Caller {
    /// Rejects a client that requests another one, whether or not that exists.
    pub(crate) fn may_see(&self, external_id: &str) -> Result<(), Problem> {
        match &self.0 {
            Principal::Secret(_) | Principal::Member(..) => Ok(()),
            Principal::Client(_, own) if normalize_id(own) == normalize_id(external_id) => Ok(()),
            Principal::Client(..) => Err(Problem::forbidden(
                "a client's token grants access only to the client named in sub",
            )
            .field("client_id")),
            Principal::Write(..) => Err(only_sends_events()),
        }
    }

    /// The client with an id and the scope to read it, if it exists and the caller may see it. Ids that
    /// a write key joined to a client name it only for `reads`.
    pub(crate) async fn find(
        &self,
        api: &Api,
        external_id: &str,
        reads: bool,
    ) -> Result<Option<(Scope, Client)>, Problem> {
        self.may_see(external_id)?;
        client_id("client_id", external_id)?;
        let organization = self.0.organization();
        let scope = match &self.0 {
            // Its own id was not known before; from here on the database checks a second time.
            Principal::Client(..) => {
                let found = api.mainstay.client_of_token(organization, external_id).await?;
                let scope = |client: &Client| Scope::Client(organization, client.id);
                return Ok(found.map(|client| (scope(&client), client)));
            }
            Principal::Member(_, _, role) => Scope::Member(organization, *role),
            _ => Scope::Service(organization),
        };
        let mut found = api.mainstay.find_client(scope, external_id).await?;
        if found.is_none() && reads {
            found = api.mainstay.find_by_anonymous_id(scope, external_id).await?;
        }
        Ok(found.map(|client| (scope, client)))
    }
}

/// The authority of a caller's messages. Browsers send an origin; without one, a server's write key
/// is trusted.
pub(super) fn authority(principal: &Principal, headers: &HeaderMap) -> Authority {
    let from_browser =
        || headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
    match principal {
        Principal::Secret(_) | Principal::Member(..) => Authority::Organization,
        Principal::Write(_, KeySource::Server) if !from_browser() => Authority::WriteKey,
        Principal::Write(..) => Authority::Browser,
        Principal::Client(..) => Authority::Client,
    }
}

fn only_sends_events() -> Problem {
    Problem::forbidden(
        "a write key (mwk_…) can only send events; use a secret key (msk_…) or a member's token (mmt_…)",
    )
}

/// The credential in the Authorization header.
pub(super) fn read_credential(headers: &HeaderMap) -> Result<String, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(Problem::unauthenticated(AUTHENTICATION_HINT, false)),
        (Some(value), None) => value,
        (Some(_), Some(_)) => {
            return Err(Problem::unauthenticated(
                "Authorization is sent twice; send it once",
                true,
            ));
        }
    };
    let (scheme, rest) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).unwrap_or_default();
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
        return Ok(rest.to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(key) = decoded.as_deref().and_then(|text| text.strip_suffix(':'))
            && !key.is_empty()
        {
            return Ok(key.to_owned());
        }
    }
    Err(Problem::unauthenticated(AUTHENTICATION_HINT, true))
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let credential = read_credential(&parts.headers)?;
        let principal = api.mainstay.authenticate(&credential).await?;
        let principal =
            principal.ok_or_else(|| Problem::unauthenticated(UNKNOWN_CREDENTIAL, true))?;
        RequestOrganization::set(&parts.extensions, principal.organization());
        tracing::Span::current().record("by", principal.to_string());
        if let Principal::Member(_, _, role) = &principal {
            check_method(*role, &parts.method)?;
        }
        let authority = authority(&principal, &parts.headers);
        Ok(Self(principal, CallerKey::from_credential(&credential), authority))
    }
}

impl FromRequestParts<Api> for StaffCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Caller(principal, ..) = Caller::from_request_parts(parts, api).await?;
        let organization = principal.organization();
        match principal {
            Principal::Secret(_) => {
                Ok(Self { organization, scope: Scope::Service(organization), member: None })
            }
            Principal::Member(_, member, role) => Ok(Self {
                organization,
                scope: Scope::Member(organization, role),
                member: Some(member),
            }),
            Principal::Write(..) => Err(only_sends_events()),
            Principal::Client(..) => Err(Problem::forbidden(
                "a client's token grants access only to the client's own data; use a secret key \
                 (msk_…) or a member's token (mmt_…)",
            )),
        }
    }
}

impl FromRequestParts<Api> for BadgeReader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let credential = read_credential(&parts.headers)?;
        if let Some(badge) = api.mainstay.badge_reader(&credential).await? {
            RequestOrganization::set(&parts.extensions, badge.organization);
            return Ok(Self { scope: badge.scope() });
        }
        let StaffCaller { scope, .. } = StaffCaller::from_request_parts(parts, api).await?;
        Ok(Self { scope })
    }
}

impl FromRequestParts<Api> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let caller = StaffCaller::from_request_parts(parts, api).await?;
        let StaffCaller { organization, scope, .. } = caller;
        match scope {
            Scope::Member(_, role) if !role.may_administer() => Err(Problem::forbidden(format!(
                "this member's role is {role}; this needs the role owner or admin, or a secret key"
            ))),
            _ => Ok(Self { organization, scope, actor: caller.actor(), member: caller.member }),
        }
    }
}

impl FromRequestParts<Api> for ClientAccess {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, api).await?;
        let external_id = path_text(parts, "client_id").await?;
        let found = caller.find(api, &external_id, parts.method.is_safe()).await?;
        let (scope, client) = found.ok_or_else(|| Error::no_client(&external_id))?;
        Ok(Self { organization: caller.0.organization(), scope, client })
    }
}
