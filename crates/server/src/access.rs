//! Keys, members and tokens: who is asking.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use mainstay_core::id::{ApiKeyId, MemberId, OrganizationId};
use mainstay_store::{
    ApiKey, KeyKind, Member, MemberAccess, NewApiKey, NewMember, Organization, Role, Scope,
    StoreError, Tx, new_id,
};
use sha2::{Digest as _, Sha256};

use crate::{Error, Mainstay, Result, organization::check_name};

mod client_session;
mod client_token;
mod link;
mod password;
pub(crate) mod session;
mod sign_in;

pub use client_session::{ClientLink, ClientSignedIn, NewClientSession};
pub use client_token::{ClientClaims, sign_client_token};
pub use link::{LinkForm, OneTimeLink, OpenedLink};
pub use password::{MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS};
pub use session::SignedIn;
pub use sign_in::{Choice, SignIn};

/// Bytes of randomness in a key: twice the 128 bits that cannot be guessed.
const SECRET_BYTES: usize = 32;
/// Characters of a key that are kept in the clear to tell keys apart: the kind and four more.
const PREFIX_CHARS: usize = 8;

/// The SHA-256 of a key, by which it is known.
pub(crate) type KeyHash = [u8; 32];

/// Tells keys and tokens apart, for counting what comes with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallerKey(KeyHash);

impl CallerKey {
    /// Of a key or token as it was presented.
    pub fn of(credential: &str) -> Self {
        Self(hash_of(credential))
    }
}

/// Who is asking, and for which organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A secret key: everything of its organization.
    Secret(OrganizationId),
    /// A write key: sending events.
    Write(OrganizationId),
    /// A member.
    Member(OrganizationId, MemberId, Role),
    /// A client, by its `external_id`; it may not have sent an event yet.
    Client(OrganizationId, String),
}

impl Principal {
    /// The organization it belongs to.
    pub const fn organization(&self) -> OrganizationId {
        match self {
            Self::Secret(id) | Self::Write(id) | Self::Member(id, ..) | Self::Client(id, _) => *id,
        }
    }

    /// The member, for an alert's history.
    pub const fn member(&self) -> Option<MemberId> {
        match self {
            Self::Member(_, member, _) => Some(*member),
            _ => None,
        }
    }
}

/// The keys of a new organization, shown this once.
#[derive(Clone, Debug)]
pub struct NewKeys {
    /// `msk_…`.
    pub secret_key: String,
    /// `mwk_…`.
    pub write_key: String,
}

/// A key that was just made, shown this once.
#[derive(Clone, Debug)]
pub struct CreatedKey {
    /// Its id, to revoke it by.
    pub id: ApiKeyId,
    /// Its text.
    pub key: String,
    /// What it opens.
    pub kind: KeyKind,
}

/// Randomness from the operating system as text.
///
/// # Panics
/// When the operating system has none, where nothing secret could be made anyway.
pub(crate) fn random_secret() -> String {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}

fn hash_of(key: &str) -> KeyHash {
    Sha256::digest(key.as_bytes()).into()
}

const fn prefix_of(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Secret => "msk_",
        KeyKind::Write => "mwk_",
        KeyKind::Member => "mmt_",
    }
}

async fn create_key(
    tx: &mut Tx,
    kind: KeyKind,
    member: Option<MemberId>,
    now: Timestamp,
) -> Result<CreatedKey> {
    let key = format!("{}{}", prefix_of(kind), random_secret());
    let id: ApiKeyId = new_id(now);
    let new =
        NewApiKey { id, kind, hash: hash_of(&key), prefix: key[..PREFIX_CHARS].to_owned(), member };
    tx.create_api_key(&new, now).await?;
    Ok(CreatedKey { id, key, kind })
}

pub(crate) async fn create_first_keys(tx: &mut Tx, now: Timestamp) -> Result<NewKeys> {
    Ok(NewKeys {
        secret_key: create_key(tx, KeyKind::Secret, None, now).await?.key,
        write_key: create_key(tx, KeyKind::Write, None, now).await?.key,
    })
}

