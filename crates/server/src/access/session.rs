//! Sessions of members: a random token in a cookie, stored only as a hash.

use std::{fmt::Write as _, net::IpAddr};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use mainstay_core::{
    id::{MemberId, OrganizationId},
    time::time_zone,
};
use mainstay_store::{
    FoundSession, Member, MemberSession, Organization, Role, Scope, SignInFailures, Tx,
};

use super::{hash_of, password, random_secret};
use crate::{Error, Mainstay, Result};

/// A session ends after this time without use.
const IDLE_TIMEOUT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A used session ends, too: a stolen cookie must not be valid forever.
const MAX_SESSION_AGE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// The precision of the last use, which avoids a write per page.
const TOUCH_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

/// Lifetime of a session's cookie, in seconds. The server decides when the session ends.
pub(crate) const COOKIE_MAX_AGE_SECONDS: i64 = MAX_SESSION_AGE.as_secs();

/// A signed-in member.
#[derive(Clone, Debug)]
pub struct SignedInMember {
    /// Whose data.
    pub organization: Organization,
    /// The organization's time zone.
    pub zone: TimeZone,
    /// Who.
    pub member: Member,
    /// The scope it may read.
    pub scope: Scope,
    /// When it last entered its password: at sign-in or later.
    pub confirmed_at: Timestamp,
    /// Failed sign-ins that it has not acknowledged yet.
    pub failures: Option<SignInFailures>,
}

pub(crate) fn ago(now: Timestamp, duration: SignedDuration) -> Timestamp {
    now.checked_sub(duration).unwrap_or(Timestamp::MIN)
}

/// Begins a session; returns the token for the browser.
pub(super) async fn begin(tx: &mut Tx, member: MemberId, now: Timestamp) -> Result<String> {
    let token = random_secret();
    // Those that ended by themselves, whoever's they were.
    tx.delete_expired_sessions(ago(now, IDLE_TIMEOUT), ago(now, MAX_SESSION_AGE)).await?;
    tx.create_session(hash_of(&token), member, now).await?;
    Ok(token)
}

/// The public name of a session: its hash, in hexadecimal.
pub(crate) fn hex(hash: &[u8; 32]) -> String {
    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The hash of a session's public name; `None` for anything else.
pub(crate) fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let byte = |at: usize| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.then(|| (0..32).map(byte).collect()).flatten();
    bytes?.try_into().ok()
}

impl Mainstay {
    /// Whether this is the token of the session with this hash.
    pub(crate) fn is_session(token: &str, hash: &[u8; 32]) -> bool {
        hash_of(token) == *hash
    }

    /// The member of a session token, if it is valid. Records its use.
    pub async fn session(&self, token: &str) -> Result<Option<SignedInMember>> {
        let hash = hash_of(token);
        let mut tx = self.store().read(Scope::System).await?;
        let Some(session) = tx.find_session(hash).await? else { return Ok(None) };
        drop(tx);
        let FoundSession { organization, member, created_at, used_at, confirmed_at, failures } =
            session;
        let now = self.now();
        if used_at <= ago(now, IDLE_TIMEOUT) || created_at <= ago(now, MAX_SESSION_AGE) {
            return Ok(None);
        }
        if used_at <= ago(now, TOUCH_INTERVAL) {
            let mut tx = self.store().begin(Scope::Service(organization)).await?;
            tx.touch_session(hash, now).await?;
            tx.commit().await?;
        }
        let scope = Scope::Member(organization, member.role);
        let organization = self.store().read(scope).await?.get_organization().await?;
        let zone = time_zone(&organization.time_zone)
            .map_err(|reason| Error::invalid("time_zone", reason))?;
        Ok(Some(SignedInMember { organization, zone, member, scope, confirmed_at, failures }))
    }

