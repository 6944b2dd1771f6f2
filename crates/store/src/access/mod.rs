pub(super) mod client_lockout;
pub(super) mod sign_in;
pub(super) mod sign_in_failure;

use jiff::Timestamp;
use mainstay_core::{
    id::{ApiKeyId, MemberId, OrganizationId},
    member::Role,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Result, StoreError, Tx,
    db::{
        dialect::{Instant, execute, fetch_all, fetch_optional},
        name::{self, names},
    },
};

/// What a key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// `msk_…`: everything of one organization.
    Secret,
    /// `mwk_…`: sending events, nothing else.
    Write,
    /// `mmt_…`: what one member may do.
    Member,
}

/// Where a write key is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// By the organization's servers, which nobody else can read.
    #[default]
    Server,
    /// In web pages and apps, where anybody can read it: what it sends is self-told.
    Browser,
}

names!(KeyKind, "kind of key", Secret => "secret", Write => "write", Member => "member");
names!(KeySource, "source", Server => "server", Browser => "browser");

/// A user of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: MemberId,
    /// Unique in the organization, lower case.
    pub email: String,
    /// Display name.
    pub name: String,
    /// Permissions.
    pub role: Role,
    /// Since when.
    pub created_at: Timestamp,
}

/// A new member.
#[derive(Clone, Debug)]
pub struct NewMember {
    /// Its id.
    pub id: MemberId,
    /// Its address, lower case.
    pub email: String,
    /// Display name.
    pub name: String,
    /// Permissions.
    pub role: Role,
}

/// A key as people may see it: never its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Target of the button.
    pub kind: KeyKind,
    /// Its first characters.
    pub prefix: String,
    /// Member, for a member's key.
    pub member: Option<MemberId>,
    /// Where it is used, for a write key.
    pub source: Option<KeySource>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when it opens anything; for ever when absent.
    pub expires_at: Option<Timestamp>,
    /// Since when it opens nothing any more.
    pub revoked_at: Option<Timestamp>,
}

/// A new API key.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Target of the button.
    pub kind: KeyKind,
    /// SHA-256 of its text.
    pub hash: [u8; 32],
    /// Its first characters.
    pub prefix: String,
    /// Member, for a member's key.
    pub member: Option<MemberId>,
    /// Where it is used, for a write key.
    pub source: Option<KeySource>,
    /// Until when it opens anything; for ever when absent.
    pub expires_at: Option<Timestamp>,
}

/// Owner of an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundKey {
    /// The organization.
    pub organization: OrganizationId,
    /// Target of the button.
    pub kind: KeyKind,
    /// The member and its role, for a member's key.
    pub member: Option<(MemberId, Role)>,
    /// Where it is used, for a write key.
    pub source: KeySource,
    /// Until when it opens anything; for ever when absent.
    pub expires_at: Option<Timestamp>,
}

#[derive(sqlx_macros::FromRow)]
pub(crate) struct MemberRow {
    id: Uuid,
    email: String,
    name: String,
    role: String,
    created_at: Instant,
}

impl TryFrom<MemberRow> for Member {
    type Error = StoreError;
    fn try_from(row: MemberRow) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            email: row.email,
            name: row.name,
            role: name::MEMBER_ROLE.read(&row.role)?,
            created_at: row.created_at.0,
        })
    }
}

/// Where a key is used, if it is a write key. Those made before there was a choice are servers'.
fn source_of(kind: KeyKind, source: Option<&str>) -> Result<Option<KeySource>> {
    match (kind, source) {
        (KeyKind::Write, Some(source)) => name::KEY_SOURCE.read(source).map(Some),
        (KeyKind::Write, None) => Ok(Some(KeySource::Server)),
        (KeyKind::Secret | KeyKind::Member, _) => Ok(None),
    }
}

impl Tx {
    /// Adds a member.
    ///
    /// # Errors
    /// [`crate::StoreError::Taken`] when the organization has the address already.
    pub async fn create_member(&mut self, new: &NewMember, now: Timestamp) -> Result<()> {
        execute!(
            self,
            "INSERT INTO members (organization_id, id, email, name, role, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            self.scope.organization_uuid(),
            new.id.uuid(),
            &new.email,
            &new.name,
            new.role.as_str(),
            Instant(now),
        )
        .map_err(|error| error.or_taken("email"))?;
        Ok(())
    }

