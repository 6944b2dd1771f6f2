use axum::{
    extract::State,
    http::{HeaderMap, Method, header},
    response::{IntoResponse as _, Redirect},
};

use super::{found, stale::explain};
use crate::{
    email::{Destination, LinkPurpose},
    web::{PageResult, Path, Theme, Web},
};

/// A picture of one pixel that cannot be seen.
const PIXEL: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\
                       \x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";
/// The button is the only link that is counted.
const BUTTON: i64 = 0;

/// Records that a mail was opened. It enters no figure.
pub(super) async fn open(
    State(web): State<Web>,
    method: Method,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> PageResult {
    let opened = found(&web, LinkPurpose::Open, &token).await?;
    web.mainstay.record_email_event(&opened.email, None, agent(&method, &headers)).await?;
    Ok(([(header::CONTENT_TYPE, "image/gif")], PIXEL).into_response())
}

/// Records that the button of a mail was followed, and leads to where it says, or explains why it does
/// not any more. The address is the organization's or our own, never one that is given in the link.
pub(super) async fn click(
    State(web): State<Web>,
    theme: Theme,
    method: Method,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> PageResult {
    let opened = found(&web, LinkPurpose::Click, &token).await?;
    let agent = agent(&method, &headers);
    web.mainstay.record_email_event(&opened.email, Some(BUTTON), agent).await?;
    match web.mainstay.email_destination(&opened, &web.site).await? {
        Destination::Page(url) => Ok(Redirect::to(&url).into_response()),
        Destination::Stale(stale) => explain(&web, theme, &opened, &token, stale),
    }
}

/// What the program calls itself; one that only asks for the head of an answer is no person's.
fn agent<'a>(method: &Method, headers: &'a HeaderMap) -> &'a str {
    if *method != Method::GET {
        return "";
    }
    headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default()
}
