//! Sessions of members: a random token in a cookie, of which only the hash is stored.

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

/// A session that is not used ends.
const IDLE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// One that is used ends too: a cookie that was stolen must not be good for ever.
const LONGEST: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How exactly the last use is known: a write for every page would be one too many.
const NOTED_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// How long a browser keeps a session's cookie, in seconds. The server decides when it ends.
pub(crate) const COOKIE_SECONDS: i64 = LONGEST.as_secs();

/// A member who signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Whose data.
    pub organization: Organization,
    /// The organization's time zone.
    pub zone: TimeZone,
    /// Who.
    pub member: Member,
    /// What it may read.
    pub scope: Scope,
    /// When it last showed by its password that it is the one: by signing in, or since.
    pub confirmed_at: Timestamp,
    /// Wrong passwords that were tried for it and that it has not confirmed to know of.
    pub failures: Option<SignInFailures>,
}

pub(crate) fn ago(now: Timestamp, duration: SignedDuration) -> Timestamp {
    now.checked_sub(duration).unwrap_or(Timestamp::MIN)
}

/// Begins a session; answers what the browser is to keep.
pub(super) async fn begin(tx: &mut Tx, member: MemberId, now: Timestamp) -> Result<String> {
    let token = random_secret();
    // Those that ended by themselves, whoever's they were.
    tx.forget_sessions(ago(now, IDLE), ago(now, LONGEST)).await?;
    tx.create_session(hash_of(&token), member, now).await?;
    Ok(token)
}

/// What names a session where its member ends it: the hash in hexadecimal.
pub(crate) fn hex(hash: &[u8; 32]) -> String {
    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The hash that a session is named by; `None` for anything else.
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

    /// Who has this session, if it is in force. Notes that it was used.
    pub async fn session(&self, token: &str) -> Result<Option<SignedIn>> {
        let hash = hash_of(token);
        let mut tx = self.store().read(Scope::System).await?;
        let Some(session) = tx.find_session(hash).await? else { return Ok(None) };
        drop(tx);
        let FoundSession { organization, member, created_at, used_at, confirmed_at, failures } =
            session;
        let now = self.now();
        if used_at <= ago(now, IDLE) || created_at <= ago(now, LONGEST) {
            return Ok(None);
        }
        if used_at <= ago(now, NOTED_EVERY) {
            let mut tx = self.store().begin(Scope::Service(organization)).await?;
            tx.touch_session(hash, now).await?;
            tx.commit().await?;
        }
        let scope = Scope::Member(organization, member.role);
        let organization = self.store().read(scope).await?.organization().await?;
        let zone = time_zone(&organization.time_zone)
            .map_err(|reason| Error::invalid("time_zone", reason))?;
        Ok(Some(SignedIn { organization, zone, member, scope, confirmed_at, failures }))
    }

    /// Confirms by the member's password that it is the one who uses its session. `false` when the
    /// password is wrong, which is counted as when signing in.
    pub(crate) async fn confirm_session(
        &self,
        organization: OrganizationId,
        member: MemberId,
        token: &str,
        password: &str,
        from: IpAddr,
    ) -> Result<bool> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let kept = tx.password(member).await?;
        drop(tx);
        if !password::verify(password.to_owned(), kept).await {
            let wrong = self.record_sign_in_failure(organization, member, from).await?;
            tracing::warn!(%organization, %member, %from, wrong, "a wrong password, to confirm");
            return Ok(false);
        }
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        tx.confirm_session(hash_of(token), self.now()).await?;
        tx.commit().await?;
        tracing::info!(%organization, %member, "confirmed by its password");
        Ok(true)
    }

    /// Whether a session is still in force, and its member may do what it might when it was asked for. To ask
    /// is no use of it.
    pub(crate) async fn is_session_in_force(
        &self,
        token: &str,
        member: MemberId,
        role: Role,
    ) -> Result<bool> {
        let mut tx = self.store().read(Scope::System).await?;
        let Some(found) = tx.find_session(hash_of(token)).await? else { return Ok(false) };
        let now = self.now();
        let lasts = found.used_at > ago(now, IDLE) && found.created_at > ago(now, LONGEST);
        Ok(lasts && found.member.id == member && found.member.role == role)
    }

    /// Ends a session. One that has ended already is no error.
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
        self.hub().sessions_changed();
        Ok(())
    }

    /// A member's sessions that are in force, the one that began last first.
    pub async fn sessions(&self, member: &Member, scope: Scope) -> Result<Vec<MemberSession>> {
        let Some(organization) = scope.organization() else { return Ok(Vec::new()) };
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let mut sessions = tx.sessions_of(member.id).await?;
        let (idle, oldest) = (ago(self.now(), IDLE), ago(self.now(), LONGEST));
        sessions.retain(|session| session.used_at > idle && session.created_at > oldest);
        Ok(sessions)
    }

    /// Ends one of a member's own sessions.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it has no such session, or not any more.
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
                remedy: "it may have ended already; your profile lists those there are",
            });
        }
        tx.commit().await?;
        tracing::info!(%organization, member = %member.id, "a session was ended by its member");
        self.hub().sessions_changed();
        Ok(())
    }

    /// Ends all sessions and tokens of a member, but for the session that it does this from. Answers how
    /// many sessions.
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
        tracing::info!(%organization, member = %signed_in.id, ended, "all other sessions were ended");
        self.hub().sessions_changed();
        Ok(ended)
    }
}
