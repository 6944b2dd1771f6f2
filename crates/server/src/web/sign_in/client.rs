//! `/client/sign-in`: clients come in by their app's token or by a link.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Redirect},
};
use serde::Deserialize;

use crate::web::{
    Answer, Asked, PageError, Pages, Web,
    session::{
        cookie,
        origin::{From, Kept},
    },
};

const START: &str = "/client/dashboard/success";

pub(super) fn pages() -> Pages {
    Pages::new().get("/client/sign-in", sign_in)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ByToken {
    token: String,
}

/// Lets a client in. What it is let in by was signed, and so is the session in its cookie: nothing is
/// stored, so that a GET may do this.
async fn sign_in(
    State(web): State<Web>,
    Kept(transport): Kept,
    From(from): From,
    Asked(by): Asked<ByToken>,
) -> Answer {
    let Some(session) = web.mainstay.sign_client_in(&by.token).await? else {
        web.limits.check(from, "client")?;
        return Err(PageError::new(
            StatusCode::UNAUTHORIZED,
            "This link does not work any more",
            "It has expired or a part of it is missing. Open your page again from the app that you \
             use, or ask for a new link.",
        ));
    };
    let mut response = Redirect::to(START).into_response();
    let cookie = cookie::keep_client(transport, &session.token, session.seconds);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}