impl Mainstay {
    /// Makes a key. A member's key needs the member's address, the others have none.
    ///
    /// # Errors
    /// When the member is missing, unknown or superfluous.
    pub async fn create_key(
        &self,
        organization: OrganizationId,
        kind: KeyKind,
        member_email: Option<&str>,
    ) -> Result<CreatedKey> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let member = match (kind, member_email) {
            (KeyKind::Member, Some(email)) => {
                let email = normal_email(email);
                let members = tx.members().await?;
                Some(
                    members
                        .iter()
                        .find(|member| member.email == email)
                        .map(|member| member.id)
                        .ok_or(Error::NotFound {
                            what: "member",
                            id: email,
                            remedy: "add it first: mainstay member add, or POST /api/v1/members",
                        })?,
                )
            }
            (KeyKind::Member, None) => {
                return Err(Error::invalid(
                    "member",
                    "is missing; a member key needs a member's e-mail address",
                ));
            }
            (_, Some(_)) => {
                return Err(Error::invalid(
                    "member",
                    format!("does not go with a {kind} key; leave it out"),
                ));
            }
            (_, None) => None,
        };
        let created = create_key(&mut tx, kind, member, self.now()).await?;
        tx.commit().await?;
        Ok(created)
    }

    /// An organization's keys, newest first.
    pub async fn keys(&self, organization: OrganizationId) -> Result<Vec<ApiKey>> {
        self.keys_in(Scope::Service(organization)).await
    }

    /// The same as somebody sees them.
    pub async fn keys_in(&self, scope: Scope) -> Result<Vec<ApiKey>> {
        Ok(self.store().read(scope).await?.api_keys().await?)
    }

    /// Makes a key open nothing any more, from the next request on.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such open key.
    pub async fn revoke_key(&self, organization: OrganizationId, key: ApiKeyId) -> Result<()> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        if !tx.revoke_api_key(key, self.now()).await? {
            return Err(Error::NotFound {
                what: "open key",
                id: key.to_string(),
                remedy: "GET /api/v1/keys lists them with their ids",
            });
        }
        tx.commit().await?;
        self.callers().clear();
        Ok(())
    }

    /// Adds a member.
    ///
    /// # Errors
    /// When the address cannot be used or is a member's already.
    pub async fn add_member(
        &self,
        organization: OrganizationId,
        email: &str,
        name: Option<&str>,
        role: Role,
    ) -> Result<Member> {
        let email = normal_email(email);
        check_email(&email)?;
        let name = name.unwrap_or(&email);
        check_name("name", name)?;
        let now = self.now();
        let new = NewMember { id: new_id(now), email: email.clone(), name: name.to_owned(), role };
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        tx.create_member(&new, now).await.map_err(|error| match error {
            StoreError::Taken(_) => taken(&email),
            other => other.into(),
        })?;
        tx.commit().await?;
        Ok(Member { id: new.id, email: new.email, name: new.name, role, created_at: now })
    }

    /// An organization's members, by address.
    pub async fn members(&self, organization: OrganizationId) -> Result<Vec<Member>> {
        self.members_in(Scope::Service(organization)).await
    }

    /// The same as somebody sees them.
    pub async fn members_in(&self, scope: Scope) -> Result<Vec<Member>> {
        Ok(self.store().read(scope).await?.members().await?)
    }

    /// Removes a member, its keys and its sessions. The last owner stays: nobody could let it in again.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] for the last owner.
    pub async fn remove_member(
        &self,
        organization: OrganizationId,
        member: MemberId,
    ) -> Result<()> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        check_not_last_owner(&mut tx, member).await?;
        tx.delete_member(member).await?;
        tx.commit().await?;
        self.callers().clear();
        Ok(())
    }

    /// Changes what a member may do, and ends its sessions. The last owner stays owner.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] for the last owner.
    pub async fn set_role(
        &self,
        organization: OrganizationId,
        member: MemberId,
        role: Role,
    ) -> Result<()> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        if role == Role::Owner {
            find_member(&mut tx, member).await?;
        } else {
            check_not_last_owner(&mut tx, member).await?;
        }
        tx.set_member_role(member, role).await?;
        tx.delete_sessions_of(member, None).await?;
        tx.commit().await?;
        self.callers().clear();
        Ok(())
    }

    /// Changes what people call a member.
    ///
    /// # Errors
    /// When the name cannot be used or there is no such member.
    pub async fn rename_member(
        &self,
        organization: OrganizationId,
        member: MemberId,
        name: &str,
    ) -> Result<()> {
        check_name("name", name)?;
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        find_member(&mut tx, member).await?;
        tx.set_member_name(member, name).await?;
        tx.commit().await?;
        Ok(())
    }

    /// How each member gets in.
    pub async fn member_access(&self, organization: OrganizationId) -> Result<Vec<MemberAccess>> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        Ok(tx.member_access(self.now()).await?)
    }

    /// Finds out who presents a key or a client token. `None` when nobody does that we know. A key that
    /// another process revoked opens doors here for less than a second more.
    pub async fn authenticate(&self, credential: &str) -> Result<Option<Principal>> {
        let kinds = [KeyKind::Secret, KeyKind::Write, KeyKind::Member];
        if !kinds.into_iter().any(|kind| credential.starts_with(prefix_of(kind))) {
            return self.authenticate_client(credential).await;
        }
        let (hash, now) = (hash_of(credential), self.now());
        if let Some(known) = self.callers().get(&hash, now) {
            return Ok(known);
        }
        let mut tx = self.store().read(Scope::System).await?;
        let found = tx.find_api_key(hash).await?;
        let found = found.and_then(|key| match (key.kind, key.member) {
            (KeyKind::Secret, _) => Some(Principal::Secret(key.organization)),
            (KeyKind::Write, _) => Some(Principal::Write(key.organization)),
            (KeyKind::Member, Some((member, role))) => {
                Some(Principal::Member(key.organization, member, role))
            }
            (KeyKind::Member, None) => None,
        });
        if found.is_some() {
            // Not of one that is unknown: anybody could fill the memory with those.
            self.callers().keep(hash, found.clone(), now);
        }
        Ok(found)
    }

    async fn authenticate_client(&self, token: &str) -> Result<Option<Principal>> {
        let verified = self.verify_client_token(token, &[client_token::Use::Token]).await?;
        Ok(verified.map(|(organization, claims)| Principal::Client(organization.id, claims.sub)))
    }

    /// Replaces the secret that signs an organization's client tokens. Tokens, links and sessions of
    /// clients that were signed with the old one are worth nothing from then on. Answers the new one,
    /// which is shown this once.
    pub async fn replace_client_token_secret(
        &self,
        organization: OrganizationId,
    ) -> Result<String> {
        let secret = random_secret();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        tx.set_client_token_secret(&secret, self.now()).await?;
        tx.commit().await?;
        Ok(secret)
    }

    /// The secret that signs an organization's client tokens.
    pub async fn client_token_secret(&self, organization: &Organization) -> Result<String> {
        let mut tx = self.store().read(Scope::Service(organization.id)).await?;
        Ok(tx.client_token_secret().await?)
    }
}

