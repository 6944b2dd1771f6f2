//! `/widgets.js` and what it asks for: the components of the pages, inside any web app.
//!
//! A widget brings a client's token (the badge a member's) with each request, so no cookie is
//! involved; and a page of another site may only read an answer when the organization has allowed
//! that site.

mod caller;
mod cors;
mod show;
mod style;

use axum::{
    Router, middleware,
    routing::{MethodRouter, get, post},
};

use super::Web;

/// Where the components are.
const BASE: &str = "/widgets/v1";

/// Every address that widgets ask for, on any listener.
pub(super) fn router() -> Router<Web> {
    let asked = |route: MethodRouter<Web>| route.options(cors::before_request);
    Router::new()
        .route("/widgets.js", asked(get(style::script)))
        .route(&at("/style.css"), asked(get(style::style)))
        .route(&at("/score-card"), asked(get(show::score_card)))
        .route(&at("/heatmap"), asked(get(show::heatmap)))
        .route(&at("/insights"), asked(get(show::insights)))
        .route(&at("/insights/{insight_id}"), asked(post(show::act_on_insight)))
        .route(&at("/events"), asked(get(show::events)))
        .route(&at("/alert-badge"), asked(get(show::alert_badge)))
        .layer(middleware::from_fn(cors::answer))
}

fn at(path: &str) -> String {
    format!("{BASE}{path}")
}
