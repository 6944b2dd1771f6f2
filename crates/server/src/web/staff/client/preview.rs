//! A client's own page, as staff look at it. It is read by the member's session, so that there is no way
//! to do anything in the client's name: what the page's forms would send to has no address here.

use axum::extract::State;

use super::StaffClient;
use crate::{
    paths::client_path,
    web::{
        ClientSession, PageResult, Preview, Query, Web, events::EventsQuery, portal,
        ui::components::display_name,
    },
};

pub(super) async fn show_dashboard(asked: StaffClient, State(web): State<Web>) -> PageResult {
    portal::dashboard(&as_the_client_sees_it(asked), &web, None).await
}

pub(super) async fn show_events(
    asked: StaffClient,
    State(web): State<Web>,
    Query(which): Query<EventsQuery>,
) -> PageResult {
    portal::events_page(&as_the_client_sees_it(asked), &web, which).await
}

fn as_the_client_sees_it(asked: StaffClient) -> ClientSession {
    let StaffClient { session, client, .. } = asked;
    let name = display_name(client.profile.name.as_deref(), &client.external_id);
    let preview = Preview { client: name.to_owned(), back: client_path(&client.external_id) };
    ClientSession {
        organization: session.organization,
        zone: session.zone,
        external_id: client.external_id.clone(),
        known: Some((session.scope, client)),
        theme: session.theme,
        preview: Some(preview),
        // It is nobody's session, and no stream is opened with it.
        expires_at: jiff::Timestamp::MIN,
        token: String::new(),
    }
}
