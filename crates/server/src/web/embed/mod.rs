//! `/widgets.js` and what it asks for: the components of the pages, inside any web app.
//!
//! A widget brings a client's token (the badge a member's) with each request, so no cookie is
//! involved; and a page of another site may only read an answer when the organization has allowed
//! that site.

mod caller;
mod cors;
mod show;
mod style;

use axum::{middleware, routing::options};

use super::Pages;

/// Every address that widgets ask for.
pub(super) fn pages() -> Pages {
    let pages = Pages::new()
        .get("/widgets.js", style::script)
        .get("/widgets/v1/style.css", style::style)
        .get("/widgets/v1/score-card", show::score_card)
        .get("/widgets/v1/heatmap", show::heatmap)
        .get("/widgets/v1/insights", show::insights)
        .post("/widgets/v1/insights/{insight_id}", show::act_on_insight)
        .get("/widgets/v1/events", show::events)
        .get("/widgets/v1/alert-badge", show::alert_badge);
    let router = pages.listed.iter().fold(pages.router, |router, route| {
        router.route(route.path, options(cors::before_request))
    });
    Pages { router: router.layer(middleware::from_fn(cors::answer)), listed: pages.listed }
}
