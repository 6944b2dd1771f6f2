use askama::Template;
use axum::extract::State;
use mainstay_store::Scope;

use super::{known, view_of};
use crate::web::{
    Answer, Asked, ClientSession, ClientShell, Web,
    events::{EventList, WhichEvents},
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
    Asked(which): Asked<WhichEvents>,
) -> Answer {
    events_page(&session, &web, which).await
}

/// A client's events, for itself or for staff who look at its page.
pub(in crate::web) async fn events_page(
    session: &ClientSession,
    web: &Web,
    which: WhichEvents,
) -> Answer {
    let view = view_of(session, web);
    let (scope, client) = known(session)
        .map_or((Scope::Service(session.organization.id), None), |(scope, client)| {
            (scope, Some(client))
        });
    let events = EventList::load(&web.mainstay, scope, client, &view, which).await?;
    show(&EventsPage { shell: session.shell(), events })
}
