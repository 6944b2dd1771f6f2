use askama::Template;
use axum::{extract::State, response::IntoResponse as _};
use jiff::Timestamp;
use mainstay_core::{id::MergeId, text::count_noun};
use mainstay_store::{Merge, MergeState};

use super::{DoneQuery, Frame, Tab, back};
use crate::{
    paths::client_path,
    web::{
        AdminSession, PageError, PageResult, Pages, Path, Query, StaffSession, StaffShell, Web,
        show, staff::people::People,
    },
};

const PATH: &str = "/settings/merges";
const MAX_LISTED: i64 = 200;

pub(super) fn pages() -> Pages {
    Pages::new()
        .get(PATH, list)
        .get("/settings/merges/{merge_id}/undo", ask_to_undo)
        .post("/settings/merges/{merge_id}/undo", undo)
}

struct Listed {
    merge: Merge,
    /// The client that stays.
    href: String,
    /// Progress, in words.
    state: String,
    who: String,
    undo_until: Option<Timestamp>,
}

#[derive(Template)]
#[template(path = "settings/merges.html")]
struct MergesPage {
    shell: StaffShell,
    frame: Frame,
    merges: Vec<Listed>,
}

async fn list(session: StaffSession, State(web): State<Web>, Query(done): DoneQuery) -> PageResult {
    let people = People::load(&web.mainstay, &session).await?;
    let merges = web.mainstay.merges(session.scope, None, MAX_LISTED).await?;
    let requester = |merge: &Merge| {
        if merge.of_visitor {
            "a write key, of a visitor".to_owned()
        } else {
            people.name(merge.requested_by)
        }
    };
    let listed = |merge: Merge| Listed {
        href: client_path(&merge.into_id),
        state: state_of(&merge),
        who: match (merge.state, merge.undone_at) {
            (MergeState::Undone, Some(_)) => {
                format!("by {}, undone by {}", requester(&merge), people.name(merge.undone_by))
            }
            _ => format!("by {}", requester(&merge)),
        },
        undo_until: web.mainstay.undo_until(&merge),
        merge,
    };
    let frame = Frame::new(&session, Tab::Merges).after(&done);
    let merges = merges.into_iter().map(listed).collect();
    show(&MergesPage { shell: frame.shell.clone(), frame, merges })
}

fn state_of(merge: &Merge) -> String {
    let events = count_noun(merge.events, "event");
    match merge.state {
        MergeState::Waiting => "Waiting".to_owned(),
        MergeState::Merging => format!("In progress, {events} moved"),
        MergeState::Done | MergeState::Settled => format!("Done, {events} moved"),
        MergeState::Undoing => "Being undone".to_owned(),
        MergeState::Undone => "Undone".to_owned(),
        MergeState::Failed => "Failed: one of the clients was deleted".to_owned(),
    }
}

#[derive(Template)]
#[template(path = "settings/merge_undo.html")]
struct UndoPage {
    shell: StaffShell,
    frame: Frame,
    merge: Merge,
}

async fn ask_to_undo(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Path(merge): Path<MergeId>,
) -> PageResult {
    let merge = web
        .mainstay
        .merge(session.scope, merge)
        .await
        .map_err(|error| PageError::from(error).back("Back to merges", PATH))?;
    let frame = Frame::new(&session, Tab::Merges);
    show(&UndoPage { shell: frame.shell.clone(), frame, merge })
}

async fn undo(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Path(merge): Path<MergeId>,
) -> PageResult {
    web.mainstay
        .undo_merge(session.organization_id(), merge, Some(session.member_id()))
        .await
        .map_err(|error| PageError::from(error).back("Back to merges", PATH))?;
    Ok(back(PATH, "unmerged").into_response())
}