/// An address as it is stored and looked up.
pub(crate) fn normal_email(email: &str) -> String {
    email.trim().to_lowercase()
}

fn taken(email: &str) -> Error {
    Error::Conflict(format!("email: {email} is a member of this organization already"))
}

/// Refuses to take the only owner away, while nobody else changes roles.
async fn check_not_last_owner(tx: &mut Tx, member: MemberId) -> Result<()> {
    tx.lock_roles().await?;
    let owner = find_member(tx, member).await?.role == Role::Owner;
    let owners = tx.members().await?.iter().filter(|one| one.role == Role::Owner).count();
    if owner && owners == 1 {
        return Err(Error::Conflict(
            "this is the organization's only owner; make another member owner first".to_owned(),
        ));
    }
    Ok(())
}

async fn find_member(tx: &mut Tx, member: MemberId) -> Result<Member> {
    let members = tx.members().await?;
    members.into_iter().find(|one| one.id == member).ok_or_else(|| Error::NotFound {
        what: "member",
        id: member.to_string(),
        remedy: "GET /api/v1/members lists them with their ids",
    })
}

pub(crate) fn check_email(email: &str) -> Result<()> {
    // What a mail server accepts is its business; this only catches what cannot be an address.
    let well_formed = email.len() <= 254
        && email.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
        })
        && !email.contains(|c: char| c.is_whitespace() || c.is_control());
    if well_formed {
        Ok(())
    } else {
        Err(Error::invalid(
            "email",
            format!(
                "{email:?} is not an e-mail address; send one like ada@example.com, at most 254 characters"
            ),
        ))
    }
}
