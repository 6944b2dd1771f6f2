//! What staff change of a client: each action is a form, and leads back to the part it changed.

use axum::extract::State;
use mainstay_core::{
    id::{MemberId, NoteId, TaskId},
    score::LaunchKit,
};
use mainstay_store::TaskStatus;
use serde::Deserialize;

use super::{ItemPath, StaffClient};
use crate::{
    Error,
    web::{Form, PageResult, Web, staff::tasks::NewTaskForm},
};

pub(super) async fn recompute(asked: StaffClient, State(web): State<Web>) -> PageResult {
    web.mainstay.calculate_success_score(asked.session.scope, &asked.client).await?;
    Ok(asked.back_to("score-h"))
}

#[derive(Deserialize)]
pub(super) struct OwnerForm {
    owner: String,
}

pub(super) async fn set_owner(
    asked: StaffClient,
    State(web): State<Web>,
    Form(sent): Form<OwnerForm>,
) -> PageResult {
    let owner: Option<MemberId> = if sent.owner.is_empty() {
        None
    } else {
        let unknown = |_| Error::invalid("owner", "is not a member; choose one from the list");
        Some(sent.owner.parse().map_err(unknown)?)
    };
    web.mainstay.set_client_owner(asked.session.scope, asked.client.id, owner).await?;
    Ok(asked.back_to("facts-h"))
}

#[derive(Deserialize)]
pub(super) struct NoteForm {
    text: String,
}

pub(super) async fn add_note(
    asked: StaffClient,
    State(web): State<Web>,
    Form(sent): Form<NoteForm>,
) -> PageResult {
    let member = asked.session.member_id();
    web.mainstay.add_note(asked.session.scope, asked.client.id, member, &sent.text).await?;
    Ok(asked.back_to("notes-h"))
}

pub(super) async fn delete_note(
    asked: StaffClient,
    State(web): State<Web>,
    ItemPath(note): ItemPath<NoteId>,
) -> PageResult {
    let member = asked.session.member_id();
    web.mainstay.delete_note(asked.session.scope, asked.client.id, note, member).await?;
    Ok(asked.back_to("notes-h"))
}

#[derive(Deserialize)]
pub(super) struct NewTask {
    title: String,
}

pub(super) async fn add_task(
    asked: StaffClient,
    State(web): State<Web>,
    Form(sent): Form<NewTask>,
) -> PageResult {
    web.mainstay
        .create_task(
            asked.session.scope,
            &asked.client.external_id,
            sent.title.trim(),
            TaskStatus::Pending,
        )
        .await?;
    Ok(asked.back_to("tasks-h"))
}

pub(super) async fn add_staff_task(
    asked: StaffClient,
    State(web): State<Web>,
    Form(sent): Form<NewTaskForm>,
) -> PageResult {
    let new = sent.task(&asked.client.external_id)?;
    let member = Some(asked.session.member_id());
    web.mainstay.create_staff_task(asked.session.scope, member, new).await?;
    Ok(asked.back_to("staff-tasks-h"))
}

#[derive(Deserialize)]
pub(super) struct TaskState {
    status: String,
}

pub(super) async fn set_task(
    asked: StaffClient,
    State(web): State<Web>,
    ItemPath(task): ItemPath<TaskId>,
    Form(sent): Form<TaskState>,
) -> PageResult {
    let status = sent.status.parse().map_err(|reason: String| Error::invalid("status", reason))?;
    web.mainstay
        .update_task(asked.session.scope, &asked.client.external_id, task, None, Some(status))
        .await?;
    Ok(asked.back_to("tasks-h"))
}

#[derive(Deserialize)]
pub(super) struct KitState {
    state: String,
}

pub(super) async fn set_launch_kit(
    asked: StaffClient,
    State(web): State<Web>,
    Form(sent): Form<KitState>,
) -> PageResult {
    let state = match sent.state.as_str() {
        "viewed" => LaunchKit::Viewed,
        "completed" => LaunchKit::Completed,
        other => {
            let reason = format!("unknown state {other:?}: use viewed or completed");
            return Err(Error::invalid("state", reason).into());
        }
    };
    web.mainstay.record_launch_kit(asked.session.scope, &asked.client.external_id, state).await?;
    Ok(asked.back_to("kit-h"))
}
