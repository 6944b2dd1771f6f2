use askama::Template;
use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts as _, Request},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::{AdminSession, StaffSession, origin};
use crate::{
    Error,
    web::{Form, PageError, StaffShell, Web, show_with},
};

/// How long after signing in, or after confirming, a member is not asked for its password.
const CONFIRMATION_TTL: SignedDuration = SignedDuration::from_mins(15);
/// The field that brings the password; no other form has it.
const PASSWORD: &str = "confirm_password";

/// A form that creates or reveals credentials: an unattended browser that is signed in must not be enough
/// to get them.
pub(crate) trait Sensitive {
    /// The page with the form.
    const PAGE: &'static str;

    /// Whether what was filled in is that.
    fn is_sensitive(&self) -> bool {
        true
    }
}

/// A member who may change settings, and its form. One that signed in too long ago confirms its password
/// first: it gets a page that holds all that was filled in and sends it again, with the password.
#[derive(Debug)]
pub(crate) struct Confirmed<T>(pub(crate) StaffSession, pub(crate) T);

#[derive(Template)]
#[template(path = "public/sign_in/confirm.html")]
struct ConfirmPage {
    shell: StaffShell,
    email: String,
    action: String,
    fields: Vec<(String, String)>,
    page: &'static str,
    wrong: bool,
}

/// Why it is not done, or not yet.
pub(crate) enum ConfirmError {
    /// The page that asks for the password. Boxed, because it travels in a `Result`.
    NeedsPassword(Box<Response>),
    Failed(PageError),
}

impl From<PageError> for ConfirmError {
    fn from(error: PageError) -> Self {
        Self::Failed(error)
    }
}

impl From<Error> for ConfirmError {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

impl IntoResponse for ConfirmError {
    fn into_response(self) -> Response {
        match self {
            Self::NeedsPassword(page) => *page,
            Self::Failed(error) => error.into_response(),
        }
    }
}

impl<T: DeserializeOwned + Sensitive + Send> FromRequest<Web> for Confirmed<T> {
    type Rejection = ConfirmError;

    async fn from_request(request: Request, web: &Web) -> Result<Self, ConfirmError> {
        let (mut parts, body) = request.into_parts();
        let AdminSession(session) = AdminSession::from_request_parts(&mut parts, web).await?;
        let Ok(origin::ClientIp(from)) =
            origin::ClientIp::from_request_parts(&mut parts, web).await;
        let action = parts.uri.path().to_owned();
        // A form without fields may come without a type.
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        parts.headers.entry(header::CONTENT_TYPE).or_insert(form_type);

        let again = parts.clone();
        let sent = Request::from_parts(parts, body);
        let Form(mut fields) = Form::<Vec<(String, String)>>::from_request(sent, web).await?;
        let password = fields.iter().position(|(name, _)| name == PASSWORD);
        let password = password.map(|at| fields.remove(at).1);
        let rest = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
        let rest = Request::from_parts(again, Body::from(rest));
        let Form(form) = Form::<T>::from_request(rest, web).await?;

        if !form.is_sensitive() || is_confirmed(&session, web.mainstay.now()) {
            return Ok(Self(session, form));
        }
        let mut status = StatusCode::FORBIDDEN;
        if let Some(password) = password {
            let (organization, member) = (session.organization_id(), session.member_id());
            web.limits.check_sign_in(from, &session.member.email)?;
            let is_right = web
                .mainstay
                .confirm_session(organization, member, &session.token, &password, from)
                .await?;
            if is_right {
                return Ok(Self(session, form));
            }
            status = StatusCode::UNPROCESSABLE_ENTITY;
        }
        let page = ConfirmPage {
            shell: session.shell_at(None),
            email: session.member.email,
            action,
            fields,
            page: T::PAGE,
            wrong: status == StatusCode::UNPROCESSABLE_ENTITY,
        };
        Err(ConfirmError::NeedsPassword(Box::new(show_with(status, &page)?)))
    }
}

fn is_confirmed(session: &StaffSession, now: Timestamp) -> bool {
    now.duration_since(session.confirmed_at) <= CONFIRMATION_TTL
}
