use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
    response::{IntoResponse, Response},
};
use mainstay_core::id::OrganizationId;
use mainstay_store::{Client, Scope};

use super::cors::SiteRefused;
use crate::{
    Error,
    access::Principal,
    api::Problem,
    organization::Context,
    web::{Web, security::is_own, ui::components::View},
};

/// Why a widget gets no component: problem details, as everywhere for programs.
/// Boxed, because it travels in every handler's `Result`.
pub(super) struct Refusal(Box<Response>);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem.into_response()))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Problem::from(error).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// The client whose token a widget brings; it may not have sent an event yet.
pub(super) struct WidgetClient {
    pub(super) organization: OrganizationId,
    pub(super) known: Option<(Scope, Client)>,
    pub(super) external_id: String,
    pub(super) view: View,
    /// Whether all of it is made up.
    pub(super) sample: bool,
}

/// The member whose token a widget brings.
pub(super) struct WidgetMember {
    pub(super) scope: Scope,
    /// Whether all of it is made up.
    pub(super) sample: bool,
}

impl FromRequestParts<Web> for WidgetClient {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Refusal> {
        let Principal::Client(organization, external_id) = principal(parts, web).await? else {
            return Err(Problem::forbidden(
                "this widget shows one client and takes that client's token; a key must never be \
                 in a page",
            )
            .into());
        };
        let scope = Scope::Service(organization);
        let Context { organization: settings, zone, .. } = web.mainstay.context_in(scope).await?;
        let found = web.mainstay.client_of_token(organization, &external_id).await?;
        let known = found.map(|client| (Scope::Client(organization, client.id), client));
        let view = View::of_client(zone, web.mainstay.now());
        Ok(Self { organization, known, external_id, view, sample: settings.sample })
    }
}

impl FromRequestParts<Web> for WidgetMember {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Refusal> {
        let badge = match bearer(&parts.headers) {
            Some(token) => web.mainstay.badge_reader(token).await?,
            None => None,
        };
        if let Some(badge) = badge {
            check_site(&parts.headers, web, badge.organization).await?;
            let sample = web.mainstay.is_sample(badge.organization).await?;
            return Ok(Self { scope: badge.scope(), sample });
        }
        match principal(parts, web).await? {
            Principal::Member(organization, _, role) => {
                let sample = web.mainstay.is_sample(organization).await?;
                Ok(Self { scope: Scope::Member(organization, role), sample })
            }
            _ => Err(Problem::forbidden(
                "this widget shows a team's alerts and takes a badge token, which your server gets from \
                 POST /api/v1/members/{member_id}/badge-token, or a member's token (mmt_…)",
            )
            .into()),
        }
    }
}

/// Whoever the token names, asked for from a site that the organization has allowed.
async fn principal(parts: &Parts, web: &Web) -> Result<Principal, Refusal> {
    let token = bearer(&parts.headers).ok_or_else(|| {
        Problem::unauthenticated("set the widget's attribute token to a client's token", false)
    })?;
    let principal = web.mainstay.authenticate(token).await?.ok_or_else(|| {
        Problem::unauthenticated(
            "this token is unknown or has expired; set a new one, a client's token lives at most \
             24 hours",
            true,
        )
    })?;
    check_site(&parts.headers, web, principal.organization()).await?;
    Ok(principal)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

async fn check_site(
    headers: &HeaderMap,
    web: &Web,
    organization: OrganizationId,
) -> Result<(), Refusal> {
    // A browser says where a page of another site comes from; who says nothing is no such page.
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let allowed = web.mainstay.allowed_sites(organization).await?;
    let is_allowed = origin.to_str().is_ok_and(|origin| allowed.iter().any(|site| site == origin));
    if is_allowed || is_own(origin, headers) {
        return Ok(());
    }
    let refusal = Problem::forbidden(format!(
        "{} is not among the organization's allowed sites; add it in Settings, Allowed sites",
        origin.to_str().unwrap_or("this site")
    ));
    let mut response = refusal.into_response();
    response.extensions_mut().insert(SiteRefused);
    Err(Refusal(Box::new(response)))
}
