use askama::Template;
use axum::{extract::State, http::StatusCode, response::IntoResponse as _};
use mainstay_core::id::ApiKeyId;
use mainstay_store::{ApiKey, KeyKind, Member};
use serde::Deserialize;

use super::{AskedDone, Done, Frame, Tab, back};
use crate::{
    access::CreatedKey,
    web::{
        AdminSession, Answer, Asked, FormError, InPath, PageError, Pages, Sent, StaffSession,
        StaffShell, Web, show, show_with,
    },
};

const PATH: &str = "/settings/keys";

pub(super) fn pages() -> Pages {
    Pages::new()
        .get(PATH, list)
        .post(PATH, create)
        .get("/settings/keys/{key_id}/revoke", ask_to_revoke)
        .post("/settings/keys/{key_id}/revoke", revoke)
        .get("/settings/keys/token-secret", ask_to_replace_secret)
        .post("/settings/keys/token-secret", replace_secret)
}

struct Listed {
    key: ApiKey,
    /// The name of the member whose it is.
    member: Option<String>,
}

#[derive(Template)]
#[template(path = "settings/keys.html")]
struct KeysPage {
    shell: StaffShell,
    frame: Frame,
    keys: Vec<Listed>,
    members: Vec<Member>,
    error: Option<FormError>,
}

impl KeysPage {
    async fn new(web: &Web, session: &StaffSession, done: &Done) -> Result<Self, PageError> {
        let frame = Frame::new(session, Tab::Keys).after(done);
        let members = web.mainstay.members_in(session.scope).await?;
        let name_of = |key: &ApiKey| {
            let member = members.iter().find(|member| Some(member.id) == key.member)?;
            Some(member.name.clone())
        };
        let keys = web.mainstay.keys_in(session.scope).await?.into_iter();
        let keys = keys.map(|key| Listed { member: name_of(&key), key }).collect();
        Ok(Self { shell: frame.shell.clone(), frame, keys, members, error: None })
    }
}

/// What a key opens, for people.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass by reference")]
const fn opens(kind: &KeyKind) -> &'static str {
    match kind {
        KeyKind::Secret => "Everything of this organization; for servers only",
        KeyKind::Write => "Sending events, nothing else; may be in an app",
        KeyKind::Member => "What one member may do",
    }
}

async fn list(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Asked(done): AskedDone,
) -> Answer {
    show(&KeysPage::new(&web, &session, &done).await?)
}

#[derive(Deserialize)]
struct NewKey {
    kind: KeyKind,
    /// The member's address, for a member's key.
    #[serde(default)]
    member: String,
}

#[derive(Template)]
#[template(path = "settings/key_created.html")]
struct CreatedPage {
    shell: StaffShell,
    frame: Frame,
    created: CreatedKey,
}

async fn create(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Sent(new): Sent<NewKey>,
) -> Answer {
    // The form has one field for the member, whatever the kind.
    let member = (new.kind == KeyKind::Member).then_some(new.member.as_str());
    match web.mainstay.create_key(session.organization_id(), new.kind, member).await {
        Ok(created) => {
            let frame = Frame::new(&session, Tab::Keys);
            show(&CreatedPage { shell: frame.shell.clone(), frame, created })
        }
        Err(error) => {
            let error = Some(FormError::of(error)?);
            let page = KeysPage::new(&web, &session, &Done::default()).await?;
            show_with(StatusCode::UNPROCESSABLE_ENTITY, &KeysPage { error, ..page })
        }
    }
}

#[derive(Template)]
#[template(path = "settings/key_revoke.html")]
struct RevokePage {
    shell: StaffShell,
    frame: Frame,
    key: ApiKey,
}

async fn ask_to_revoke(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    InPath(id): InPath<ApiKeyId>,
) -> Answer {
    let keys = web.mainstay.keys_in(session.scope).await?;
    let open = |key: &ApiKey| key.id == id && key.revoked_at.is_none();
    let key = keys.into_iter().find(open).ok_or_else(|| {
        PageError::not_found("There is no such key, or it is revoked already.")
            .back("Back to the keys", PATH)
    })?;
    let frame = Frame::new(&session, Tab::Keys);
    show(&RevokePage { shell: frame.shell.clone(), frame, key })
}

async fn revoke(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    InPath(id): InPath<ApiKeyId>,
) -> Answer {
    web.mainstay
        .revoke_key(session.organization_id(), id)
        .await
        .map_err(|error| PageError::from(error).back("Back to the keys", PATH))?;
    Ok(back(PATH, "revoked").into_response())
}

#[derive(Template)]
#[template(path = "settings/token_secret.html")]
struct SecretPage {
    shell: StaffShell,
    frame: Frame,
    /// The new secret, once it is replaced.
    secret: Option<String>,
}

async fn ask_to_replace_secret(AdminSession(session): AdminSession) -> Answer {
    let frame = Frame::new(&session, Tab::Keys);
    show(&SecretPage { shell: frame.shell.clone(), frame, secret: None })
}

async fn replace_secret(AdminSession(session): AdminSession, State(web): State<Web>) -> Answer {
    let secret = web.mainstay.replace_client_token_secret(session.organization_id()).await?;
    let frame = Frame::new(&session, Tab::Keys);
    show(&SecretPage { shell: frame.shell.clone(), frame, secret: Some(secret) })
}
