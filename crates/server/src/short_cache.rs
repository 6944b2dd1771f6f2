//! A cache for less than a second, of what every request looks up.

use std::hash::Hash;

use jiff::{SignedDuration, Timestamp};
use quick_cache::sync::Cache;

/// Lifetime of an entry: changes by other processes apply within a second.
const TTL: SignedDuration = SignedDuration::from_millis(900);

/// A short-lived cache, cleared when this process changes the data.
#[derive(Debug)]
pub(crate) struct ShortCache<K, V>(Cache<K, (Timestamp, V)>);

impl<K: Hash + Eq, V: Clone> ShortCache<K, V> {
    /// Creates a cache with a maximum size.
    pub(crate) fn new(max: usize) -> Self {
        Self(Cache::new(max))
    }

    /// The cached value of a key at an instant.
    pub(crate) fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let (known_at, value) = self.0.get(key)?;
        // A clock that was set back must not make something last.
        (now.duration_since(known_at).abs() < TTL).then_some(value)
    }

    /// Inserts a value that was read at an instant.
    pub(crate) fn insert(&self, key: K, value: V, now: Timestamp) {
        self.0.insert(key, (now, value));
    }

    /// Clears the cache, after a change in this process.
    pub(crate) fn clear(&self) {
        self.0.clear();
    }
}
