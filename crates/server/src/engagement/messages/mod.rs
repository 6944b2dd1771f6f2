//! Storing messages about clients: events, profiles and memberships.

mod resolve;

use mainstay_core::{
    engagement::{EventError, segment::IncomingMessage},
    id::OrganizationId,
};
use mainstay_store::{MAX_WAITING, Outcome, RollUp, Scope, StoreError, Tx};

use self::resolve::Batch;
pub(crate) use self::resolve::Names;
use crate::{Error, Mainstay, Result};

/// Maximum number of attempts of a transaction after conflicts.
const MAX_TRIES: u32 = 5;
/// Batch size from which it is cheaper to roll up activity directly.
const ROLL_UP_AT_ONCE_FROM: usize = 4_000;
/// Why an event that waited for a client is rejected.
pub(crate) const UNCLAIMED_REASON: &str = "belonged to no client for 7 days; if clients are \
     accounts, call group for the user within that time; if they are users, call identify with \
     both userId and anonymousId";

/// Where statements come from: what is stored in one transaction has one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// Whose clients they are about.
    pub organization: OrganizationId,
    /// Whether nothing but a write key vouches for them.
    pub is_write_key: bool,
}

impl Source {
    /// Of what an organization vouches for: its secret key, a member, a file, a client with its token.
    pub const fn vouched(organization: OrganizationId) -> Self {
        Self { organization, is_write_key: false }
    }
}

/// The outcome of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageOutcome {
    /// A new event, on disk.
    Stored,
    /// An event that is already stored.
    Duplicate,
    /// A new event, on disk, which counts once its client is known.
    Waiting,
    /// A profile, membership or alias, on disk.
    Recorded,
    /// The message was rejected.
    Refused(EventError),
}

impl From<Outcome> for MessageOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Stored => Self::Stored,
            Outcome::Duplicate => Self::Duplicate,
        }
    }
}

impl Mainstay {
    /// Stores messages in one transaction, and retries after conflicts. Aliases are merged by
    /// [`Mainstay::join_ids`], not here, where others would have to wait.
    pub(crate) async fn store_messages(
        &self,
        source: Source,
        messages: &[IncomingMessage],
    ) -> Result<Vec<MessageOutcome>> {
        let organization = source.organization;
        if messages.iter().all(|one| matches!(one, IncomingMessage::Ignored)) {
            return Ok(vec![MessageOutcome::Recorded; messages.len()]);
        }
        let mut retries = ConflictRetries::default();
        let (names, outcomes) = loop {
            let stored = self.try_store(source, messages).await;
            if !retries.should_retry(&stored) {
                break stored?;
            }
        };
        let stored = messages.iter().zip(&names).zip(&outcomes);
        let stored = stored.filter_map(|((message, name), outcome)| match (message, outcome) {
            (
                IncomingMessage::Event(event)
                | IncomingMessage::PersonEvent(event)
                | IncomingMessage::PersonOrClientEvent(event),
                MessageOutcome::Stored,
            ) => Some((name.as_deref()?, event)),
            _ => None,
        });
        self.returned_clients().record(organization, stored.clone().map(|(name, _)| name));
        self.hub().publish_stored(organization, stored);
        Ok(outcomes)
    }

