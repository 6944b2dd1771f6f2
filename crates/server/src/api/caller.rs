//! Who is asking, and what that opens.
//!
//! Handlers name what they need by the extractor they take: [`Caller`] is anybody we know,
//! [`Worker`] a member or a secret key, [`Administrator`] one who may change settings, and
//! [`ForClient`] anybody who may see the client in the path. An extractor answers 401 or 403 before
//! a handler reads any other part of the request.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use mainstay_core::id::{MemberId, OrganizationId};
use mainstay_store::{Client, Role, Scope};

use super::{
    Api,
    input::{client_id, path_text},
    problem::Problem,
};
use crate::{
    Error,
    access::{CallerKey, Principal},
};

const HOW: &str = "send the header Authorization: Bearer with a secret key (msk_…), a write key \
                   (mwk_…), a member's token (mmt_…) or a client's token, or Basic with the key as \
                   user and no password";
const UNKNOWN: &str = "this key or token is unknown, revoked or expired; a client's token is a JWT \
                       signed with HS256 and the organization's token secret, with sub = the \
                       client's id, aud = the organization's slug and exp at most 24 hours ahead";

/// Anybody who presented a key or token that is in force.
#[derive(Debug)]
pub(crate) struct Caller(pub(crate) Principal, pub(crate) CallerKey);

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

impl Caller {
    /// Refuses a client that asks for another one, without a look at whether that one exists.
    pub(crate) fn may_see(&self, external_id: &str) -> Result<(), Problem> {
        match &self.0 {
            Principal::Secret(_) | Principal::Member(..) => Ok(()),
            Principal::Client(_, own) if own == external_id => Ok(()),
            Principal::Client(..) => Err(Problem::forbidden(
                "a client's token opens only the data of the client that it names as sub",
            )
            .field("client_id")),
            Principal::Write(_) => Err(only_sends_events()),
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
        let found = api.mainstay.find_client(scope, external_id).await?;
        Ok(found.map(|client| match &self.0 {
            // Its own id was not known before; from here on the database checks a second time.
            Principal::Client(..) => (Scope::Client(organization, client.id), client),
            _ => (scope, client),
        }))
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
        Ok(Self(principal, CallerKey::of(&credential)))
    }
}

impl FromRequestParts<Api> for Worker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Caller(principal, _) = Caller::from_request_parts(parts, api).await?;
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
            Principal::Write(_) => Err(only_sends_events()),
            Principal::Client(..) => Err(Problem::forbidden(
                "a client's token opens only the client's own data; this needs a secret key \
                 (msk_…) or a member's token (mmt_…)",
            )),
        }
    }
}

impl FromRequestParts<Api> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Worker { organization, scope, .. } = Worker::from_request_parts(parts, api).await?;
        if let Scope::Member(_, Role::Staff) = scope {
            return Err(Problem::forbidden(
                "this member's role is staff; this needs the role owner or admin, or a secret key",
            ));
        }
        Ok(Self { organization, scope })
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
