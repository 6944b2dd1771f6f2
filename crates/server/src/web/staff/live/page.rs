use askama::Template;
use axum::{extract::State, http::HeaderMap};
use mainstay_store::KeyKind;
use serde::Deserialize;

use super::{
    row::LiveRow,
    snippets::{PLACEHOLDER, Snippet, snippets},
};
use crate::{
    Error,
    web::{
        Confirmed, PageResult, Place, Query, Sensitive, StaffSession, StaffShell, Web,
        session::once::{clear_once, read_once, show_once},
        show,
        ui::components::View,
    },
};

/// Events and refusals that are shown.
const MAX_ROWS: i64 = 100;

#[derive(Template)]
#[template(path = "live/live.html")]
struct LivePage {
    shell: StaffShell,
    rows: Vec<LiveRow>,
    only_refused: bool,
    /// Whether nothing ever came.
    waiting: bool,
    snippets: [Snippet; 3],
    /// The key in the snippets, shown this once.
    key: Option<String>,
    is_admin: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct LiveQuery {
    show: String,
}

pub(super) async fn show_live(
    session: StaffSession,
    State(web): State<Web>,
    headers: HeaderMap,
    Query(query): Query<LiveQuery>,
) -> PageResult {
    let only_refused = match query.show.as_str() {
        "" | "all" => false,
        "refused" => true,
        other => {
            let reason = format!("unknown part {other:?}: use all or refused");
            return Err(Error::invalid("show", reason).into());
        }
    };
    let kept = read_once(&web, &headers);
    let key = web.mainstay.valid_key_of(session.organization_id(), kept).await?;
    let shown = key.is_some();
    let answer = page(&session, &web, &headers, only_refused, key).await?;
    Ok(if shown { clear_once(&web, &headers, answer) } else { answer })
}

/// A form without fields.
#[derive(Deserialize)]
pub(super) struct NewWriteKey {}

impl Sensitive for NewWriteKey {
    const PAGE: &'static str = "/live";
}

/// Makes a write key, which the page shows in the snippets, once.
pub(super) async fn make_key(
    State(web): State<Web>,
    headers: HeaderMap,
    Confirmed(session, _): Confirmed<NewWriteKey>,
) -> PageResult {
    let created = web.mainstay.create_key(session.actor(), KeyKind::Write, None).await?;
    Ok(show_once(&web, &headers, &created.key, "/live"))
}

async fn page(
    session: &StaffSession,
    web: &Web,
    headers: &HeaderMap,
    only_refused: bool,
    key: Option<String>,
) -> PageResult {
    let view = View::of_staff(session.zone.clone(), web.mainstay.now(), "");
    let arrived = web.mainstay.recent_events(session.scope, only_refused, MAX_ROWS).await?;
    let events = arrived.events.iter().map(|event| LiveRow::of_stored(&view, event));
    let refused = arrived.refused.iter().map(|event| LiveRow::of_refused(&view, event));
    let mut rows: Vec<LiveRow> = events.chain(refused).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.at));
    let board = web.mainstay.portfolio(session.organization_id()).await?;
    let (clients, alerts) = board.read(|portfolio| {
        let summary = portfolio.summary();
        (summary.clients, summary.open_alerts())
    });
    let mut shell = session.shell(Place::Live);
    shell.clients = Some(clients);
    shell.alerts = Some(alerts);
    let url = web.site.url_for_request(headers);
    show(&LivePage {
        shell,
        waiting: rows.is_empty() && clients == 0,
        rows,
        only_refused,
        snippets: snippets(url.as_str(), key.as_deref().unwrap_or(PLACEHOLDER)),
        key,
        is_admin: session.is_admin(),
    })
}
