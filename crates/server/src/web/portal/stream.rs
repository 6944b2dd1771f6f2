use axum::extract::State;
use serde_json::json;

use crate::{
    access::CallerKey,
    live::LiveUpdate,
    web::{
        ClientSession, PageResult, Web,
        session::origin::ClientIp,
        staff::live::{Listener, StreamEvent, stream_news},
    },
};

/// Tells the client's open page when there is something new about it, and nothing of anybody else.
pub(super) async fn follow(
    session: ClientSession,
    ClientIp(address): ClientIp,
    State(web): State<Web>,
) -> PageResult {
    let client = session.external_id;
    let (mainstay, token) = (web.mainstay.clone(), session.token);
    let listener = Listener {
        organization: session.organization.id,
        // A client's, since it may begin any number of sessions.
        session: CallerKey::from_credential(&format!("{} {client}", session.organization.id)),
        address,
        expires_at: session.expires_at,
        is_in_force: Box::new(move || {
            let (mainstay, token) = (mainstay.clone(), token.clone());
            Box::pin(async move { Ok(mainstay.client_session(&token).await?.is_some()) })
        }),
    };
    stream_news(&web, listener, move |news| {
        is_about(&client, news)
            .then(|| -> StreamEvent { ("standings", json!({"clients": [client]})) })
    })
    .await
}

fn is_about(client: &str, news: &LiveUpdate) -> bool {
    match news {
        LiveUpdate::Events(events) => events.iter().any(|event| event.client_id == client),
        // When there are too many to be named, most pages would load again for nothing, all at once.
        LiveUpdate::MoreEvents { clients, .. } | LiveUpdate::Standings(clients) => {
            clients.as_ref().is_some_and(|clients| clients.iter().any(|one| one == client))
        }
        LiveUpdate::Refused(_) | LiveUpdate::Alerts(_) => false,
    }
}
