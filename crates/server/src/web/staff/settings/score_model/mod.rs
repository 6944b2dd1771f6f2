//! `/settings/score-model`: how scores are made, as a draft that is tried on every client before it
//! is published.

mod draft;
mod preview;

use askama::Template;
use axum::{extract::State, http::StatusCode, response::IntoResponse as _};
use mainstay_core::score::ScoreModel;
use mainstay_store::StoredModel;

use super::{DoneParams, DoneQuery, Frame, Tab, back};
use crate::web::{
    AdminSession, Form, FormError, PageError, PageResult, Pages, Query, StaffSession, StaffShell,
    Web, show, show_with,
};
use draft::{Draft, Group, Pairs};

const PATH: &str = "/settings/score-model";

pub(super) fn pages() -> Pages {
    Pages::new().get(PATH, edit).post(PATH, publish).and(preview::pages())
}

#[derive(Template)]
#[template(path = "settings/score_model/edit.html")]
struct EditPage {
    shell: StaffShell,
    frame: Frame,
    groups: Vec<Group>,
    name: String,
    current: i64,
    /// Newest first.
    versions: Vec<StoredModel>,
    error: Option<FormError>,
}

impl EditPage {
    async fn new(
        web: &Web,
        session: &StaffSession,
        draft: Option<&Draft>,
        done: &DoneParams,
    ) -> Result<Self, PageError> {
        let frame = Frame::new(session, Tab::ScoreModel).after(done);
        let context = web.mainstay.context_in(session.scope).await?;
        let (current, model) = context.model();
        let present = Draft::of(&model);
        let draft = draft.unwrap_or(&present);
        let mut versions = context.models;
        versions.reverse();
        Ok(Self {
            shell: frame.shell.clone(),
            frame,
            groups: draft.groups(),
            name: draft.name(),
            current,
            versions,
            error: None,
        })
    }
}

async fn edit(session: StaffSession, State(web): State<Web>, Query(done): DoneQuery) -> PageResult {
    show(&EditPage::new(&web, &session, None, &done).await?)
}

/// Shows the form again with what is wrong in it.
async fn again(web: &Web, session: &StaffSession, draft: &Draft, error: FormError) -> PageResult {
    let page = EditPage::new(web, session, Some(draft), &DoneParams::default()).await?;
    let error = Some(error);
    show_with(StatusCode::UNPROCESSABLE_ENTITY, &EditPage { error, ..page })
}

async fn publish(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Form(pairs): Form<Pairs>,
) -> PageResult {
    let draft = Draft::from_form(&pairs);
    let published = match draft.model() {
        Ok(model) => web.mainstay.publish_score_model(session.scope, &model).await,
        Err(error) => return again(&web, &session, &draft, error).await,
    };
    match published {
        Ok(_) => Ok(back(PATH, "published").into_response()),
        Err(error) => again(&web, &session, &draft, FormError::of(error)?).await,
    }
}

/// A model as the form that would publish it.
fn pairs_of(model: &ScoreModel) -> Pairs {
    Draft::of(model).pairs()
}

/// What people call a model.
fn name_of(model: &ScoreModel) -> &str {
    crate::web::ui::text::visible(&model.name, "no name")
}
