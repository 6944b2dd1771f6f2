//! Sessions of members: a random token in a cookie, of which only the hash is stored.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use mainstay_core::{id::MemberId, time::time_zone};
use mainstay_store::{FoundSession, Member, Organization, Scope, Tx};

use super::{hash_of, random_secret};
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

impl Mainstay {
    /// Who has this session, if it is in force. Notes that it was used.
    pub async fn session(&self, token: &str) -> Result<Option<SignedIn>> {
        let hash = hash_of(token);
        let mut tx = self.store().read(Scope::System).await?;
        let Some(session) = tx.find_session(hash).await? else { return Ok(None) };
        drop(tx);
        let FoundSession { organization, member, created_at, used_at } = session;
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
        Ok(Some(SignedIn { organization, zone, member, scope }))
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
        Ok(())
    }

    /// Ends all sessions of a member, but for the one that it does this from. Answers how many.
    pub async fn end_other_sessions(
        &self,
        signed_in: &Member,
        scope: Scope,
        but: &str,
    ) -> Result<u64> {
        let Some(organization) = scope.organization() else { return Ok(0) };
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let ended = tx.delete_sessions_of(signed_in.id, Some(hash_of(but))).await?;
        tx.commit().await?;
        Ok(ended)
    }
}
