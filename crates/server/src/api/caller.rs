//! Who is asking, and what that opens.
//!
//! Handlers name what they need by the extractor they take: [`Caller`] is anybody we know,
//! [`Worker`] a member or a secret key, [`Administrator`] one who may change settings, and
//! [`ForClient`] anybody who may see the client in the path. An extractor answers 401 or 403 before
//! a handler reads any other part of the request. A viewer's token is a [`Caller`] and a [`Worker`] for
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
    sample::AskedOrganization,
};
use crate::{
    Error,
    access::{Actor, CallerKey, Principal, check_method},
};

const HOW: &str = "send the header Authorization: Bearer with a secret key (msk_…), a write key \
                   (mwk_…), a member's token (mmt_…) or a client's token, or Basic with the key as \
                   user and no password";
const UNKNOWN: &str = "this key or token is unknown, revoked or expired; a client's token is a JWT \
                       signed with HS256 and the organization's token secret, with sub = the \
                       client's id, aud = the organization's slug and exp at most 24 hours ahead";

/// Anybody who presented a key or token that is in force, and who vouches for what it sends.
#[derive(Debug)]
pub(crate) struct Caller(pub(crate) Principal, pub(crate) CallerKey, pub(crate) Authority);

/// A member or a secret key: sees everything of its organization and acts on it.
#[derive(Debug)]
pub(crate) struct Worker {
    /// Whose data.
    pub(crate) organization: OrganizationId,
    /// What it may read.
    pub(crate) scope: Scope,
    /// The member, for an alert's history.
    pub(crate) member: Option<MemberId>,
}

/// An owner, an admin or a secret key: changes settings, keys and members too.
#[derive(Debug)]
pub(crate) struct Administrator {
    /// Whose data.
    pub(crate) organization: OrganizationId,
    /// What it may read.
    pub(crate) scope: Scope,
    /// Who it is, where one may manage less than another.
    pub(crate) actor: Actor,
    /// The member; `None` is a secret key.
    pub(crate) member: Option<MemberId>,
}

/// Anybody who may see how many alerts are open: a member, a secret key, or a page with a badge token.
#[derive(Debug)]
pub(crate) struct BadgeReader {
    /// What it may read.
    pub(crate) scope: Scope,
}

/// The client in the path, asked for by itself, a member or a secret key.
#[derive(Debug)]
pub(crate) struct ForClient {
    /// Whose data.
    pub(crate) organization: OrganizationId,
    /// What the caller may read.
    pub(crate) scope: Scope,
    /// The client.
    pub(crate) client: Client,
}

impl Worker {
    /// Who it is, where one may manage less than another.
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
    /// Refuses a client that asks for another one, without a look at whether that one exists.
    pub(crate) fn may_see(&self, external_id: &str) -> Result<(), Problem> {
        match &self.0 {
            Principal::Secret(_) | Principal::Member(..) => Ok(()),
            Principal::Client(_, own) if normalize_id(own) == normalize_id(external_id) => Ok(()),
            Principal::Client(..) => Err(Problem::forbidden(
                "a client's token opens only the data of the client that it names as sub",
            )
            .field("client_id")),
            Principal::Write(..) => Err(only_sends_events()),
        }
    }

    /// The client with an id, if the caller may see it and it is known, with the scope to read it.
    pub(crate) async fn find(
        &self,
        api: &Api,
        external_id: &str,
    ) -> Result<Option<(Scope, Client)>, Problem> {
        self.may_see(external_id)?;
        client_id("client_id", external_id)?;
        let organization = self.0.organization();
        let scope = match &self.0 {
            Principal::Member(_, _, role) => Scope::Member(organization, *role),
            _ => Scope::Service(organization),
        };
        let mut found = api.mainstay.find_client(scope, external_id).await?;
        if found.is_none() && !matches!(self.0, Principal::Client(..)) {
            // Not for a client's token: anybody can join an id to anybody's client.
            found = api.mainstay.find_by_anonymous_id(scope, external_id).await?;
        }
        Ok(found.map(|client| match &self.0 {
            // Its own id was not known before; from here on the database checks a second time.
            Principal::Client(..) => (Scope::Client(organization, client.id), client),
            _ => (scope, client),
        }))
    }
}

/// Who vouches for what a caller sends. A browser says where it is; without that, a server's write key is
/// taken at its word.
pub(super) fn authority(principal: &Principal, headers: &HeaderMap) -> Authority {
    let from_browser =
        || headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
    match principal {
        Principal::Secret(_) | Principal::Member(..) => Authority::Organization,
        Principal::Write(_, KeySource::Server) if !from_browser() => Authority::WriteKey,
        Principal::Write(..) | Principal::Client(..) => Authority::Client,
    }
}

fn only_sends_events() -> Problem {
    Problem::forbidden(
        "a write key (mwk_…) only sends events; use a secret key (msk_…) or a member's token (mmt_…)",
    )
}

/// What the Authorization header presents.
pub(super) fn credential(headers: &HeaderMap) -> Result<String, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(Problem::unauthenticated(HOW, false)),
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
    Err(Problem::unauthenticated(HOW, true))
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let credential = credential(&parts.headers)?;
        let principal = api.mainstay.authenticate(&credential).await?;
        let principal = principal.ok_or_else(|| Problem::unauthenticated(UNKNOWN, true))?;
        AskedOrganization::note(&parts.extensions, principal.organization());
        tracing::Span::current().record("by", principal.to_string());
        if let Principal::Member(_, _, role) = &principal {
            check_method(*role, &parts.method)?;
        }
        let authority = authority(&principal, &parts.headers);
        Ok(Self(principal, CallerKey::of(&credential), authority))
    }
}

impl FromRequestParts<Api> for Worker {
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
                "a client's token opens only the client's own data; this needs a secret key \
                 (msk_…) or a member's token (mmt_…)",
            )),
        }
    }
}

impl FromRequestParts<Api> for BadgeReader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let credential = credential(&parts.headers)?;
        if let Some(badge) = api.mainstay.badge_reader(&credential).await? {
            AskedOrganization::note(&parts.extensions, badge.organization);
            return Ok(Self { scope: badge.scope() });
        }
        let Worker { scope, .. } = Worker::from_request_parts(parts, api).await?;
        Ok(Self { scope })
    }
}

impl FromRequestParts<Api> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let worker = Worker::from_request_parts(parts, api).await?;
        let Worker { organization, scope, .. } = worker;
        match scope {
            Scope::Member(_, role) if !role.may_administer() => Err(Problem::forbidden(format!(
                "this member's role is {role}; this needs the role owner or admin, or a secret key"
            ))),
            _ => Ok(Self { organization, scope, actor: worker.actor(), member: worker.member }),
        }
    }
}

impl FromRequestParts<Api> for ForClient {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, api).await?;
        let external_id = path_text(parts, "client_id").await?;
        let found = caller.find(api, &external_id).await?;
        let (scope, client) = found.ok_or_else(|| Error::no_client(&external_id))?;
        Ok(Self { organization: caller.0.organization(), scope, client })
    }
}
