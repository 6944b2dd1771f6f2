use axum::extract::State;
use serde_json::json;

use crate::{
    live::News,
    web::{
        Answer, ClientSession, Web,
        live::{Told, stream_news},
    },
};

/// Tells the client's open page when there is something new about it, and nothing of anybody else.
pub(super) async fn follow(session: ClientSession, State(web): State<Web>) -> Answer {
    let client = session.external_id;
    stream_news(&web.mainstay, session.organization.id, move |news| {
        is_about(&client, news).then(|| -> Told { ("standings", json!({"clients": [client]})) })
    })
    .await
}

fn is_about(client: &str, news: &News) -> bool {
    match news {
        News::Events(events) => events.iter().any(|event| event.client_id == client),
        // When there are too many to be named, most pages would load again for nothing, all at once.
        News::MoreEvents { clients, .. } | News::Standings(clients) => {
            clients.as_ref().is_some_and(|clients| clients.iter().any(|one| one == client))
        }
        News::Refused(_) | News::Alerts(_) => false,
    }
}
