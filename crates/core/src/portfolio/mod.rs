//! An organization's clients side by side: how each one stands, who needs a person first, and
//! finding, filtering and paging them.
//!
//! All of it is kept in memory and not asked of a database: with so many ways to filter and to sort,
//! no index serves them all, and looking through a hundred thousand clients here takes milliseconds.

mod query;
mod standing;
mod summary;

pub use query::{AlertChoice, AlertLike, Filter, Order, OwnerChoice, Page, Place, Sort};
pub use standing::{OpenAlert, Standing, StandingScore};
pub use summary::Summary;

use std::sync::OnceLock;

use crate::id::ClientId;
use query::Entry;

/// Every client of an organization, as it stands.
#[derive(Debug, Default)]
pub struct Portfolio {
    /// In the order of the clients' ids.
    entries: Vec<Entry>,
    summary: OnceLock<Summary>,
}

impl Portfolio {
    /// Puts clients in the place of all whose ids lie in `[low, high]`; they come in the order of their
    /// ids. So what is gone goes, too.
    pub fn replace(&mut self, (low, high): (ClientId, ClientId), standings: Vec<Standing>) {
        let range = self.range(low, high);
        self.entries.splice(range, standings.into_iter().map(Entry::new));
        self.summary = OnceLock::new();
    }

    /// How many clients have an id in `[low, high]`.
    pub fn count_between(&self, low: ClientId, high: ClientId) -> usize {
        self.range(low, high).len()
    }

    /// How many clients there are.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Each client, in the order of the ids.
    pub fn standings(&self) -> impl Iterator<Item = &Standing> {
        self.entries.iter().map(|entry| &entry.standing)
    }

    /// One client.
    pub fn standing(&self, client: ClientId) -> Option<&Standing> {
        let found =
            self.entries.binary_search_by_key(&client, |entry| entry.standing.client).ok()?;
        self.entries.get(found).map(|entry| &entry.standing)
    }

    /// What they come to together.
    pub fn summary(&self) -> &Summary {
        self.summary.get_or_init(|| Summary::of(self.standings()))
    }

    fn range(&self, low: ClientId, high: ClientId) -> std::ops::Range<usize> {
        let first = self.entries.partition_point(|entry| entry.standing.client < low);
        let end = self.entries.partition_point(|entry| entry.standing.client <= high);
        first..end.max(first)
    }
}