    /// The organization's members, by address.
    pub async fn list_members(&mut self) -> Result<Vec<Member>> {
        let rows = fetch_all!(
            self,
            MemberRow,
            "SELECT id, email, name, role, created_at FROM members \
             WHERE organization_id = $1 ORDER BY email",
            self.scope.organization_uuid()
        )?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Removes a member and its keys; false when there is none.
    pub async fn delete_member(&mut self, member: MemberId) -> Result<bool> {
        self.release_clients(member).await?;
        let deleted = execute!(
            self,
            "DELETE FROM members WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            member.uuid()
        )?;
        Ok(deleted > 0)
    }

    /// Keeps a key's hash.
    pub async fn create_api_key(&mut self, new: &NewApiKey, now: Timestamp) -> Result<()> {
        execute!(
            self,
            "INSERT INTO api_keys \
             (organization_id, id, kind, member_id, hash, prefix, created_at, source, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            self.scope.organization_uuid(),
            new.id.uuid(),
            new.kind.as_str(),
            new.member.map(MemberId::uuid),
            new.hash.as_slice(),
            &new.prefix,
            Instant(now),
            new.source.map(KeySource::as_str),
            new.expires_at.map(Instant),
        )?;
        Ok(())
    }

    /// The organization's keys, newest first.
    pub async fn list_api_keys(&mut self) -> Result<Vec<ApiKey>> {
        #[derive(sqlx_macros::FromRow)]
        struct Row {
            id: Uuid,
            kind: String,
            prefix: String,
            member_id: Option<Uuid>,
            source: Option<String>,
            created_at: Instant,
            expires_at: Option<Instant>,
            revoked_at: Option<Instant>,
        }
        let rows = fetch_all!(
            self,
            Row,
            "SELECT id, kind, prefix, member_id, source, created_at, expires_at, revoked_at FROM api_keys \
             WHERE organization_id = $1 ORDER BY id DESC",
            self.scope.organization_uuid()
        )?;
        rows.into_iter()
            .map(|row| {
                let kind = name::KEY_KIND.read(&row.kind)?;
                Ok(ApiKey {
                    id: row.id.into(),
                    kind,
                    prefix: row.prefix,
                    member: row.member_id.map(Into::into),
                    source: source_of(kind, row.source.as_deref())?,
                    created_at: row.created_at.0,
                    expires_at: row.expires_at.map(|at| at.0),
                    revoked_at: row.revoked_at.map(|at| at.0),
                })
            })
            .collect()
    }

    /// Makes a key open nothing any more; false when there is no such open key.
    pub async fn revoke_api_key(&mut self, key: ApiKeyId, now: Timestamp) -> Result<bool> {
        let revoked = execute!(
            self,
            "UPDATE api_keys SET revoked_at = $3 \
             WHERE organization_id = $1 AND id = $2 AND revoked_at IS NULL",
            self.scope.organization_uuid(),
            key.uuid(),
            Instant(now)
        )?;
        Ok(revoked > 0)
    }

    /// Revokes all keys of a member; returns how many were open.
    pub async fn revoke_member_keys(&mut self, member: MemberId, now: Timestamp) -> Result<u64> {
        execute!(
            self,
            "UPDATE api_keys SET revoked_at = $3 \
             WHERE organization_id = $1 AND member_id = $2 AND revoked_at IS NULL",
            self.scope.organization_uuid(),
            member.uuid(),
            Instant(now)
        )
    }

    /// Whom the key with this SHA-256 speaks for, unless it is revoked; whether it has expired is for
    /// the caller to say. System scope.
    pub async fn find_api_key(&mut self, hash: [u8; 32]) -> Result<Option<FoundKey>> {
        let row = fetch_optional!(
            self,
            (Uuid, String, Option<Uuid>, Option<String>, Option<String>, Option<Instant>),
            "SELECT k.organization_id, k.kind, k.member_id, m.role, k.source, k.expires_at \
             FROM api_keys k \
             LEFT JOIN members m ON m.organization_id = k.organization_id AND m.id = k.member_id \
             WHERE k.hash = $1 AND k.revoked_at IS NULL",
            hash.as_slice()
        )?;
        let Some((organization, kind, member, role, source, expires_at)) = row else {
            return Ok(None);
        };
        let kind = name::KEY_KIND.read(&kind)?;
        let role = role.map(|role| name::MEMBER_ROLE.read(&role)).transpose()?;
        Ok(Some(FoundKey {
            organization: organization.into(),
            kind,
            member: member.map(Into::into).zip(role),
            source: source_of(kind, source.as_deref())?.unwrap_or_default(),
            expires_at: expires_at.map(|at| at.0),
        }))
    }
}
