//! What a client does on its page: each action is a form, and leads back to the page.

use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect},
};
use mainstay_core::{
    engagement::{
        Authority, EventType, IncomingEvent, MAX_DATA_BYTES,
        segment::{ClientIdentity, IncomingMessage},
    },
    id::InsightId,
    insight::InsightStatus,
    score::FeedbackKind,
};
use mainstay_store::Scope;
use serde::Deserialize;

use super::{DASHBOARD, known};
use crate::{
    Error, Mainstay,
    client::FeedbackInput,
    engagement::{EventWriter, Source},
    web::{ClientSession, Form, PageError, PageResult, Path, Web},
};

/// What to do with an insight.
#[derive(Deserialize)]
pub(crate) struct InsightAction {
    action: String,
}

impl InsightAction {
    /// What becomes of the insight.
    pub(crate) fn status(&self) -> Result<InsightStatus, Error> {
        match self.action.as_str() {
            "mark-read" => Ok(InsightStatus::Read),
            "acted-on" => Ok(InsightStatus::ActedOn),
            "dismiss" => Ok(InsightStatus::Dismissed),
            other => Err(Error::invalid(
                "action",
                format!("unknown action {other:?}: use mark-read, acted-on or dismiss"),
            )),
        }
    }
}

pub(super) async fn act_on_insight(
    session: ClientSession,
    State(web): State<Web>,
    Path(insight): Path<InsightId>,
    Form(sent): Form<InsightAction>,
) -> PageResult {
    let status = sent.status()?;
    let (scope, client) = known(&session).ok_or_else(|| Error::no_client(&session.external_id))?;
    web.mainstay.set_insight_status(scope, Some(client.id), insight, status).await?;
    Ok(Redirect::to(&format!("{DASHBOARD}#ins-h")).into_response())
}

#[derive(Deserialize)]
pub(super) struct FeedbackFields {
    rating: String,
    #[serde(default)]
    comment: String,
}

pub(super) async fn give_feedback(
    session: ClientSession,
    State(web): State<Web>,
    Form(sent): Form<FeedbackFields>,
) -> PageResult {
    let rating = sent.rating.trim().parse().map_err(|_| {
        PageError::invalid("rating: choose a whole number from 1 to 5.")
            .back("Back to your page", DASHBOARD)
    })?;
    let given = FeedbackInput {
        kind: FeedbackKind::Stars,
        rating,
        comment: Some(sent.comment),
        given_at: None,
        self_told: true,
    };
    given.check().map_err(|error| PageError::from(error).back("Back to your page", DASHBOARD))?;
    let own = std::iter::once(session.external_id.as_str());
    web.writer.count_self_told(session.organization.id, own)?.keep();
    store_event(&web.mainstay, &web.writer, &session, rating).await?;
    // The event has made the client known, if it was not before.
    let scope = Scope::Service(session.organization.id);
    let client = web.mainstay.client(scope, &session.external_id).await?;
    web.mainstay.record_feedback(session.organization.id, &client, given).await?;
    Ok(Redirect::to(&format!("{DASHBOARD}?notice=feedback#feedback-h")).into_response())
}

/// Giving feedback is something that the client did.
async fn store_event(
    mainstay: &Mainstay,
    writer: &EventWriter,
    session: &ClientSession,
    rating: i64,
) -> Result<(), Error> {
    let event = IncomingEvent {
        client_id: session.external_id.clone(),
        name: EventType::FeedbackGiven.as_str().to_owned(),
        event_type: Some(EventType::FeedbackGiven),
        page_path: Some(DASHBOARD.to_owned()),
        data: [("rating".to_owned(), rating.into())].into_iter().collect(),
        ..IncomingEvent::default()
    };
    let organization = session.organization.id;
    let (events, refused) = mainstay.check_events(organization, vec![event]).await?;
    if let Some(refusal) = refused.into_iter().next() {
        return Err(refusal.error.into());
    }
    let now = mainstay.now();
    let said = events.into_iter().map(|event| {
        Authority::Client.limit(IncomingMessage::Event(event), (ClientIdentity::User, false), now)
    });
    let said = said.collect::<Result<Vec<IncomingMessage>, _>>()?;
    let admission = writer.admit(MAX_DATA_BYTES)?;
    writer.store(Source::vouched(organization), said, admission).await.map(drop)
}
