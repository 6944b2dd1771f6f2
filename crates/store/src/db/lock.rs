//! What transactions of one organization keep each other from on PostgreSQL. SQLite has one writer anyway.

use std::{future::pending, time::Duration};

use tokio::time::timeout;

use crate::{Result, StoreError, Tx, db::dialect::Connection};

/// How long a transaction stands in the line for a lock that others share. Whoever comes after it for a
/// share waits behind it, so a holder that does not answer must not keep it there.
const LOCK_WAIT_MILLISECONDS: u32 = 500;
/// How long it lets the others go first before it queues again.
const LOCK_RETRY_DELAY: Duration = Duration::from_millis(500);
/// How often it queues before it gives up.
const MAX_LOCK_ATTEMPTS: u32 = 30;

impl Tx {
    /// Waits until no other transaction holds a lock that excludes this one; held until the end.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it cannot be had in time: the whole transaction may be tried again.
    pub(crate) async fn lock_organization(&mut self, lock: Lock) -> Result<()> {
        let organization = self.scope.organization_uuid();
        // The random half of a UUIDv7. A collision makes two organizations wait for each other.
        let key = i32::from_be_bytes(organization.as_bytes()[12..].try_into().unwrap_or_default());
        match lock {
            Lock::StoreEvents | Lock::CacheClients => {
                self.lock("SELECT pg_advisory_xact_lock_shared($1, $2)", lock.class(), key).await
            }
            Lock::SettleEvents | Lock::DeleteClients => {
                self.lock_out_sharers(lock.class(), key).await
            }
            Lock::GatherActivity
            | Lock::CheckHealth
            | Lock::FlushPortfolioChanges
            | Lock::ClaimRuns
            | Lock::ClaimEmails => {
                self.lock("SELECT pg_advisory_xact_lock($1, $2)", lock.class(), key).await
            }
        }
    }

    async fn lock(&mut self, sql: &'static str, class: i32, key: i32) -> Result<()> {
        let Connection::Postgres(connection) = &mut self.connection else { return Ok(()) };
        sqlx::query(sql).bind(class).bind(key).execute(&mut **connection).await?;
        Ok(())
    }

    /// Takes a lock that others share without ever keeping new ones from sharing it for long: a node that
    /// froze with its share would otherwise stop all of them.
    async fn lock_out_sharers(&mut self, class: i32, key: i32) -> Result<()> {
        let Connection::Postgres(connection) = &mut self.connection else { return Ok(()) };
        let queue = format!("SAVEPOINT queue; SET LOCAL lock_timeout = {LOCK_WAIT_MILLISECONDS}");
        for _ in 0..MAX_LOCK_ATTEMPTS {
            sqlx::raw_sql(sqlx::AssertSqlSafe(queue.as_str())).execute(&mut **connection).await?;
            let locked = sqlx::query("SELECT pg_advisory_xact_lock($1, $2)")
                .bind(class)
                .bind(key)
                .execute(&mut **connection)
                .await;
            // Undoes the setting too. What is locked within a savepoint stays locked when that is released.
            let end = match &locked {
                Ok(_) => {
                    format!("RELEASE SAVEPOINT queue; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                }
                Err(_) => "ROLLBACK TO SAVEPOINT queue; RELEASE SAVEPOINT queue".to_owned(),
            };
            sqlx::raw_sql(sqlx::AssertSqlSafe(end)).execute(&mut **connection).await?;
            match locked.map_err(StoreError::from) {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
            // An end that never comes: the pause is all there is to wait for.
            let _ = timeout(LOCK_RETRY_DELAY, pending::<()>()).await;
        }
        Err(StoreError::Conflict)
    }
}

/// How long a writing transaction waits for any other lock, in PostgreSQL's words.
pub(crate) const LOCK_TIMEOUT: &str = "10s";

/// What one transaction of an organization must not do while another one does it. A transaction that
/// takes several takes [`Lock::CheckHealth`] and those of clients first, those of events after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Storing events, or anything else that makes stored scores stale: many at a time.
    StoreEvents,
    /// Something that no event may be stored beside: filing a message whose duplicate may be under
    /// another day, folding, moving `scored_until`.
    SettleEvents,
    /// Gathering what is rolled up: one at a time, so that nothing is counted into a day's parts twice.
    /// Taken after those of events.
    GatherActivity,
    /// Checking health: one at a time, so that each transition happens once.
    CheckHealth,
    /// Storing something of clients by ids that were looked up: many at a time.
    CacheClients,
    /// Deleting a client: nobody may be about to store something of it, since not every table has a
    /// foreign key that would notice.
    DeleteClients,
    /// Claiming a run of a job: one at a time, so that an organization has one that is being done.
    /// Nothing else is locked beside it.
    ClaimRuns,
    /// Claiming an email to a client: one at a time, so that each claim sees what the client was sent
    /// by the claims before it. Taken first.
    ClaimEmails,
    /// Numbering what changed in the portfolio: one at a time, so that whoever knows one number knows
    /// all before it. Taken last of all.
    FlushPortfolioChanges,
}

impl Lock {
    /// The first half of the advisory lock's key; kinds that exclude each other share it.
    const fn class(self) -> i32 {
        match self {
            Self::StoreEvents | Self::SettleEvents => 1,
            Self::CheckHealth => 2,
            Self::CacheClients | Self::DeleteClients => 3,
            Self::FlushPortfolioChanges => 4,
            Self::ClaimRuns => 5,
            Self::GatherActivity => 6,
            Self::ClaimEmails => 7,
        }
    }
}
