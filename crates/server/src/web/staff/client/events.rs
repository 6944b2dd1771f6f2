use askama::Template;
use axum::extract::State;

use super::StaffClient;
use crate::web::{
    Answer, Asked, Place, StaffShell, Web,
    events::{EventList, WhichEvents},
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
    Asked(which): Asked<WhichEvents>,
) -> Answer {
    let events = EventList::load(&web.mainstay, session.scope, Some(&client), &view, which).await?;
    show(&EventsPage {
        shell: session.shell(Place::Portfolio),
        name: display_name(client.profile.name.as_deref(), &client.external_id).to_owned(),
        page: view.link(""),
        events,
    })
}