    /// Confirms a session with the member's password. Returns `false` if the password is wrong,
    /// which counts as a failed sign-in.
    pub(crate) async fn confirm_session(
        &self,
        organization: OrganizationId,
        member: MemberId,
        token: &str,
        password: &str,
        from: IpAddr,
    ) -> Result<bool> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let stored_hash = tx.find_password_hash(member).await?;
        drop(tx);
        if !password::verify(password.to_owned(), stored_hash).await {
            let wrong = self.record_sign_in_failure(organization, member, from).await?;
            tracing::warn!(%organization, %member, %from, wrong, "wrong password at a confirmation");
            return Ok(false);
        }
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        tx.confirm_session(hash_of(token), self.now()).await?;
        tx.commit().await?;
        tracing::info!(%organization, %member, "session confirmed with the password");
        Ok(true)
    }

    /// Whether a session is still valid and its member has the same rights. Does not count as use.
    pub(crate) async fn is_session_in_force(
        &self,
        token: &str,
        member: MemberId,
        role: Role,
    ) -> Result<bool> {
        let mut tx = self.store().read(Scope::System).await?;
        let Some(found) = tx.find_session(hash_of(token)).await? else { return Ok(false) };
        let now = self.now();
        let lasts =
            found.used_at > ago(now, IDLE_TIMEOUT) && found.created_at > ago(now, MAX_SESSION_AGE);
        Ok(lasts && found.member.id == member && found.member.role == role)
    }

    /// Ends a session. An ended session is not an error.
    pub async fn end_session(&self, token: &str) -> Result<()> {
        let hash = hash_of(token);
        let mut tx = self.store().read(Scope::System).await?;
        let Some(session) = tx.find_session(hash).await? else { return Ok(()) };
        drop(tx);
        let mut tx = self.store().begin(Scope::Service(session.organization)).await?;
        tx.delete_session(hash).await?;
        tx.commit().await?;
        let (organization, member) = (session.organization, session.member.id);
        tracing::info!(%organization, %member, "signed out");
        self.hub().notify_sessions_changed();
        Ok(())
    }

    /// A member's valid sessions, newest first.
    pub async fn sessions(&self, member: &Member, scope: Scope) -> Result<Vec<MemberSession>> {
        let Some(organization) = scope.organization() else { return Ok(Vec::new()) };
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let mut sessions = tx.list_sessions_of(member.id).await?;
        let (idle, oldest) = (ago(self.now(), IDLE_TIMEOUT), ago(self.now(), MAX_SESSION_AGE));
        sessions.retain(|session| session.used_at > idle && session.created_at > oldest);
        Ok(sessions)
    }

    /// Ends one of a member's own sessions.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it has no such session.
    pub async fn end_session_of(
        &self,
        member: &Member,
        scope: Scope,
        hash: [u8; 32],
    ) -> Result<()> {
        let Some(organization) = scope.organization() else { return Ok(()) };
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        if !tx.delete_session_of(member.id, hash).await? {
            return Err(Error::NotFound {
                what: "session",
                id: hex(&hash),
                remedy: "it may have already ended; see the sessions in your profile",
            });
        }
        tx.commit().await?;
        tracing::info!(%organization, member = %member.id, "session ended by its member");
        self.hub().notify_sessions_changed();
        Ok(())
    }

    /// Ends all sessions and tokens of a member, except the current session. Returns the number of
    /// ended sessions.
    pub async fn end_other_sessions(
        &self,
        signed_in: &Member,
        scope: Scope,
        but: &str,
    ) -> Result<u64> {
        let Some(organization) = scope.organization() else { return Ok(0) };
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let ended = tx.delete_sessions_of(signed_in.id, Some(hash_of(but))).await?;
        tx.revoke_member_keys(signed_in.id, self.now()).await?;
        tx.commit().await?;
        self.callers().clear();
        tracing::info!(%organization, member = %signed_in.id, ended, "all other sessions ended");
        self.hub().notify_sessions_changed();
        Ok(ended)
    }
}
