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

/// Organizations whose portfolio is kept in memory; a hundred thousand clients take about 50 MB.
pub(super) const MOST_KEPT: usize = 32;

/// The portfolios in memory.
pub(crate) struct Boards(Cache<OrganizationId, Arc<Board>>);

/// One organization's portfolio in memory.
#[derive(Debug, Default)]
pub struct Board {
    kept: RwLock<Kept>,
    /// Held by whoever reads it again.
    reading: Arc<Mutex<()>>,
    /// Held by whoever brings the stored scores up to date first.
    refreshing: Arc<Mutex<()>>,
    /// Whether that takes so long that nobody waits for it.
    behind: AtomicBool,
}

#[derive(Debug, Default)]
struct Kept {
    /// What it is up to date with; `None` before it was read for the first time.
    version: Option<i64>,
    portfolio: Portfolio,
}

impl Default for Boards {
    fn default() -> Self {
        Self(Cache::new(MOST_KEPT))
    }
}

impl Boards {
    pub(super) fn of(&self, organization: OrganizationId) -> Arc<Board> {
        let made: Result<_, std::convert::Infallible> =
            self.0.get_or_insert_with(&organization, || Ok(Arc::default()));
        let Ok(board) = made;
        board
    }
}

impl Board {
    /// Looks at the portfolio. Nobody changes it meanwhile, so be quick.
    pub fn look<T>(&self, look: impl FnOnce(&Portfolio) -> T) -> T {
        // A panic elsewhere while it was read has changed nothing.
        look(&self.kept.read().unwrap_or_else(PoisonError::into_inner).portfolio)
    }

    pub(super) fn version(&self) -> Option<i64> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).version
    }

    /// How many clients lie in these stretches.
    pub(super) fn count(&self, ranges: &[ClientRange]) -> usize {
        self.look(|portfolio| {
            ranges.iter().map(|range| portfolio.count_between(range.low, range.high).max(1)).sum()
        })
    }

    /// Whether it was never read, or has few clients anyway.
    pub(super) fn is_small(&self, few: usize) -> bool {
        self.version().is_none() || self.look(Portfolio::len) <= few
    }

    pub(super) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.reading).lock_owned().await
    }

    pub(super) fn try_turn(&self) -> Option<OwnedMutexGuard<()>> {
        Arc::clone(&self.reading).try_lock_owned().ok()
    }

    /// The turn to bring scores up to date; `None` while that goes on behind what is shown.
    pub(super) async fn refresh_turn(&self) -> Option<OwnedMutexGuard<()>> {
        if self.behind.load(Ordering::Acquire) {
            return None;
        }
        Some(Arc::clone(&self.refreshing).lock_owned().await)
    }

    pub(super) fn set_behind(&self, behind: bool) {
        self.behind.store(behind, Ordering::Release);
    }

    pub(super) fn replace(&self, version: i64, read: Vec<(ClientRange, Vec<Standing>)>) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        for (range, standings) in read {
            kept.portfolio.replace((range.low, range.high), standings);
        }
        kept.version = Some(version);
    }
}
