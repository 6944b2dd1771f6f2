use jiff::Timestamp;
use mainstay_core::id::{MemberId, OrganizationId};
use uuid::Uuid;

use crate::{
    Member, Result, Role, SignInFailures, Tx,
    access::MemberRow,
    db::{
        dialect::{Instant, execute, fetch_all, fetch_one, fetch_optional},
        name::{self, names},
        secret_rows::CLIENT_TOKEN,
    },
};

/// A member's password as it is kept, with whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPassword {
    /// The organization.
    pub organization: OrganizationId,
    /// The member.
    pub member: MemberId,
    /// Argon2id as a PHC string.
    pub hash: String,
}

/// Somebody who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSession {
    /// The organization.
    pub organization: OrganizationId,
    /// Member.
    pub member: Member,
    /// Time.
    pub created_at: Timestamp,
    /// The last use that was noted.
    pub used_at: Timestamp,
    /// When the member last showed by its password that it is the one: by signing in, or since.
    pub confirmed_at: Timestamp,
    /// Wrong passwords that were tried for the member and that it has not confirmed to know of.
    pub failures: Option<SignInFailures>,
}

/// A session, as its member sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberSession {
    /// SHA-256 of its token, which is its id.
    pub hash: [u8; 32],
    /// Start.
    pub created_at: Timestamp,
    /// The last use that was noted.
    pub used_at: Timestamp,
}

/// What a one-time link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// Makes the first owner of an organization.
    Setup,
    /// Lets a new member choose a password.
    Invitation,
    /// Lets a member choose a new password.
    Reset,
    /// Stands for a password that was right for several organizations, until one is chosen.
    Choice,
}

names!(
    LinkKind, "kind of link",
    Setup => "setup", Invitation => "invitation", Reset => "reset", Choice => "choice"
);

/// A new one-time link.
#[derive(Clone, Debug)]
pub struct NewSignInLink {
    /// SHA-256 of its secret.
    pub hash: [u8; 32],
    /// Purpose.
    pub kind: LinkKind,
    /// Whom it lets in; nobody yet for [`LinkKind::Setup`].
    pub member: Option<MemberId>,
    /// Until when.
    pub expires_at: Timestamp,
}

/// A one-time link that somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInLink {
    /// The organization.
    pub organization: OrganizationId,
    /// Purpose.
    pub kind: LinkKind,
    /// Member whom the link signs in.
    pub member: Option<MemberId>,
    /// Until when.
    pub expires_at: Timestamp,
    /// When it was used; it cannot be used again.
    pub used_at: Option<Timestamp>,
}

/// How a member gets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberAccess {
    /// Member.
    pub member: MemberId,
    /// Whether a password is set.
    pub password: bool,
    /// Until when an invitation can be used that has not been.
    pub invited_until: Option<Timestamp>,
}

impl Tx {
    /// Keeps a member's password, in place of an earlier one.
    pub async fn set_password(
        &mut self,
        member: MemberId,
        hash: &str,
        now: Timestamp,
    ) -> Result<()> {
        execute!(
            self,
            "INSERT INTO member_passwords (organization_id, member_id, hash, changed_at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (organization_id, member_id) \
             DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at",
            self.scope.organization_uuid(),
            member.uuid(),
            hash,
            Instant(now),
        )?;
        Ok(())
    }

    /// A member's password as it is kept.
    pub async fn find_password_hash(&mut self, member: MemberId) -> Result<Option<String>> {
        let row = fetch_optional!(
            self,
            (String,),
            "SELECT hash FROM member_passwords WHERE organization_id = $1 AND member_id = $2",
            self.scope.organization_uuid(),
            member.uuid()
        )?;
        Ok(row.map(|(hash,)| hash))
    }

    /// The passwords of all members with an address, whatever their organization. System scope.
    pub async fn list_passwords_of(&mut self, email: &str) -> Result<Vec<FoundPassword>> {
        let rows = fetch_all!(
            self,
            (Uuid, Uuid, String),
            "SELECT m.organization_id, m.id, p.hash FROM members m \
             JOIN member_passwords p ON p.organization_id = m.organization_id AND p.member_id = m.id \
             WHERE m.email = $1 ORDER BY m.organization_id",
            email
        )?;
        Ok(rows
            .into_iter()
            .map(|(organization, member, hash)| FoundPassword {
                organization: organization.into(),
                member: member.into(),
                hash,
            })
            .collect())
    }

