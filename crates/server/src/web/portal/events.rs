use askama::Template;
use axum::extract::State;
use mainstay_store::Scope;

use super::{known, view_of};
use crate::web::{
    ClientSession, ClientShell, PageResult, Query, Web,
    events::{EventList, EventsQuery},
    show,
};

#[derive(Template)]
#[template(path = "portal/events.html")]
struct EventsPage {
    shell: ClientShell,
    events: EventList,
}

pub(super) async fn show_events(
    session: ClientSession,
    State(web): State<Web>,
    Query(query): Query<EventsQuery>,
) -> PageResult {
    events_page(&session, &web, query).await
}

/// A client's events, for itself or for staff who look at its page.
pub(in crate::web) async fn events_page(
    session: &ClientSession,
    web: &Web,
    query: EventsQuery,
) -> PageResult {
    let view = view_of(session, web);
    let (scope, client) = known(session)
        .map_or((Scope::Service(session.organization.id), None), |(scope, client)| {
            (scope, Some(client))
        });
    let events = EventList::load(&web.mainstay, scope, client, &view, query).await?;
    show(&EventsPage { shell: session.shell(), events })
}
