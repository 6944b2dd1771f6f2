//! Clients that are known by name without asking the database: looking five thousand names up took a
//! quarter of the time that it takes to store their events.

use mainstay_core::id::{ClientId, OrganizationId};
use quick_cache::{Equivalent, sync::Cache};

use crate::ResolvedClient;

/// Clients that are kept in mind, of all organizations; about 150 bytes each.
const MAX_CLIENTS: usize = 250_000;

/// Names of clients in mind, shared by all transactions of a store.
///
/// A client's id never changes, and only an event that is stored moves its `created_at`, which is
/// forgotten then; on another node it may stay later than it is, which costs a statement and changes
/// nothing. What could be wrong is a client that was deleted: each entry says how many deletions its
/// organization had seen.
#[derive(Debug)]
pub(crate) struct KnownClients(Cache<(OrganizationId, Box<str>), CachedClient>);

#[derive(Clone, Copy, Debug)]
struct CachedClient {
    client: ResolvedClient,
    /// Whether it is marked so in the database.
    marked: bool,
    deletions: i64,
}

/// What a transaction found out, to be kept in mind when it is committed: a client that it created
/// is nobody if it is not.
#[derive(Debug, Default)]
pub(crate) struct CacheUpdate {
    clients: Vec<(OrganizationId, Box<str>, CachedClient)>,
    moved: Vec<ClientId>,
}

#[derive(Hash)]
struct Name<'a>(OrganizationId, &'a str);

impl Equivalent<(OrganizationId, Box<str>)> for Name<'_> {
    fn equivalent(&self, key: &(OrganizationId, Box<str>)) -> bool {
        self.0 == key.0 && self.1 == &*key.1
    }
}

impl Default for KnownClients {
    fn default() -> Self {
        Self(Cache::new(MAX_CLIENTS))
    }
}

impl KnownClients {
    /// The client of a name, when it is in mind since the last deletion, and whether it is marked as known.
    pub(crate) fn get(
        &self,
        organization: OrganizationId,
        name: &str,
        deletions: i64,
    ) -> Option<(ResolvedClient, bool)> {
        let known = self.0.get(&Name(organization, name))?;
        (known.deletions == deletions).then_some((known.client, known.marked))
    }

    /// Keeps what a committed transaction found out.
    pub(crate) fn insert(&self, learned: CacheUpdate) {
        for (organization, name, known) in learned.clients {
            self.0.insert((organization, name), known);
        }
        if !learned.moved.is_empty() {
            self.0.retain(|_, known| !learned.moved.contains(&known.client.id));
        }
    }
}

impl CacheUpdate {
    /// A client that is there, after so many deletions.
    pub(crate) fn client(
        &mut self,
        organization: OrganizationId,
        name: &str,
        (client, marked): (ResolvedClient, bool),
        deletions: i64,
    ) {
        self.clients.push((organization, name.into(), CachedClient { client, marked, deletions }));
    }

    /// Clients whose `created_at` was moved.
    pub(crate) fn invalidate(&mut self, clients: impl IntoIterator<Item = ClientId>) {
        self.moved.extend(clients);
    }
}