    async fn try_store<'a>(
        &self,
        source: Source,
        messages: &'a [IncomingMessage],
    ) -> Result<(Names<'a>, Vec<MessageOutcome>)> {
        let mut tx = self.store().begin(Scope::Service(source.organization)).await?;
        let roll_up =
            if messages.len() < ROLL_UP_AT_ONCE_FROM { RollUp::Later } else { RollUp::Immediately };
        let stored = self.store_messages_in(&mut tx, (source, messages), roll_up).await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Merges the ids of aliases, each in its own transaction. Returns the indexes of those with a
    /// blocked client.
    pub(crate) async fn merge_aliases(
        &self,
        organization: OrganizationId,
        messages: &[IncomingMessage],
    ) -> Result<Vec<usize>> {
        let mut kept_out = Vec::new();
        for (place, one) in messages.iter().enumerate() {
            if let IncomingMessage::Alias { previous, client_id, .. } = one {
                match self.merge_now(organization, previous, client_id).await {
                    Err(Error::Store(StoreError::IdBlocked)) => kept_out.push(place),
                    merged => merged?,
                }
            }
        }
        Ok(kept_out)
    }

    async fn merge_now(
        &self,
        organization: OrganizationId,
        previous: &str,
        client_id: &str,
    ) -> Result<()> {
        let mut retries = ConflictRetries::default();
        loop {
            let merged = self.try_merge(organization, previous, client_id).await;
            if !retries.should_retry(&merged) {
                return merged;
            }
        }
    }

    async fn try_merge(
        &self,
        organization: OrganizationId,
        previous: &str,
        client_id: &str,
    ) -> Result<()> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        self.merge_in(&mut tx, previous, client_id).await?;
        Ok(tx.commit().await?)
    }

    /// Merges two ids within a transaction of their organization.
    pub(crate) async fn merge_in(
        &self,
        tx: &mut Tx,
        previous: &str,
        client_id: &str,
    ) -> Result<()> {
        let zone = resolve::zone_of(tx).await?;
        Ok(tx.merge_client(previous, client_id, &zone, self.now()).await?)
    }

    /// Stores messages within a transaction of their organization; returns the client and outcome
    /// of each. Aliases must already be merged.
    pub(crate) async fn store_messages_in<'a>(
        &self,
        tx: &mut Tx,
        (source, messages): (Source, &'a [IncomingMessage]),
        roll_up: RollUp,
    ) -> Result<(Names<'a>, Vec<MessageOutcome>)> {
        let mut batch = Batch::begin(tx, (source, messages), self.now()).await?;
        batch.apply_profiles(tx).await?;
        batch.apply_memberships(tx).await?;
        batch.find_clients_of_people(tx).await?;
        batch.store_events(tx, roll_up).await?;
        Ok(batch.into_parts())
    }

    /// Rejects events that have waited too long for a client; returns the number.
    pub async fn expire_waiting_events(&self, organization: OrganizationId) -> Result<u64> {
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        let expired = tx.expire_waiting_events(self.now(), UNCLAIMED_REASON).await?;
        tx.commit().await?;
        Ok(expired)
    }
}

/// The outcomes, with those at the given indexes replaced by rejections.
pub(super) fn with_refusals(
    kept_out: &[usize],
    mut outcomes: Vec<MessageOutcome>,
) -> Vec<MessageOutcome> {
    for place in kept_out {
        outcomes[*place] = MessageOutcome::Refused(kept_out_error());
    }
    outcomes
}

/// The reason for rejecting messages about a blocked client. It does not repeat the id.
pub(crate) const KEPT_OUT_REASON: &str = "is the id of a deleted client and blocked; nothing of it is stored. To unblock it: DELETE \
     /api/v1/erased-clients/{client_id}";

pub(super) fn kept_out_error() -> EventError {
    EventError::new("client_id", KEPT_OUT_REASON)
}

/// The error if too many events are waiting for a client.
fn too_many_waiting_error() -> EventError {
    EventError::new(
        "userId",
        format!(
            "belongs to no client yet, and {MAX_WAITING} events already wait for a client; call \
             group or identify for the user first"
        ),
    )
}

/// Counts the conflicts of a transaction.
#[derive(Default)]
pub(crate) struct ConflictRetries(u32);

impl ConflictRetries {
    /// Whether to retry a transaction with this result.
    pub(crate) fn should_retry<T>(&mut self, result: &Result<T>) -> bool {
        self.0 += 1;
        self.0 < MAX_TRIES && matches!(result, Err(Error::Store(StoreError::Conflict)))
    }
}
