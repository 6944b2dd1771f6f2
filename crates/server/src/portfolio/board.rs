use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

use mainstay_core::{
    id::OrganizationId,
    portfolio::{Portfolio, Standing},
};
use mainstay_store::ClientRange;
use quick_cache::sync::Cache;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Maximum number of portfolios in memory; a hundred thousand clients take about 50 MB.
pub(super) const MAX_BOARDS: usize = 32;

/// The portfolios in memory.
pub(crate) struct Boards(Cache<OrganizationId, Arc<Board>>);

/// One organization's portfolio in memory.
#[derive(Debug, Default)]
pub struct Board {
    snapshot: RwLock<Snapshot>,
    /// Held while reading from the database.
    reading: Arc<Mutex<()>>,
    /// Held while refreshing the stored scores.
    refreshing: Arc<Mutex<()>>,
    /// Whether the refresh runs in the background.
    behind: AtomicBool,
}

#[derive(Debug, Default)]
struct Snapshot {
    /// The version of its data; `None` before the first read.
    version: Option<i64>,
    portfolio: Portfolio,
}

impl Default for Boards {
    fn default() -> Self {
        Self(Cache::new(MAX_BOARDS))
    }
}

impl Boards {
    pub(super) fn of(&self, organization: OrganizationId) -> Arc<Board> {
        let created: Result<_, std::convert::Infallible> =
            self.0.get_or_insert_with(&organization, || Ok(Arc::default()));
        let Ok(board) = created;
        board
    }
}

impl Board {
    /// Reads the portfolio under a lock, so be quick.
    pub fn read<T>(&self, query: impl FnOnce(&Portfolio) -> T) -> T {
        // A panic elsewhere while it was read has changed nothing.
        query(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner).portfolio)
    }

    pub(super) fn version(&self) -> Option<i64> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).version
    }

    /// The number of clients in these ranges.
    pub(super) fn count(&self, ranges: &[ClientRange]) -> usize {
        self.read(|portfolio| {
            ranges.iter().map(|range| portfolio.count_between(range.low, range.high).max(1)).sum()
        })
    }

    /// Whether it was never read, or has only few clients.
    pub(super) fn is_small(&self, few: usize) -> bool {
        self.version().is_none() || self.read(Portfolio::len) <= few
    }

    pub(super) async fn lock_reading(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.reading).lock_owned().await
    }

    pub(super) fn try_lock_reading(&self) -> Option<OwnedMutexGuard<()>> {
        Arc::clone(&self.reading).try_lock_owned().ok()
    }

    /// Locks the refresh of scores; `None` while it runs in the background.
    pub(super) async fn lock_refresh(&self) -> Option<OwnedMutexGuard<()>> {
        if self.behind.load(Ordering::Acquire) {
            return None;
        }
        Some(Arc::clone(&self.refreshing).lock_owned().await)
    }

    pub(super) fn set_behind(&self, behind: bool) {
        self.behind.store(behind, Ordering::Release);
    }

    pub(super) fn replace(&self, version: i64, read: Vec<(ClientRange, Vec<Standing>)>) {
        let mut snapshot = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        for (range, standings) in read {
            snapshot.portfolio.replace((range.low, range.high), standings);
        }
        snapshot.version = Some(version);
    }
}
