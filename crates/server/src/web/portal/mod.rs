//! `/client`: what a client sees of itself and does.

mod act;
mod dashboard;
mod emails;
mod events;
mod stream;

pub(super) use act::InsightAction;
pub(super) use dashboard::dashboard;
pub(super) use events::events_page;

use mainstay_store::{Client, Scope};

use super::{ClientSession, Pages, Web, ui::components::View};

/// Where the client's own page is.
pub(super) const DASHBOARD: &str = "/client/dashboard/success";

/// What happens to the client, while its page is open.
pub(super) const STREAM: &str = "/client/stream";

pub(super) fn pages() -> Pages {
    Pages::new()
        .get(DASHBOARD, dashboard::show_dashboard)
        .get("/client/events", events::show_events)
        .get(STREAM, stream::follow)
        .post("/client/insights/{insight_id}", act::act_on_insight)
        .post("/client/feedback", act::give_feedback)
        .post("/client/emails", emails::choose)
}

fn view_of(session: &ClientSession, web: &Web) -> View {
    let (zone, now) = (session.zone.clone(), web.mainstay.now());
    match session.preview {
        Some(_) => View::of_preview(zone, now, &session.external_id),
        None => View::of_client(zone, now),
    }
}

/// The client with the scope to read it, once it is known.
fn known(session: &ClientSession) -> Option<(Scope, &Client)> {
    session.known.as_ref().map(|(scope, client)| (*scope, client))
}
