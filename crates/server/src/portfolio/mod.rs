//! The portfolio: all clients of an organization side by side, kept in memory and brought up to date
//! by what transactions say that they changed, in whichever process.

mod board;
mod scores;
mod worklist;

pub use board::Board;
pub(crate) use board::Boards;
use board::MOST_KEPT;
pub use worklist::{WORKLIST_WEEKS, Worklist, WorklistQuery, WorklistRow};

use std::sync::Arc;

use mainstay_core::{id::OrganizationId, portfolio::Standing};
use mainstay_store::{ClientRange, Scope, Tx};

use crate::{CHUNK, Mainstay, Result};

/// Clients that are read again before anything is shown. More of them, as after a score run, are read
/// behind what is shown meanwhile.
const READ_AT_ONCE: usize = 1_000;

impl Mainstay {
    /// An organization's portfolio as it is now, with the scores that are shown everywhere; after a
    /// change of very many clients, as it was a moment ago.
    pub async fn portfolio(&self, organization: OrganizationId) -> Result<Arc<Board>> {
        let board = self.boards().of(organization);
        self.refresh(organization, &board).await?;
        if self.refresh_scores(organization, &board).await? {
            self.refresh(organization, &board).await?;
        }
        Ok(board)
    }

    /// Reads portfolios into memory before anybody asks for one, which takes a second or two with a
    /// hundred thousand clients. Whoever asks meanwhile waits for the same reading.
    pub async fn read_portfolios(self) {
        let read = async {
            for organization in self.organizations().await?.into_iter().take(MOST_KEPT) {
                self.portfolio(organization.id).await?;
            }
            Ok::<_, crate::Error>(())
        };
        if let Err(error) = read.await {
            tracing::warn!(%error, "portfolios are read when they are asked for");
        }
    }

    async fn refresh(&self, organization: OrganizationId, board: &Arc<Board>) -> Result<()> {
        let known = board.version();
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let changes = tx.portfolio_changes(known).await?;
        // Whoever reads it again needs a connection too.
        drop(tx);
        if known == Some(changes.version) {
            return Ok(());
        }
        let few = changes.clients.is_some_and(|ranges| board.count(&ranges) <= READ_AT_ONCE);
        if few || board.is_small(READ_AT_ONCE) {
            let turn = board.turn().await;
            let done = self.read_into(organization, board).await;
            drop(turn);
            return done;
        }
        if let Some(turn) = board.try_turn() {
            let (mainstay, board) = (self.clone(), Arc::clone(board));
            self.supervisor().spawn_item("portfolio", async move {
                if let Err(error) = mainstay.read_into(organization, &board).await {
                    tracing::error!(%error, "the portfolio could not be read again");
                }
                drop(turn);
            });
        }
        Ok(())
    }

    /// Reads what changed since the board's version, all of one moment.
    async fn read_into(&self, organization: OrganizationId, board: &Board) -> Result<()> {
        let known = board.version();
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let changes = tx.portfolio_changes(known).await?;
        if known == Some(changes.version) {
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
        let chunk = tx.standings(range, CHUNK).await?;
        let full = i64::try_from(chunk.len()).is_ok_and(|len| len == CHUNK);
        let last = chunk.last().map(|standing| standing.client).filter(|_| full);
        rest = last.and_then(|last| range.after(last));
        standings.extend(chunk);
    }
    Ok(standings)
}
