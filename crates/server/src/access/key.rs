//! Keys for programs.

use jiff::{SignedDuration, Timestamp};
use mainstay_core::id::{ApiKeyId, MemberId, OrganizationId};
use mainstay_store::{ApiKey, KeyKind, KeySource, NewApiKey, Scope, Tx, new_id};

use super::{Actor, hash_of, normal_email, prefix_of, random_secret};
use crate::{Error, Mainstay, Result};

/// Characters of a key that are stored in plain text to identify it: the kind and four more.
const PREFIX_CHARS: usize = 8;
/// Lifetime of a member's token: it acts for a person and is not monitored.
const MEMBER_TOKEN_TTL: SignedDuration = SignedDuration::from_hours(365 * 24);

/// The keys of a new organization, shown only once.
#[derive(Clone, Debug)]
pub struct NewKeys {
    /// `msk_…`.
    pub secret_key: String,
    /// `mwk_…`.
    pub write_key: String,
}

/// A newly created key, shown only once.
#[derive(Clone, Debug)]
pub struct CreatedKey {
    /// Its id, to revoke it by.
    pub id: ApiKeyId,
    /// Its text.
    pub key: String,
    /// What it opens.
    pub kind: KeyKind,
    /// Where it is used, for a write key.
    pub source: Option<KeySource>,
    /// When it expires; never if absent.
    pub expires_at: Option<Timestamp>,
}

async fn create_key(
    tx: &mut Tx,
    kind: KeyKind,
    member: Option<MemberId>,
    source: Option<KeySource>,
    now: Timestamp,
) -> Result<CreatedKey> {
    let key = format!("{}{}", prefix_of(kind), random_secret());
    let id: ApiKeyId = new_id(now);
    let expires_at = match kind {
        KeyKind::Member => now.checked_add(MEMBER_TOKEN_TTL).ok(),
        KeyKind::Secret | KeyKind::Write => None,
    };
    let prefix = key[..PREFIX_CHARS].to_owned();
    let new = NewApiKey { id, kind, hash: hash_of(&key), prefix, member, expires_at, source };
    tx.create_api_key(&new, now).await?;
    Ok(CreatedKey { id, key, kind, source, expires_at })
}

pub(crate) async fn create_first_keys(tx: &mut Tx, now: Timestamp) -> Result<NewKeys> {
    Ok(NewKeys {
        secret_key: create_key(tx, KeyKind::Secret, None, None, now).await?.key,
        write_key: create_key(tx, KeyKind::Write, None, Some(KeySource::Server), now).await?.key,
    })
}

impl Mainstay {
    /// Creates a key. Only a member's key needs the member's address. A write key is for servers.
    ///
    /// # Errors
    /// When the member is missing, unknown or superfluous, or outranks the caller.
    pub async fn create_key(
        &self,
        by: impl Into<Actor>,
        kind: KeyKind,
        member_email: Option<&str>,
    ) -> Result<CreatedKey> {
        self.create_key_for(by, kind, member_email, None).await
    }

    /// The same, with the source of a write key; other kinds have none.
    ///
    /// # Errors
    /// When the member or the source is missing, unknown or superfluous, or the member outranks the caller.
    pub async fn create_key_for(
        &self,
        by: impl Into<Actor>,
        kind: KeyKind,
        member_email: Option<&str>,
        source: Option<KeySource>,
    ) -> Result<CreatedKey> {
        let source = match (kind, source) {
            (KeyKind::Write, source) => Some(source.unwrap_or_default()),
            (_, None) => None,
            (_, Some(_)) => {
                return Err(Error::invalid(
                    "source",
                    format!("is not allowed for a {kind} key; omit it"),
                ));
            }
        };
        let by = by.into();
        let mut tx = self.store().begin(by.scope()).await?;
        let member = match (kind, member_email) {
            (KeyKind::Member, Some(email)) => {
                let email = normal_email(email);
                let members = tx.list_members().await?;
                let found = members.into_iter().find(|member| member.email == email);
                let member = found.ok_or(Error::NotFound {
                    what: "member",
                    id: email,
                    remedy: "add it first: mainstay member add, or POST /api/v1/members",
                })?;
                by.check_may_manage(member.role)?;
                Some(member.id)
            }
            (KeyKind::Member, None) => {
                return Err(Error::invalid(
                    "member",
                    "is missing; a member key needs a member's email address",
                ));
            }
            (_, Some(_)) => {
                return Err(Error::invalid(
                    "member",
                    format!("is not allowed for a {kind} key; omit it"),
                ));
            }
            (_, None) => None,
        };
        let created = create_key(&mut tx, kind, member, source, self.now()).await?;
        tx.commit().await?;
        let (organization, key) = (by.organization(), created.id);
        tracing::info!(%organization, %by, %key, %kind, ?member, "key created");
        Ok(created)
    }

    /// An organization's keys, newest first.
    pub async fn keys(&self, organization: OrganizationId) -> Result<Vec<ApiKey>> {
        self.keys_in(Scope::Service(organization)).await
    }

    /// The same, within a scope.
    pub async fn keys_in(&self, scope: Scope) -> Result<Vec<ApiKey>> {
        Ok(self.store().read(scope).await?.list_api_keys().await?)
    }

    /// Revokes a key, effective from the next request.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such open key; [`Error::Forbidden`] when it belongs to
    /// a member who outranks the caller.
    pub async fn revoke_key(&self, by: impl Into<Actor>, key: ApiKeyId) -> Result<()> {
        let by = by.into();
        let mut tx = self.store().begin(by.scope()).await?;
        let found = tx.list_api_keys().await?.into_iter().find(|one| one.id == key);
        if let Some(member) = found.and_then(|found| found.member) {
            by.check_may_manage(super::member::find_member(&mut tx, member).await?.role)?;
        }
        if !tx.revoke_api_key(key, self.now()).await? {
            return Err(Error::NotFound {
                what: "open key",
                id: key.to_string(),
                remedy: "GET /api/v1/keys lists all keys",
            });
        }
        tx.commit().await?;
        self.callers().clear();
        tracing::info!(organization = %by.organization(), %by, %key, "key revoked");
        Ok(())
    }
}
