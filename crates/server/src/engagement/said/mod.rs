//! Storing what was said of clients: what they did, who they are, and who belongs to whom.

mod resolve;

use mainstay_core::{
    engagement::{EventError, segment::Said},
    id::OrganizationId,
};
use mainstay_store::{MAX_WAITING, Outcome, RollUp, Scope, StoreError, Tx};

use self::resolve::Batch;
pub(crate) use self::resolve::Names;
use crate::{Error, Mainstay, Result};

/// How often a transaction that lost against another one is run again.
const MOST_TRIES: u32 = 5;
/// Events from which on it is cheaper to put what is rolled up in its place with them.
const MANY: usize = 4_000;
/// Why an event is refused that waited in vain.
pub(crate) const WAITED_IN_VAIN: &str = "belonged to no client for 7 days; where clients are accounts, call group for the user within \
     that time, and where they are users, call identify with both userId and anonymousId";

/// What became of something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// An event that is new, and on disk.
    Stored,
    /// An event that was there already.
    Duplicate,
    /// An event that is new and on disk, and counts once it is known whose it is.
    Waiting,
    /// Something about clients that is known now, and on disk.
    Learned,
    /// It cannot be kept.
    Refused(EventError),
}

impl From<Outcome> for Fate {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Stored => Self::Stored,
            Outcome::Duplicate => Self::Duplicate,
        }
    }
}

impl Mainstay {
    /// Stores what was said in one transaction, again when it lost against another one. Clients that an
    /// alias makes one are merged by [`Mainstay::join_ids`], not here: others would wait for it.
    pub(crate) async fn store_said(
        &self,
        organization: OrganizationId,
        said: &[Said],
    ) -> Result<Vec<Fate>> {
        if said.iter().all(|one| matches!(one, Said::Nothing)) {
            return Ok(vec![Fate::Learned; said.len()]);
        }
        let mut tries = Tries::default();
        let (names, fates) = loop {
            let stored = self.try_store(organization, said).await;
            if !tries.again(&stored) {
                break stored?;
            }
        };
        let stored = said.iter().zip(&names).zip(&fates);
        let stored = stored.filter_map(|((said, name), fate)| match (said, fate) {
            (
                Said::Did(event) | Said::DidByPerson(event) | Said::DidByPersonOrClient(event),
                Fate::Stored,
            ) => Some((name.as_deref()?, event)),
            _ => None,
        });
        self.returned().note(organization, stored.clone().map(|(name, _)| name));
        self.hub().stored(organization, stored);
        Ok(fates)
    }

    async fn try_store<'a>(
        &self,
        organization: OrganizationId,
        said: &'a [Said],
    ) -> Result<(Names<'a>, Vec<Fate>)> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let roll_up = if said.len() < MANY { RollUp::Later } else { RollUp::AtOnce };
        let stored = self.store_said_in(&mut tx, said, roll_up).await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Makes one client of the ids that an alias says are one, each in a transaction of its own. Returns
    /// the places of those that name a client which is kept out.
    pub(crate) async fn merge_aliases(
        &self,
        organization: OrganizationId,
        said: &[Said],
    ) -> Result<Vec<usize>> {
        let mut kept_out = Vec::new();
        for (place, one) in said.iter().enumerate() {
            if let Said::Alias { previous, client_id, .. } = one {
                match self.merge_now(organization, previous, client_id).await {
                    Err(Error::Store(StoreError::KeptOut)) => kept_out.push(place),
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
        let mut tries = Tries::default();
        loop {
            let merged = self.try_merge(organization, previous, client_id).await;
            if !tries.again(&merged) {
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

    /// Makes one client of two ids, within a transaction of their organization.
    pub(crate) async fn merge_in(
        &self,
        tx: &mut Tx,
        previous: &str,
        client_id: &str,
    ) -> Result<()> {
        let zone = resolve::zone_of(tx).await?;
        Ok(tx.merge_client(previous, client_id, &zone, self.now()).await?)
    }

    /// Stores what was said within a transaction of its organization; answers whose each of it is and
    /// what became of it. Ids that mean the same client must be one already.
    pub(crate) async fn store_said_in<'a>(
        &self,
        tx: &mut Tx,
        said: &'a [Said],
        roll_up: RollUp,
    ) -> Result<(Names<'a>, Vec<Fate>)> {
        let mut batch = Batch::begin(tx, said, self.now()).await?;
        batch.learn(tx).await?;
        batch.join(tx).await?;
        batch.find_clients_of_people(tx).await?;
        batch.store_events(tx, roll_up).await?;
        Ok(batch.end())
    }

    /// Shows the events that waited too long for a client as refused; answers how many.
    pub async fn expire_waiting_events(&self, organization: OrganizationId) -> Result<u64> {
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        let expired = tx.expire_waiting(self.now(), WAITED_IN_VAIN).await?;
        tx.commit().await?;
        Ok(expired)
    }
}

/// The fates of what was said, with those at these places refused.
pub(super) fn refused_at(kept_out: &[usize], mut fates: Vec<Fate>) -> Vec<Fate> {
    for place in kept_out {
        fates[*place] = Fate::Refused(self::kept_out());
    }
    fates
}

/// What is said of everything about a client that was deleted and is to stay away. It never repeats
/// the id.
pub(crate) const KEPT_OUT: &str = "is the id of a deleted client that is kept out; nothing of it is stored. To let it in again: DELETE \
     /api/v1/erased-clients/{client_id}";

pub(super) fn kept_out() -> EventError {
    EventError::new("client_id", KEPT_OUT)
}

/// Why an event is refused that nobody's memory has room for.
fn too_many_wait() -> EventError {
    EventError::new(
        "userId",
        format!(
            "belongs to no client yet, and {MAX_WAITING} events wait for theirs already; call group \
             or identify for the user first"
        ),
    )
}

/// Counts how often a transaction lost against another one.
#[derive(Default)]
pub(crate) struct Tries(u32);

impl Tries {
    /// Whether a transaction that ended so is to be run again.
    pub(crate) fn again<T>(&mut self, result: &Result<T>) -> bool {
        self.0 += 1;
        self.0 < MOST_TRIES && matches!(result, Err(Error::Store(StoreError::Conflict)))
    }
}
