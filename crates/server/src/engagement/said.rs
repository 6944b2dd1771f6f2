//! Storing what was said of clients: what they did, who they are, and who belongs to whom.

use std::{borrow::Cow, collections::HashMap};

use mainstay_core::{
    engagement::{Event, EventError, ProfileChange, segment::Said},
    id::OrganizationId,
    time::{local_day, time_zone},
};
use mainstay_store::{
    AccountUser, Outcome, ResolvedClient, RollUp, Scope, Seen, StorableEvent, StoreError, Tx,
};

use crate::{Error, Mainstay, Result};

/// How often a transaction that lost against another one is run again.
const MOST_TRIES: u32 = 5;
/// Events from which on it is cheaper to put what is rolled up in its place with them.
const MANY: usize = 4_000;

/// What became of something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// An event that is new, and on disk.
    Stored,
    /// An event that was there already.
    Duplicate,
    /// Something about clients that is known now, and on disk.
    Learned,
    /// It cannot be kept.
    Refused(EventError),
}

/// The host app's id of the client that each of what was said is about, if it is about one.
pub(crate) type Names<'a> = Vec<Option<Cow<'a, str>>>;

impl From<Outcome> for Fate {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Stored => Self::Stored,
            Outcome::Duplicate => Self::Duplicate,
        }
    }
}

impl Mainstay {
    /// Stores what was said in one transaction, again when it lost against another one. Ids that mean
    /// the same client are settled first, each by itself.
    pub(crate) async fn store_said(
        &self,
        organization: OrganizationId,
        said: &[Said],
    ) -> Result<Vec<Fate>> {
        for one in said {
            if let Said::Alias { previous, client_id } = one {
                self.merge(organization, previous, client_id).await?;
            }
        }
        if said.iter().all(|one| matches!(one, Said::Alias { .. } | Said::Nothing)) {
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
            (Said::Did(event) | Said::DidForAccount(event), Fate::Stored) => {
                Some((name.as_deref()?, event))
            }
            _ => None,
        });
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

    async fn merge(
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
        let zone = zone_of(&mut tx).await?;
        tx.merge_client(previous, client_id, &zone, self.now()).await?;
        Ok(tx.commit().await?)
    }

    /// Stores what was said within a transaction of its organization; answers whose each of it is and
    /// what became of it. Ids that mean the same client are left alone.
    pub(crate) async fn store_said_in<'a>(
        &self,
        tx: &mut Tx,
        said: &'a [Said],
        roll_up: RollUp,
    ) -> Result<(Names<'a>, Vec<Fate>)> {
        let zone = zone_of(tx).await?;
        let names = whose(tx, said).await?;
        let seen: Vec<Seen<'_>> = said
            .iter()
            .zip(&names)
            .filter_map(|(said, name)| {
                Some(Seen { external_id: name.as_deref()?, first_at: told_at(said)? })
            })
            .collect();
        let mut resolved = tx.resolve_clients(&seen, self.now()).await?.into_iter();
        let clients: Vec<Option<ResolvedClient>> =
            names.iter().map(|name| name.as_ref().and_then(|_| resolved.next())).collect();

        let mut fates = vec![Fate::Learned; said.len()];
        let (mut places, mut events) = (Vec::new(), Vec::new());
        let mut profiles: Vec<(_, &ProfileChange)> = Vec::new();
        let mut accounts: HashMap<&str, AccountUser<'_>> = HashMap::new();
        for (place, (said, client)) in said.iter().zip(&clients).enumerate() {
            let Some(client) = client else {
                if matches!(said, Said::DidForAccount(_)) {
                    fates[place] = Fate::Refused(no_account());
                }
                continue;
            };
            match said {
                Said::Did(event) | Said::DidForAccount(event) => {
                    let local_day = local_day(event.occurred_at, &zone);
                    events.push(StorableEvent { client: *client, local_day, event });
                    places.push(place);
                }
                Said::Told(change) => profiles.push((client.id, change)),
                Said::Joined { user, account } => {
                    profiles.push((client.id, account));
                    let told = AccountUser { user_id: user, account: client.id, since: account.at };
                    let known = accounts.entry(user).or_insert_with(|| told.clone());
                    if known.since <= told.since {
                        *known = told;
                    }
                }
                Said::Alias { .. } | Said::Nothing => {}
            }
        }
        for (place, outcome) in places.into_iter().zip(tx.store_events(&events, roll_up).await?) {
            fates[place] = outcome.into();
        }
        tx.learn_profiles(&profiles).await?;
        let accounts: Vec<AccountUser<'_>> = accounts.into_values().collect();
        tx.set_accounts(&accounts).await?;
        Ok((names, fates))
    }
}

/// Counts how often a transaction lost against another one.
#[derive(Default)]
pub(super) struct Tries(u32);

impl Tries {
    /// Whether a transaction that ended so is to be run again.
    pub(super) fn again<T>(&mut self, result: &Result<T>) -> bool {
        self.0 += 1;
        self.0 < MOST_TRIES && matches!(result, Err(Error::Store(StoreError::Conflict)))
    }
}

async fn zone_of(tx: &mut Tx) -> Result<jiff::tz::TimeZone> {
    let organization = tx.organization().await?;
    time_zone(&organization.time_zone).map_err(|reason| Error::invalid("time_zone", reason))
}

fn told_at(said: &Said) -> Option<jiff::Timestamp> {
    match said {
        Said::Did(event) | Said::DidForAccount(event) => Some(event.occurred_at),
        Said::Told(change) | Said::Joined { account: change, .. } => Some(change.at),
        Said::Alias { .. } | Said::Nothing => None,
    }
}

/// The client that each of it is about. A user's is the account it was last said to belong to: before
/// it in the same batch, else before the batch, else after it in the batch.
async fn whose<'a>(tx: &mut Tx, said: &'a [Said]) -> Result<Names<'a>> {
    let mut users: Vec<&str> = said
        .iter()
        .filter_map(|said| match said {
            Said::DidForAccount(event) => Some(event.client_id.as_str()),
            _ => None,
        })
        .collect();
    users.sort_unstable();
    users.dedup();
    let mut accounts = tx.accounts_of(&users).await?;
    for one in said {
        if let Said::Joined { user, account } = one {
            accounts.entry(user.clone()).or_insert_with(|| account.client_id.clone());
        }
    }
    Ok(said
        .iter()
        .map(|said| match said {
            Said::Did(Event { client_id, .. }) | Said::Told(ProfileChange { client_id, .. }) => {
                Some(Cow::from(client_id))
            }
            Said::DidForAccount(event) => accounts.get(&event.client_id).cloned().map(Cow::from),
            Said::Joined { user, account } => {
                accounts.insert(user.clone(), account.client_id.clone());
                Some(Cow::from(&account.client_id))
            }
            Said::Alias { .. } | Said::Nothing => None,
        })
        .collect())
}

fn no_account() -> EventError {
    EventError::new(
        "userId",
        "belongs to no account yet, and this organization's clients are accounts; call group for \
         the user first, or send context.groupId",
    )
}
