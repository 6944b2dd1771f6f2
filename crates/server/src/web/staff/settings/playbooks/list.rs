use askama::Template;
use axum::{extract::State, response::IntoResponse as _};
use mainstay_core::{
    id::PlaybookId,
    playbook::{Tally, is_noisy, suggestions},
};
use mainstay_store::StoredPlaybook;

use super::{
    PATH,
    edit::no_playbook,
    words::{does, outcome, starts},
};
use crate::{
    playbook::OUTCOME_DAYS,
    web::{
        AdminSession, PageResult, Path, Query, StaffSession, StaffShell, Web, show,
        staff::settings::{DoneQuery, Frame, Tab, back},
    },
};

struct Row {
    id: PlaybookId,
    name: String,
    enabled: bool,
    starts: String,
    does: Vec<String>,
    outcome: String,
    noisy: bool,
    /// For how many clients it waits for a person.
    to_approve: i64,
}

impl Row {
    fn new(stored: &StoredPlaybook, tally: &Tally, to_approve: i64) -> Self {
        Self {
            id: stored.id,
            name: stored.playbook.name.clone(),
            enabled: stored.enabled,
            starts: starts(stored.playbook.trigger),
            does: does(&stored.playbook),
            outcome: outcome(tally, "started"),
            noisy: is_noisy(tally),
            to_approve,
        }
    }
}

struct Suggestion {
    name: String,
    starts: String,
    does: Vec<String>,
}

struct AlertRule {
    words: &'static str,
    outcome: String,
    noisy: bool,
}

#[derive(Template)]
#[template(path = "settings/playbooks/list.html")]
struct PlaybooksPage {
    shell: StaffShell,
    frame: Frame,
    rows: Vec<Row>,
    suggestions: Vec<Suggestion>,
    alerts: Vec<AlertRule>,
    days: i64,
}

pub(super) async fn show_playbooks(
    session: StaffSession,
    State(web): State<Web>,
    Query(done): DoneQuery,
) -> PageResult {
    let frame = Frame::new(&session, Tab::Playbooks).after(&done);
    let playbooks = web.mainstay.playbooks(session.scope).await?;
    let outcomes = web.mainstay.outcomes(session.scope).await?;
    let waiting = web.mainstay.runs_to_approve(session.scope).await?;
    let rows: Vec<Row> = playbooks
        .iter()
        .map(|stored| {
            let to_approve = waiting.get(&stored.id).copied().unwrap_or(0);
            Row::new(stored, &outcomes.of(stored.id), to_approve)
        })
        .collect();
    let offered = if rows.is_empty() && frame.admin { suggestions() } else { Vec::new() };
    let offered = offered.iter().map(|playbook| Suggestion {
        name: playbook.name.clone(),
        starts: starts(playbook.trigger),
        does: does(playbook),
    });
    let alerts = outcomes.alerts.iter().map(|(kind, tally)| AlertRule {
        words: kind.words(),
        outcome: outcome(tally, "opened"),
        noisy: is_noisy(tally),
    });
    show(&PlaybooksPage {
        shell: frame.shell.clone(),
        frame,
        rows,
        suggestions: offered.collect(),
        alerts: alerts.collect(),
        days: OUTCOME_DAYS,
    })
}

pub(super) async fn switch(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Path(id): Path<PlaybookId>,
) -> PageResult {
    let known = web.mainstay.playbook(session.scope, id).await.map_err(no_playbook)?;
    let enabled = !known.enabled;
    web.mainstay
        .change_playbook(session.scope, id, known.playbook, enabled)
        .await
        .map_err(no_playbook)?;
    let done = if enabled { "playbook-on" } else { "playbook-off" };
    Ok(back(PATH, done).into_response())
}

pub(super) async fn approve(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Path(id): Path<PlaybookId>,
) -> PageResult {
    let organization = session.organization_id();
    web.mainstay.approve_playbook_runs(organization, id).await.map_err(no_playbook)?;
    Ok(back(PATH, "playbook-approved").into_response())
}

pub(super) async fn reject(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Path(id): Path<PlaybookId>,
) -> PageResult {
    let organization = session.organization_id();
    web.mainstay.reject_playbook_runs(organization, id).await.map_err(no_playbook)?;
    Ok(back(PATH, "playbook-rejected").into_response())
}

#[derive(Template)]
#[template(path = "settings/playbooks/delete.html")]
struct DeletePage {
    shell: StaffShell,
    frame: Frame,
    playbook: StoredPlaybook,
}

pub(super) async fn ask_to_delete(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Path(id): Path<PlaybookId>,
) -> PageResult {
    let playbook = web.mainstay.playbook(session.scope, id).await.map_err(no_playbook)?;
    let frame = Frame::new(&session, Tab::Playbooks);
    show(&DeletePage { shell: frame.shell.clone(), frame, playbook })
}

pub(super) async fn delete(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Path(id): Path<PlaybookId>,
) -> PageResult {
    web.mainstay.delete_playbook(session.scope, id).await.map_err(no_playbook)?;
    Ok(back(PATH, "playbook-deleted").into_response())
}
