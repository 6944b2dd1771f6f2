//! Authentication: keys, members and tokens.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use mainstay_core::{
    id::{MemberId, OrganizationId},
    member::Role,
};
use mainstay_store::{KeyKind, KeySource, Organization, Scope};
use sha2::{Digest as _, Sha256};

use crate::{Error, Mainstay, Result};

mod actor;
mod badge;
mod client_session;
mod client_token;
mod key;
mod link;
mod member;
mod method;
mod password;
pub(crate) mod session;
mod sign_in;

pub use actor::Actor;
pub use badge::{Badge, BadgeToken};
pub use client_session::{ClientLink, NewClientSession, SignedInClient};
pub use client_token::{ClientClaims, MAX_BADGE_TTL, sign_client_token};
pub(crate) use key::create_first_keys;
pub use key::{CreatedKey, NewKeys};
pub use link::{LinkForm, OneTimeLink, OpenedLink};
pub(crate) use method::check_method;
pub use password::{MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS};
pub use session::SignedInMember;
pub(crate) use sign_in::MIN_FAILURES;
pub use sign_in::{OrganizationChoice, SignInOutcome};

/// Bytes of randomness in a key: twice the 128 bits that are considered safe.
const SECRET_BYTES: usize = 32;

/// The SHA-256 of a key, which identifies it.
pub(crate) type KeyHash = [u8; 32];

/// Identifies a key or token, to count its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallerKey(KeyHash);

impl CallerKey {
    /// The key of a presented key or token.
    pub fn from_credential(credential: &str) -> Self {
        Self(hash_of(credential))
    }

    /// The hash of the key.
    pub(crate) const fn hash(&self) -> &KeyHash {
        &self.0
    }
}

/// The authenticated caller and its organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A secret key: full access to its organization.
    Secret(OrganizationId),
    /// A write key: sends events, from servers or browsers.
    Write(OrganizationId, KeySource),
    /// A member.
    Member(OrganizationId, MemberId, Role),
    /// A client, by its `external_id`; it may not exist yet.
    Client(OrganizationId, String),
}

/// For the log: the kind and ids, which identify nobody to outsiders. A client's own id may be an
/// e-mail address and is omitted.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(organization) => write!(f, "secret key of {organization}"),
            Self::Write(organization, _) => write!(f, "write key of {organization}"),
            Self::Member(organization, member, role) => {
                write!(f, "{role} {member} of {organization}")
            }
            Self::Client(organization, _) => write!(f, "a client of {organization}"),
        }
    }
}

impl Principal {
    /// The organization it belongs to.
    pub const fn organization(&self) -> OrganizationId {
        match self {
            Self::Secret(id) | Self::Write(id, _) | Self::Member(id, ..) | Self::Client(id, _) => {
                *id
            }
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

/// A random string from the operating system.
///
/// # Panics
/// If the operating system provides no randomness, in which case no secret could be created anyway.
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

impl Mainstay {
    /// Authenticates a key or a client token; `None` if it is unknown. A key that another process
    /// revoked stays valid here for less than a second.
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
        let found = found.filter(|key| key.expires_at.is_none_or(|at| now < at));
        let found = found.and_then(|key| match (key.kind, key.member) {
            (KeyKind::Secret, _) => Some(Principal::Secret(key.organization)),
            (KeyKind::Write, _) => Some(Principal::Write(key.organization, key.source)),
            (KeyKind::Member, Some((member, role))) => {
                Some(Principal::Member(key.organization, member, role))
            }
            (KeyKind::Member, None) => None,
        });
        if found.is_some() {
            // Not of one that is unknown: anybody could fill the memory with those.
            self.callers().insert(hash, found.clone(), now);
        }
        Ok(found)
    }

    async fn authenticate_client(&self, token: &str) -> Result<Option<Principal>> {
        let verified = self.verify_client_token(token, &[client_token::TokenUse::Token]).await?;
        Ok(verified.map(|(organization, claims)| Principal::Client(organization.id, claims.sub)))
    }

    /// A key, if it is valid and belongs to the organization: a browser may have stored the key of
    /// another one.
    pub(crate) async fn valid_key_of(
        &self,
        organization: OrganizationId,
        kept: Option<String>,
    ) -> Result<Option<String>> {
        let Some(key) = kept else { return Ok(None) };
        let principal = self.authenticate(&key).await?;
        Ok(principal.filter(|it| it.organization() == organization).map(|_| key))
    }

    /// Replaces the secret that signs an organization's client tokens. Clients' tokens, links and
    /// sessions signed with the old secret become invalid. Returns the new one, which is shown only
    /// once.
    pub async fn replace_client_token_secret(&self, by: impl Into<Actor>) -> Result<String> {
        let by = by.into();
        let secret = random_secret();
        let mut tx = self.store().begin(by.scope()).await?;
        tx.set_client_token_secret(&secret, self.now()).await?;
        tx.commit().await?;
        tracing::info!(organization = %by.organization(), %by, "token secret replaced");
        self.hub().notify_sessions_changed();
        Ok(secret)
    }

    /// The secret that signs an organization's client tokens.
    pub async fn client_token_secret(&self, organization: &Organization) -> Result<String> {
        let mut tx = self.store().read(Scope::Service(organization.id)).await?;
        Ok(tx.get_client_token_secret().await?)
    }
}

/// An address as it is stored and looked up.
pub(crate) fn normal_email(email: &str) -> String {
    email.trim().to_lowercase()
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
                "{email:?} is not an email address; send one like ada@example.com, at most 254 characters"
            ),
        ))
    }
}
