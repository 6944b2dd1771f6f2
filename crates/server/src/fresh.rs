//! What is looked up with every request, kept in memory for less than a second.

use std::hash::Hash;

use jiff::{SignedDuration, Timestamp};
use quick_cache::sync::Cache;

/// How long something is kept: what another process changes counts here within a second.
const KEPT: SignedDuration = SignedDuration::from_millis(900);

/// Values by key that are forgotten after a moment, and when they are changed here.
#[derive(Debug)]
pub(crate) struct Fresh<K, V>(Cache<K, (Timestamp, V)>);

impl<K: Hash + Eq, V: Clone> Fresh<K, V> {
    /// Keeps at most so many.
    pub(crate) fn new(most: usize) -> Self {
        Self(Cache::new(most))
    }

    /// What is known of a key at an instant.
    pub(crate) fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let (known_at, value) = self.0.get(key)?;
        // A clock that was set back must not make something last.
        (now.duration_since(known_at).abs() < KEPT).then_some(value)
    }

    /// Keeps what was found at an instant, at the latest.
    pub(crate) fn keep(&self, key: K, value: V, now: Timestamp) {
        self.0.insert(key, (now, value));
    }

    /// Forgets everything: something was changed here.
    pub(crate) fn clear(&self) {
        self.0.clear();
    }
}
