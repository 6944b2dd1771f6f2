//! An organization's clients side by side: how each one stands, who needs a person first, and
//! finding, filtering and paging them.
//!
//! All of it is kept in memory and not asked of a database: with so many ways to filter and to sort,
//! no index serves them all, and looking through a hundred thousand clients here takes a millisecond
//! or two.

mod facts;
mod filter;
mod order;
mod page;
mod standing;
mod summary;
mod tally;
mod texts;

pub use filter::{AlertChoice, AlertMatch, Filter, OwnerChoice};
pub use order::{Order, PageCursor, Sort};
pub use page::Page;
pub use standing::{OpenAlert, Standing, StandingScore};
pub use summary::Summary;

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use crate::id::ClientId;
use facts::Facts;
use tally::Tally;
use texts::Texts;

/// Every client of an organization, as it stands.
#[derive(Debug, Default)]
pub struct Portfolio {
    /// In the order of the clients' ids.
    entries: Vec<Entry>,
    /// Of each entry, what it is found and sorted by.
    facts: Vec<Facts>,
    /// What searches read, made by the first one after a change.
    texts: OnceLock<Texts>,
    tally: OnceLock<Tally>,
    summary: OnceLock<Arc<Summary>>,
}

/// A client with the text that it is found by.
#[derive(Debug)]
struct Entry {
    standing: Standing,
    /// Name, id and address in small letters, a line each: no word that is searched for holds the
    /// line's end, so none spans two of them.
    text: String,
}

impl Entry {
    fn new(standing: Standing) -> Self {
        let name = standing.name.as_deref().map_or("", str::trim);
        let name = if name.is_empty() { &standing.external_id } else { name };
        let email = standing.email.as_deref().unwrap_or_default();
        let lines = [name, &standing.external_id, email];
        // A name of two lines is found by either, and sorted by the first.
        let text = lines.map(str::to_lowercase).join("\n");
        Self { standing, text }
    }

    /// Returns the sort key of the order by name.
    fn name(&self) -> &str {
        self.text.split('\n').next().unwrap_or_default()
    }
}

impl Portfolio {
    /// Puts clients in the place of all whose ids lie in `[low, high]`; they come in the order of their
    /// ids. So what is gone goes, too.
    pub fn replace(&mut self, (low, high): (ClientId, ClientId), standings: Vec<Standing>) {
        let range = self.range(low, high);
        let entries: Vec<Entry> = standings.into_iter().map(Entry::new).collect();
        let facts = entries.iter().map(|entry| Facts::new(&entry.standing, entry.name()));
        self.facts.splice(range.clone(), facts);
        self.entries.splice(range, entries);
        self.texts = OnceLock::new();
        self.tally = OnceLock::new();
        self.summary = OnceLock::new();
    }

    /// How many clients have an id in `[low, high]`.
    pub fn count_between(&self, low: ClientId, high: ClientId) -> usize {
        self.range(low, high).len()
    }

    /// Number of clients.
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

    /// How many open alerts there are like this, of an owner's clients if one is given.
    pub fn open_alerts(&self, owner: Option<OwnerChoice>, like: AlertMatch) -> i64 {
        let like = like.into();
        self.facts.iter().map(|facts| facts.open_alerts(owner, like)).sum()
    }

    /// Total.
    pub fn summary(&self) -> &Arc<Summary> {
        self.summary.get_or_init(|| Arc::new(Summary::of(self.standings())))
    }

    fn tally(&self) -> &Tally {
        self.tally.get_or_init(|| Tally::of(self.standings()))
    }

    fn texts(&self) -> &Texts {
        self.texts.get_or_init(|| Texts::new(self.entries.iter().map(|entry| entry.text.as_str())))
    }

    fn range(&self, low: ClientId, high: ClientId) -> Range<usize> {
        let first = self.entries.partition_point(|entry| entry.standing.client < low);
        let end = self.entries.partition_point(|entry| entry.standing.client <= high);
        first..end.max(first)
    }
}