    /// Every organization with a member of an address, with that member. System scope.
    pub async fn list_members_with(
        &mut self,
        email: &str,
    ) -> Result<Vec<(OrganizationId, MemberId)>> {
        let rows = fetch_all!(
            self,
            (Uuid, Uuid),
            "SELECT organization_id, id FROM members WHERE email = $1 ORDER BY organization_id",
            email
        )?;
        Ok(rows.into_iter().map(|(organization, id)| (organization.into(), id.into())).collect())
    }

    /// Keeps a session of a member.
    pub async fn create_session(
        &mut self,
        hash: [u8; 32],
        member: MemberId,
        now: Timestamp,
    ) -> Result<()> {
        execute!(
            self,
            "INSERT INTO sessions (organization_id, hash, member_id, created_at, used_at) \
             VALUES ($1, $2, $3, $4, $4)",
            self.scope.organization_uuid(),
            hash.as_slice(),
            member.uuid(),
            Instant(now),
        )?;
        Ok(())
    }

    /// Whose session this is. System scope.
    pub async fn find_session(&mut self, hash: [u8; 32]) -> Result<Option<FoundSession>> {
        #[derive(sqlx_macros::FromRow)]
        struct Row {
            organization_id: Uuid,
            #[sqlx(flatten)]
            member: MemberRow,
            signed_in_at: Instant,
            used_at: Instant,
            confirmed_at: Instant,
            failures: Option<i64>,
            failing_since: Option<Instant>,
            failed_at: Option<Instant>,
        }
        let row = fetch_optional!(
            self,
            Row,
            "SELECT s.organization_id, m.id, m.email, m.name, m.role, m.created_at, \
             s.created_at AS signed_in_at, s.used_at, \
             COALESCE(s.confirmed_at, s.created_at) AS confirmed_at, \
             f.failures, f.since AS failing_since, f.last_at AS failed_at FROM sessions s \
             JOIN members m ON m.organization_id = s.organization_id AND m.id = s.member_id \
             LEFT JOIN sign_in_failures f \
             ON f.organization_id = s.organization_id AND f.member_id = s.member_id \
             WHERE s.hash = $1",
            hash.as_slice()
        )?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(FoundSession {
            organization: row.organization_id.into(),
            member: row.member.try_into()?,
            created_at: row.signed_in_at.0,
            used_at: row.used_at.0,
            confirmed_at: row.confirmed_at.0,
            failures: SignInFailures::of(row.failures, row.failing_since, row.failed_at),
        }))
    }

    /// A member's sessions, the one that began last first.
    pub async fn list_sessions_of(&mut self, member: MemberId) -> Result<Vec<MemberSession>> {
        let rows = fetch_all!(
            self,
            (Vec<u8>, Instant, Instant),
            "SELECT hash, created_at, used_at FROM sessions \
             WHERE organization_id = $1 AND member_id = $2 ORDER BY created_at DESC, hash",
            self.scope.organization_uuid(),
            member.uuid()
        )?;
        Ok(rows
            .into_iter()
            .filter_map(|(hash, created_at, used_at)| {
                let hash = hash.try_into().ok()?;
                Some(MemberSession { hash, created_at: created_at.0, used_at: used_at.0 })
            })
            .collect())
    }

    /// Ends one session of a member; false when there is no such session.
    pub async fn delete_session_of(&mut self, member: MemberId, hash: [u8; 32]) -> Result<bool> {
        let deleted = execute!(
            self,
            "DELETE FROM sessions WHERE organization_id = $1 AND member_id = $2 AND hash = $3",
            self.scope.organization_uuid(),
            member.uuid(),
            hash.as_slice()
        )?;
        Ok(deleted > 0)
    }

    /// Notes that a session was used.
    pub async fn touch_session(&mut self, hash: [u8; 32], now: Timestamp) -> Result<()> {
        execute!(
            self,
            "UPDATE sessions SET used_at = $3 WHERE organization_id = $1 AND hash = $2",
            self.scope.organization_uuid(),
            hash.as_slice(),
            Instant(now)
        )?;
        Ok(())
    }

    /// Notes that the member of a session showed again by its password that it is the one.
    pub async fn confirm_session(&mut self, hash: [u8; 32], now: Timestamp) -> Result<()> {
        execute!(
            self,
            "UPDATE sessions SET confirmed_at = $3 WHERE organization_id = $1 AND hash = $2",
            self.scope.organization_uuid(),
            hash.as_slice(),
            Instant(now)
        )?;
        Ok(())
    }

    /// Ends a session.
    pub async fn delete_session(&mut self, hash: [u8; 32]) -> Result<()> {
        execute!(
            self,
            "DELETE FROM sessions WHERE organization_id = $1 AND hash = $2",
            self.scope.organization_uuid(),
            hash.as_slice()
        )?;
        Ok(())
    }

    /// Ends all sessions of a member but one; answers how many.
    pub async fn delete_sessions_of(
        &mut self,
        member: MemberId,
        but: Option<[u8; 32]>,
    ) -> Result<u64> {
        // No hash is empty.
        let but = but.as_ref().map_or(&[][..], |hash| &hash[..]);
        execute!(
            self,
            "DELETE FROM sessions WHERE organization_id = $1 AND member_id = $2 AND hash <> $3",
            self.scope.organization_uuid(),
            member.uuid(),
            but
        )
    }

    /// Forgets sessions that are too old to be used, by their last use or by their beginning.
    pub async fn delete_expired_sessions(
        &mut self,
        used_before: Timestamp,
        created_before: Timestamp,
    ) -> Result<u64> {
        execute!(
            self,
            "DELETE FROM sessions WHERE organization_id = $1 AND (used_at < $2 OR created_at < $3)",
            self.scope.organization_uuid(),
            Instant(used_before),
            Instant(created_before)
        )
    }

    /// Keeps a one-time link.
    pub async fn create_sign_in_link(&mut self, new: &NewSignInLink, now: Timestamp) -> Result<()> {
        execute!(
            self,
            "INSERT INTO sign_in_links (organization_id, hash, kind, member_id, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            self.scope.organization_uuid(),
            new.hash.as_slice(),
            new.kind.as_str(),
            new.member.map(MemberId::uuid),
            Instant(now),
            Instant(new.expires_at),
        )?;
        Ok(())
    }

    /// The link with this SHA-256, used and expired ones too. System scope.
    pub async fn find_sign_in_link(&mut self, hash: [u8; 32]) -> Result<Option<SignInLink>> {
        let row = fetch_optional!(
            self,
            (Uuid, String, Option<Uuid>, Instant, Option<Instant>),
            "SELECT organization_id, kind, member_id, expires_at, used_at FROM sign_in_links \
             WHERE hash = $1",
            hash.as_slice()
        )?;
        let Some((organization, kind, member, expires_at, used_at)) = row else { return Ok(None) };
        Ok(Some(SignInLink {
            organization: organization.into(),
            kind: name::LINK_KIND.read(&kind)?,
            member: member.map(Into::into),
            expires_at: expires_at.0,
            used_at: used_at.map(|at| at.0),
        }))
    }

    /// Uses a link up; false when it was used before, has expired or is none.
    pub async fn use_sign_in_link(&mut self, hash: [u8; 32], now: Timestamp) -> Result<bool> {
        let used = execute!(
            self,
            "UPDATE sign_in_links SET used_at = $3 WHERE organization_id = $1 AND hash = $2 \
             AND used_at IS NULL AND expires_at > $3",
            self.scope.organization_uuid(),
            hash.as_slice(),
            Instant(now)
        )?;
        Ok(used > 0)
    }

    /// Deletes a member's links of a kind that can still be used; used ones are remembered as such.
    pub async fn delete_sign_in_links_of(
        &mut self,
        member: MemberId,
        kind: LinkKind,
    ) -> Result<u64> {
        execute!(
            self,
            "DELETE FROM sign_in_links WHERE organization_id = $1 AND member_id = $2 AND kind = $3 \
             AND used_at IS NULL",
            self.scope.organization_uuid(),
            member.uuid(),
            kind.as_str()
        )
    }

    /// How many links of a kind a member has that can be used.
    pub async fn count_live_sign_in_links(
        &mut self,
        member: MemberId,
        kind: LinkKind,
        now: Timestamp,
    ) -> Result<i64> {
        let (count,) = fetch_one!(
            self,
            (i64,),
            "SELECT COUNT(*) FROM sign_in_links WHERE organization_id = $1 AND member_id = $2 \
             AND kind = $3 AND used_at IS NULL AND expires_at > $4",
            self.scope.organization_uuid(),
            member.uuid(),
            kind.as_str(),
            Instant(now)
        )?;
        Ok(count)
    }

    /// Forgets links that expired before an instant.
    pub async fn delete_expired_sign_in_links(&mut self, expired_before: Timestamp) -> Result<u64> {
        execute!(
            self,
            "DELETE FROM sign_in_links WHERE organization_id = $1 AND expires_at < $2",
            self.scope.organization_uuid(),
            Instant(expired_before)
        )
    }

    /// How each member gets in, in the order of their ids.
    pub async fn list_member_access(&mut self, now: Timestamp) -> Result<Vec<MemberAccess>> {
        let rows = fetch_all!(
            self,
            (Uuid, bool, Option<Instant>),
            "SELECT m.id, p.member_id IS NOT NULL, (SELECT MAX(l.expires_at) FROM sign_in_links l \
             WHERE l.organization_id = m.organization_id AND l.member_id = m.id \
             AND l.kind = 'invitation' AND l.used_at IS NULL AND l.expires_at > $2) \
             FROM members m LEFT JOIN member_passwords p \
             ON p.organization_id = m.organization_id AND p.member_id = m.id \
             WHERE m.organization_id = $1 ORDER BY m.id",
            self.scope.organization_uuid(),
            Instant(now)
        )?;
        Ok(rows
            .into_iter()
            .map(|(member, password, invited_until)| MemberAccess {
                member: member.into(),
                password,
                invited_until: invited_until.map(|at| at.0),
            })
            .collect())
    }

    /// Waits until nobody else changes the members' roles, until the end of the transaction: that the
    /// last owner stays can only be seen in all of them.
    pub async fn lock_roles(&mut self) -> Result<()> {
        // The organization's row stands for them; SQLite has one writer anyway.
        execute!(
            self,
            "UPDATE organizations SET name = name WHERE id = $1",
            self.scope.organization_uuid()
        )?;
        Ok(())
    }

    /// Changes what a member may do; false when there is no such member.
    pub async fn set_member_role(&mut self, member: MemberId, role: Role) -> Result<bool> {
        let changed = execute!(
            self,
            "UPDATE members SET role = $3 WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            member.uuid(),
            role.as_str()
        )?;
        Ok(changed > 0)
    }

    /// Changes what people call a member; false when there is no such member.
    pub async fn set_member_name(&mut self, member: MemberId, name: &str) -> Result<bool> {
        let changed = execute!(
            self,
            "UPDATE members SET name = $3 WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            member.uuid(),
            name
        )?;
        Ok(changed > 0)
    }

    /// Replaces the secret that signs client tokens: what was signed with the old one is worth nothing.
    pub async fn set_client_token_secret(&mut self, secret: &str, now: Timestamp) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let secret = self.seal(organization, (CLIENT_TOKEN, Uuid::nil()), secret).await?;
        execute!(
            self,
            "UPDATE organization_secrets SET secret = $2, created_at = $3 \
             WHERE organization_id = $1 AND kind = 'client_token'",
            organization,
            secret,
            Instant(now)
        )?;
        Ok(())
    }

    /// The organization's own sites that may frame client pages and use widgets, by origin.
    pub async fn list_allowed_sites(&mut self) -> Result<Vec<String>> {
        let rows = fetch_all!(
            self,
            (String,),
            "SELECT origin FROM allowed_sites WHERE organization_id = $1 ORDER BY origin",
            self.scope.organization_uuid()
        )?;
        Ok(rows.into_iter().map(|(origin,)| origin).collect())
    }

    /// Every organization's sites, by organization and origin. System scope.
    pub async fn list_all_allowed_sites(&mut self) -> Result<Vec<(OrganizationId, String)>> {
        let rows = fetch_all!(
            self,
            (Uuid, String),
            "SELECT organization_id, origin FROM allowed_sites ORDER BY organization_id, origin"
        )?;
        Ok(rows.into_iter().map(|(organization, origin)| (organization.into(), origin)).collect())
    }

    /// Adds a site, unless it is there already.
    pub async fn add_allowed_site(&mut self, origin: &str, now: Timestamp) -> Result<()> {
        execute!(
            self,
            "INSERT INTO allowed_sites (organization_id, origin, created_at) VALUES ($1, $2, $3) \
             ON CONFLICT (organization_id, origin) DO NOTHING",
            self.scope.organization_uuid(),
            origin,
            Instant(now)
        )?;
        Ok(())
    }

    /// Takes a site away; false when it is none.
    pub async fn remove_allowed_site(&mut self, origin: &str) -> Result<bool> {
        let removed = execute!(
            self,
            "DELETE FROM allowed_sites WHERE organization_id = $1 AND origin = $2",
            self.scope.organization_uuid(),
            origin
        )?;
        Ok(removed > 0)
    }
}
