use askama::Template;
use axum::{extract::State, http::StatusCode, response::IntoResponse as _};
use mainstay_core::{
    alert::{AlertType, Severity},
    id::PlaybookId,
    playbook::suggestions,
    score::Band,
};
use mainstay_store::Member;
use serde::Deserialize;

use super::{PATH, filled::PlaybookForm};
use crate::{
    Error,
    web::{
        AdminSession, Form, FormError, PageError, PageResult, Path, Query, StaffSession,
        StaffShell, Web, show, show_with,
        staff::settings::{Frame, Tab, back},
    },
};

#[derive(Template)]
#[template(path = "settings/playbooks/edit.html")]
struct EditPage {
    shell: StaffShell,
    frame: Frame,
    /// `None` for a new one.
    id: Option<PlaybookId>,
    form: PlaybookForm,
    members: Vec<Member>,
    webhooks: Vec<(String, String)>,
    error: Option<FormError>,
}

impl EditPage {
    async fn new(
        web: &Web,
        session: &StaffSession,
        id: Option<PlaybookId>,
        form: PlaybookForm,
    ) -> Result<Self, PageError> {
        let frame = Frame::new(session, Tab::Playbooks);
        let members = web.mainstay.members_in(session.scope).await?;
        let webhooks = web.mainstay.webhooks(session.organization_id()).await?;
        let webhooks = webhooks.into_iter().map(|one| (one.id.to_string(), one.name)).collect();
        Ok(Self { shell: frame.shell.clone(), frame, id, form, members, webhooks, error: None })
    }

    fn action(&self) -> String {
        self.id.map_or_else(|| PATH.to_owned(), |id| format!("{PATH}/{id}"))
    }

    /// What is wrong besides the name, with which part of the form it is about.
    fn wrong(&self) -> Option<String> {
        let error = self.error.as_ref().filter(|error| error.field != "name")?;
        let part = match error.field.as_str() {
            "on" | "type" | "at_least" | "from" | "to" => "Trigger",
            field if field.starts_with("trigger") => "Trigger",
            _ => "Actions",
        };
        Some(format!("{part}. {}", error.message))
    }
}

/// Which suggestion to begin with.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SuggestionQuery {
    suggestion: String,
}

pub(super) async fn new(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Query(query): Query<SuggestionQuery>,
) -> PageResult {
    let suggested =
        query.suggestion.parse().ok().and_then(|at: usize| suggestions().into_iter().nth(at));
    let form =
        suggested.map_or_else(PlaybookForm::blank, |playbook| PlaybookForm::of(&playbook, true));
    show(&EditPage::new(&web, &session, None, form).await?)
}

pub(super) async fn create(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Form(fields): Form<Vec<(String, String)>>,
) -> PageResult {
    let form = PlaybookForm::from_fields(&fields);
    let created = match form.playbook() {
        Ok(playbook) => {
            web.mainstay.create_playbook(session.scope, playbook, form.enabled).await.map(drop)
        }
        Err(error) => Err(error),
    };
    saved_or_form(&web, &session, None, form, created).await
}

pub(super) async fn edit(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Path(id): Path<PlaybookId>,
) -> PageResult {
    let known = web.mainstay.playbook(session.scope, id).await.map_err(no_playbook)?;
    let form = PlaybookForm::of(&known.playbook, known.enabled);
    show(&EditPage::new(&web, &session, Some(id), form).await?)
}

pub(super) async fn save(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Path(id): Path<PlaybookId>,
    Form(fields): Form<Vec<(String, String)>>,
) -> PageResult {
    let form = PlaybookForm::from_fields(&fields);
    web.mainstay.playbook(session.scope, id).await.map_err(no_playbook)?;
    let changed = match form.playbook() {
        Ok(playbook) => {
            web.mainstay.change_playbook(session.scope, id, playbook, form.enabled).await.map(drop)
        }
        Err(error) => Err(error),
    };
    saved_or_form(&web, &session, Some(id), form, changed).await
}

async fn saved_or_form(
    web: &Web,
    session: &StaffSession,
    id: Option<PlaybookId>,
    form: PlaybookForm,
    done: Result<(), Error>,
) -> PageResult {
    match done {
        Ok(()) => Ok(back(PATH, "saved").into_response()),
        Err(error) => {
            let error = Some(FormError::of(error)?);
            let page = EditPage::new(web, session, id, form).await?;
            show_with(StatusCode::UNPROCESSABLE_ENTITY, &EditPage { error, ..page })
        }
    }
}

pub(super) fn no_playbook(error: Error) -> PageError {
    PageError::from(error).back("Back to playbooks", PATH)
}
