use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse as _,
};
use mainstay_core::id::ApiKeyId;
use mainstay_store::{ApiKey, KeyKind, KeySource, Member};
use serde::Deserialize;

use super::{DoneParams, DoneQuery, Frame, Tab, back};
use crate::web::{
    AdminSession, Confirmed, FormError, PageError, PageResult, Pages, Path, Query, Sensitive,
    StaffSession, StaffShell, Web,
    session::once::{clear_once, read_once, show_once},
    show, show_with,
};

const PATH: &str = "/settings/keys";
const SECRET_PATH: &str = "/settings/keys/token-secret";

pub(super) fn pages() -> Pages {
    Pages::new()
        .get(PATH, list)
        .post(PATH, create)
        .get("/settings/keys/{key_id}/revoke", ask_to_revoke)
        .post("/settings/keys/{key_id}/revoke", revoke)
        .get(SECRET_PATH, ask_to_replace_secret)
        .post(SECRET_PATH, replace_secret)
}

struct Listed {
    key: ApiKey,
    /// The name of the member whose it is.
    member: Option<String>,
    /// Whether the signed-in member may revoke it.
    manageable: bool,
    expired: bool,
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
    async fn new(web: &Web, session: &StaffSession, done: &DoneParams) -> Result<Self, PageError> {
        let frame = Frame::new(session, Tab::Keys).after(done);
        let members = web.mainstay.members_in(session.scope).await?;
        let name_of = |key: &ApiKey| {
            let member = members.iter().find(|member| Some(member.id) == key.member)?;
            Some(member.name.clone())
        };
        // Members create and revoke keys of their own role or a lower one.
        let manageable: Vec<Member> = members
            .iter()
            .filter(|member| session.member.role.may_manage(member.role))
            .cloned()
            .collect();
        let is_manageable = |key: &ApiKey| {
            key.member.is_none_or(|member| manageable.iter().any(|one| one.id == member))
        };
        let now = web.mainstay.now();
        let keys = web.mainstay.keys_in(session.scope).await?.into_iter();
        let keys = keys
            .map(|key| Listed {
                member: name_of(&key),
                manageable: is_manageable(&key),
                expired: key.expires_at.is_some_and(|at| at <= now),
                key,
            })
            .collect();
        let members = manageable;
        Ok(Self { shell: frame.shell.clone(), frame, keys, members, error: None })
    }
}

/// What a key opens, for people.
fn opens(kind: KeyKind, source: Option<KeySource>) -> &'static str {
    match (kind, source) {
        (KeyKind::Secret, _) => SECRET,
        (KeyKind::Write, Some(KeySource::Browser)) => BROWSER,
        (KeyKind::Write, _) => WRITE,
        (KeyKind::Member, _) => MEMBER,
    }
}

const SECRET: &str = "Everything in this organization; for servers only";
const WRITE: &str = "Sending events from your servers";
const BROWSER: &str =
    "Sending events from pages and apps; high-value events count as activity only";
const MEMBER: &str = "Everything that one member may do";

async fn list(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    headers: HeaderMap,
    Query(done): DoneQuery,
) -> PageResult {
    let kept = read_once(&web, &headers);
    let Some(key) = web.mainstay.valid_key_of(session.organization_id(), kept).await? else {
        return show(&KeysPage::new(&web, &session, &done).await?);
    };
    let frame = Frame::new(&session, Tab::Keys);
    let keys = web.mainstay.keys_in(session.scope).await?;
    let made = keys.iter().find(|one| key.starts_with(&one.prefix));
    let opens = made.map_or(WRITE, |one| opens(one.kind, one.source));
    let page = show(&CreatedPage { shell: frame.shell.clone(), frame, key, opens })?;
    Ok(clear_once(&web, &headers, page))
}

/// What the form lets people choose.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NewKind {
    Write,
    Browser,
    Secret,
    Member,
}

#[derive(Deserialize)]
struct NewKey {
    kind: NewKind,
    /// The member's address, for a member's key.
    #[serde(default)]
    member: String,
}

impl Sensitive for NewKey {
    const PAGE: &'static str = PATH;
}

#[derive(Template)]
#[template(path = "settings/key_created.html")]
struct CreatedPage {
    shell: StaffShell,
    frame: Frame,
    key: String,
    opens: &'static str,
}

async fn create(
    State(web): State<Web>,
    headers: HeaderMap,
    Confirmed(session, new): Confirmed<NewKey>,
) -> PageResult {
    let (kind, source) = match new.kind {
        NewKind::Write => (KeyKind::Write, Some(KeySource::Server)),
        NewKind::Browser => (KeyKind::Write, Some(KeySource::Browser)),
        NewKind::Secret => (KeyKind::Secret, None),
        NewKind::Member => (KeyKind::Member, None),
    };
    // The form has one field for the member, whatever the kind.
    let member = (kind == KeyKind::Member).then_some(new.member.as_str());
    match web.mainstay.create_key_for(session.actor(), kind, member, source).await {
        Ok(created) => Ok(show_once(&web, &headers, &created.key, PATH)),
        Err(error) => {
            let error = Some(FormError::of(error)?);
            let page = KeysPage::new(&web, &session, &DoneParams::default()).await?;
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
    Path(id): Path<ApiKeyId>,
) -> PageResult {
    let keys = web.mainstay.keys_in(session.scope).await?;
    let open = |key: &ApiKey| key.id == id && key.revoked_at.is_none();
    let key = keys.into_iter().find(open).ok_or_else(|| {
        PageError::not_found("The key does not exist or is already revoked.")
            .back("Back to keys", PATH)
    })?;
    let frame = Frame::new(&session, Tab::Keys);
    show(&RevokePage { shell: frame.shell.clone(), frame, key })
}

async fn revoke(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Path(id): Path<ApiKeyId>,
) -> PageResult {
    web.mainstay
        .revoke_key(session.actor(), id)
        .await
        .map_err(|error| PageError::from(error).back("Back to keys", PATH))?;
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

async fn ask_to_replace_secret(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    headers: HeaderMap,
) -> PageResult {
    let secret = match read_once(&web, &headers) {
        // Only what is in force: anything else was not made here.
        Some(kept) => {
            let in_force = web.mainstay.client_token_secret(&session.organization).await?;
            Some(kept).filter(|kept| *kept == in_force)
        }
        None => None,
    };
    let shown = secret.is_some();
    let frame = Frame::new(&session, Tab::Keys);
    let page = show(&SecretPage { shell: frame.shell.clone(), frame, secret })?;
    Ok(if shown { clear_once(&web, &headers, page) } else { page })
}

/// A form without fields.
#[derive(Deserialize)]
struct NewSecret {}

impl Sensitive for NewSecret {
    const PAGE: &'static str = SECRET_PATH;
}

async fn replace_secret(
    State(web): State<Web>,
    headers: HeaderMap,
    Confirmed(session, _): Confirmed<NewSecret>,
) -> PageResult {
    let secret = web.mainstay.replace_client_token_secret(session.actor()).await?;
    Ok(show_once(&web, &headers, &secret, SECRET_PATH))
}
