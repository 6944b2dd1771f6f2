//! Marks every answer about a sample organization: whoever reads it must not take made-up data for real.

use std::sync::{Arc, OnceLock};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use mainstay_core::id::OrganizationId;

use super::problem::Problem;
use crate::Mainstay;

const MARK: &str = "\"sample_data\":true";
const HEADER: HeaderName = HeaderName::from_static("mainstay-sample-data");

/// Whose data is asked for: set by what finds that out, and read when the answer is made.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestOrganization(Arc<OnceLock<OrganizationId>>);

impl RequestOrganization {
    /// Notes the organization of a request in its extensions, if anybody wants to know.
    pub(crate) fn set(extensions: &axum::http::Extensions, organization: OrganizationId) {
        if let Some(organization_slot) = extensions.get::<Self>() {
            // The first one counts; there is no second.
            let _ = organization_slot.0.set(organization);
        }
    }
}

/// Says of an answer that it is sample data: in a header, and in every JSON object.
pub(super) async fn mark(
    State(mainstay): State<Mainstay>,
    mut request: Request,
    next: Next,
) -> Response {
    let organization_slot = RequestOrganization::default();
    request.extensions_mut().insert(organization_slot.clone());
    let response = next.run(request).await;
    let Some(organization) = organization_slot.0.get() else { return response };
    if !response.status().is_success() {
        return response;
    }
    match mainstay.is_sample(*organization).await {
        Ok(true) => mark_response(response).await,
        Ok(false) => response,
        Err(error) => Problem::from(error).into_response(),
    }
}

async fn mark_response(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(HEADER, HeaderValue::from_static("true"));
    let media_type = parts.headers.get(header::CONTENT_TYPE);
    if media_type.is_none_or(|value| value.as_bytes() != b"application/json") {
        return Response::from_parts(parts, body);
    }
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return Problem::new(
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            "an unexpected error occurred; see the server's log, and please report it",
        )
        .into_response();
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    let body = match bytes.split_first() {
        Some((b'{', rest)) => {
            let comma = if rest.trim_ascii_start().first() == Some(&b'}') { "" } else { "," };
            let start = format!("{{{MARK}{comma}");
            Body::from([start.as_bytes(), rest].concat())
        }
        _ => Body::from(bytes),
    };
    Response::from_parts(parts, body)
}
