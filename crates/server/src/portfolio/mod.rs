//! The portfolio: all clients of an organization, cached in memory and updated from the changes
//! that transactions of all processes record.

mod board;
mod scores;
mod worklist;

pub use board::Board;
pub(crate) use board::Boards;
use board::MAX_BOARDS;
pub use worklist::{WORKLIST_WEEKS, Worklist, WorklistQuery, WorklistRow};

use std::sync::Arc;

use mainstay_core::{id::OrganizationId, portfolio::Standing};
use mainstay_store::{ClientRange, Scope, Tx};

use crate::{CHUNK, Mainstay, Result};

/// Maximum number of clients that are reloaded synchronously. More, as after a score run, are
/// reloaded in the background.
const MAX_INLINE_READ: usize = 1_000;

impl Mainstay {
    /// An organization's current portfolio; after a change of very many clients, slightly outdated.
    pub async fn portfolio(&self, organization: OrganizationId) -> Result<Arc<Board>> {
        let board = self.boards().of(organization);
        self.refresh(organization, &board).await?;
        if self.refresh_scores(organization, &board).await? {
            self.refresh(organization, &board).await?;
        }
        Ok(board)
    }

    /// Preloads portfolios into memory, which takes a second or two with a hundred thousand
    /// clients. Concurrent requests wait for the same read.
    pub async fn read_portfolios(self) {
        let read = async {
            for organization in self.organizations().await?.into_iter().take(MAX_BOARDS) {
                self.portfolio(organization.id).await?;
            }
            Ok::<_, crate::Error>(())
        };
        if let Err(error) = read.await {
            tracing::warn!(%error, "failed to read portfolios in advance; they are read on demand");
        }
    }

    async fn refresh(&self, organization: OrganizationId, board: &Arc<Board>) -> Result<()> {
        let version = board.version();
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let changes = tx.list_portfolio_changes(version).await?;
        // Whoever reads it again needs a connection too.
        drop(tx);
        if version == Some(changes.version) {
            return Ok(());
        }
        let few = changes.clients.is_some_and(|ranges| board.count(&ranges) <= MAX_INLINE_READ);
        if few || board.is_small(MAX_INLINE_READ) {
            let permit = board.lock_reading().await;
            let result = self.read_into(organization, board).await;
            drop(permit);
            return result;
        }
        if let Some(permit) = board.try_lock_reading() {
            let (mainstay, board) = (self.clone(), Arc::clone(board));
            self.supervisor().spawn_item("portfolio", async move {
                if let Err(error) = mainstay.read_into(organization, &board).await {
                    tracing::error!(%error, "failed to refresh the portfolio");
                }
                drop(permit);
            });
        }
        Ok(())
    }

    /// Reads the changes since the board's version, in one snapshot.
    async fn read_into(&self, organization: OrganizationId, board: &Board) -> Result<()> {
        let version = board.version();
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let changes = tx.list_portfolio_changes(version).await?;
        if version == Some(changes.version) {
            return Ok(());
        }
        let ranges = changes.clients.unwrap_or_else(|| vec![ClientRange::ALL]);
        let mut read = Vec::with_capacity(ranges.len());
        for range in ranges {
            read.push((range, read_range(&mut tx, range).await?));
        }
        board.replace(changes.version, read);
        Ok(())
    }
}

async fn read_range(tx: &mut Tx, range: ClientRange) -> Result<Vec<Standing>> {
    let mut standings = Vec::new();
    let mut rest = Some(range);
    while let Some(range) = rest {
        let chunk = tx.list_standings(range, CHUNK).await?;
        let full = i64::try_from(chunk.len()).is_ok_and(|len| len == CHUNK);
        let last = chunk.last().map(|standing| standing.client).filter(|_| full);
        rest = last.and_then(|last| range.after(last));
        standings.extend(chunk);
    }
    Ok(standings)
}
