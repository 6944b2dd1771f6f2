use askama::Template;
use axum::extract::State;

use super::StaffClient;
use crate::web::{
    PageResult, Place, Query, StaffShell, Web,
    events::{EventList, EventsQuery},
    show,
    ui::components::display_name,
};

#[derive(Template)]
#[template(path = "client/events.html")]
struct EventsPage {
    shell: StaffShell,
    name: String,
    page: String,
    events: EventList,
}

pub(super) async fn show_events(
    StaffClient { session, client, view }: StaffClient,
    State(web): State<Web>,
    Query(query): Query<EventsQuery>,
) -> PageResult {
    let events = EventList::load(&web.mainstay, session.scope, Some(&client), &view, query).await?;
    show(&EventsPage {
        shell: session.shell(Place::Portfolio),
        name: display_name(client.profile.name.as_deref(), &client.external_id).to_owned(),
        page: view.link(""),
        events,
    })
}
