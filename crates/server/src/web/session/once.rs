//! Secrets that a page shows once. A page that came by a form could be loaded again, and would do again
//! what the form did, so the form leads on to a page that takes the secret from a cookie and drops it.

use axum::{
    http::{HeaderMap, header},
    response::{IntoResponse as _, Redirect, Response},
};

use super::cookie::{self, Transport};
use crate::web::Web;

/// Leads to a page that shows a secret once.
pub(crate) fn show_once(web: &Web, headers: &HeaderMap, secret: &str, path: &str) -> Response {
    let once = cookie::set_one_time(Transport::of(&web.site, headers), secret);
    ([(header::SET_COOKIE, once)], Redirect::to(path)).into_response()
}

/// The secret that a page is to show. Whoever shows it checks first that it was made here.
pub(crate) fn read_once(web: &Web, headers: &HeaderMap) -> Option<String> {
    cookie::read(headers, Transport::of(&web.site, headers), cookie::ONE_TIME)
}

/// The page that shows it: the browser forgets the secret.
pub(crate) fn clear_once(web: &Web, headers: &HeaderMap, mut page: Response) -> Response {
    let dropped = cookie::clear_one_time(Transport::of(&web.site, headers));
    page.headers_mut().append(header::SET_COOKIE, dropped);
    page
}
