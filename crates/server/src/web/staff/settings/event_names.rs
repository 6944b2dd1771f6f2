use askama::Template;
use axum::{extract::State, http::StatusCode, response::IntoResponse as _};
use mainstay_core::{engagement::EventType, text::count_noun};
use mainstay_store::{EventName, SeenName};
use serde::Deserialize;

use super::{DoneParams, DoneQuery, Frame, Tab, back};
use crate::{
    Error,
    web::{
        AdminSession, Form, FormError, PageError, PageResult, Pages, Query, StaffSession,
        StaffShell, Web, show, show_with,
    },
};

const PATH: &str = "/settings/event-names";

pub(super) fn pages() -> Pages {
    Pages::new().get(PATH, list).post(PATH, map).post("/settings/event-names/remove", remove)
}

#[derive(Template)]
#[template(path = "settings/event_names.html")]
struct EventNamesPage {
    shell: StaffShell,
    frame: Frame,
    names: Vec<EventName>,
    seen: Vec<SeenName>,
    name: String,
    error: Option<FormError>,
}

impl EventNamesPage {
    async fn new(web: &Web, session: &StaffSession, done: &DoneParams) -> Result<Self, PageError> {
        let frame = Frame::new(session, Tab::EventNames).after(done);
        Ok(Self {
            shell: frame.shell.clone(),
            frame,
            names: web.mainstay.event_names(session.scope).await?,
            seen: web.mainstay.unmapped_names(session.scope).await?,
            name: String::new(),
            error: None,
        })
    }
}

async fn list(session: StaffSession, State(web): State<Web>, Query(done): DoneQuery) -> PageResult {
    show(&EventNamesPage::new(&web, &session, &done).await?)
}

#[derive(Deserialize)]
struct Mapping {
    name: String,
    #[serde(rename = "type")]
    event_type: String,
}

async fn map(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Form(mapping): Form<Mapping>,
) -> PageResult {
    let known = EventType::ALL.into_iter().find(|one| one.as_str() == mapping.event_type);
    let mapped = match known {
        Some(event_type) => {
            let name = EventName { name: mapping.name.clone(), event_type };
            web.mainstay.set_event_names(session.scope, &[name]).await
        }
        None => Err(Error::invalid("type", "is not an event type; choose one from the list")),
    };
    match mapped {
        Ok(()) => Ok(back(PATH, "mapped").into_response()),
        Err(error) => {
            let error = Some(FormError::of(error)?);
            let page = EventNamesPage::new(&web, &session, &DoneParams::default()).await?;
            let page = EventNamesPage { name: mapping.name, error, ..page };
            show_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

#[derive(Deserialize)]
struct EventNameForm {
    name: String,
}

async fn remove(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Form(form): Form<EventNameForm>,
) -> PageResult {
    web.mainstay
        .delete_event_name(session.scope, &form.name)
        .await
        .map_err(|error| PageError::from(error).back("Back to event names", PATH))?;
    Ok(back(PATH, "unmapped").into_response())
}
