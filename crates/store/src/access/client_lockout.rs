use jiff::Timestamp;

use crate::{
    Result, Tx,
    db::dialect::{Instant, execute, fetch_optional},
};

/// What of a client's ways in has ended before its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientLockout {
    /// Sessions that began before are over.
    pub sessions_from: Option<Timestamp>,
    /// Tokens and links that were signed before let nobody in.
    pub tokens_from: Option<Timestamp>,
}

impl Tx {
    /// What has ended of a client's ways in; the client need not be known.
    pub async fn get_client_lockout(&mut self, external_id: &str) -> Result<ClientLockout> {
        let row = fetch_optional!(
            self,
            (Instant, Option<Instant>),
            "SELECT sessions_from, tokens_from FROM client_lockouts \
             WHERE organization_id = $1 AND external_id = $2",
            self.scope.organization_uuid(),
            external_id
        )?;
        Ok(row.map_or_else(ClientLockout::default, |(sessions, tokens)| ClientLockout {
            sessions_from: Some(sessions.0),
            tokens_from: tokens.map(|at| at.0),
        }))
    }

    /// Ends the sessions of a client that began before now, and with `tokens` also what was signed to
    /// let it in.
    pub async fn lock_out_client(
        &mut self,
        external_id: &str,
        tokens: bool,
        now: Timestamp,
    ) -> Result<()> {
        execute!(
            self,
            "INSERT INTO client_lockouts (organization_id, external_id, sessions_from, tokens_from) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (organization_id, external_id) DO UPDATE SET \
             sessions_from = excluded.sessions_from, \
             tokens_from = COALESCE(excluded.tokens_from, client_lockouts.tokens_from)",
            self.scope.organization_uuid(),
            external_id,
            Instant(now),
            tokens.then_some(Instant(now))
        )?;
        Ok(())
    }

    /// Forgets what ended so long ago that everything signed before has expired by itself.
    pub async fn delete_client_lockouts(&mut self, before: Timestamp) -> Result<u64> {
        execute!(
            self,
            "DELETE FROM client_lockouts WHERE organization_id = $1 AND sessions_from < $2",
            self.scope.organization_uuid(),
            Instant(before)
        )
    }
}
