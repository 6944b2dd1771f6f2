//! Refreshing the stored scores before a portfolio is shown, so that lists, counts and median agree
//! with all other pages.

use std::sync::Arc;

use mainstay_core::{
    id::OrganizationId,
    portfolio::Standing,
    time::{local_day, start_of_day},
};
use mainstay_store::{ResolvedClient, Scope};

use super::Board;
use crate::{Mainstay, Result, organization::Context};

/// Maximum number of clients whose scores are computed synchronously. More, as after midnight in a
/// large organization with a late daily job, are refreshed in the background.
const MAX_INLINE_SCORES: usize = 500;

/// While it lives, nobody waits for the scores; when the refresh ends for any reason, they are
/// checked again.
struct BackgroundRefresh(Arc<Board>);

impl BackgroundRefresh {
    fn of(board: &Arc<Board>) -> Self {
        board.set_behind(true);
        Self(Arc::clone(board))
    }
}

impl Drop for BackgroundRefresh {
    fn drop(&mut self) {
        self.0.set_behind(false);
    }
}

impl Mainstay {
    /// Stores the current scores of all clients whose stored scores are outdated. Returns whether
    /// anything was stored.
    pub(super) async fn refresh_scores(
        &self,
        organization: OrganizationId,
        board: &Arc<Board>,
    ) -> Result<bool> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let now = self.now();
        let context = Context::load(&mut tx).await?;
        if context.organization.zone_change_since.is_some() {
            // Nothing is stored that rests on the days of two zones.
            return Ok(false);
        }
        let outdated = tx.scores_are_outdated(now).await?;
        drop(tx);
        let midnight = start_of_day(local_day(now, &context.zone), &context.zone);
        let of_day = board.read(|portfolio| portfolio.summary().is_of_day(midnight));
        if of_day && !outdated {
            return Ok(false);
        }
        let Some(permit) = board.lock_refresh().await else { return Ok(false) };
        let limit = i64::try_from(MAX_INLINE_SCORES + 1).unwrap_or(i64::MAX);
        let mut clients: Vec<(ResolvedClient, String)> = self
            .clients_to_refresh(organization, limit)
            .await?
            .into_iter()
            .map(|stale| {
                let client = ResolvedClient { id: stale.client, created_at: stale.created_at };
                (client, stale.external_id)
            })
            .collect();
        board.read(|portfolio| {
            let other_day = |standing: &&Standing| {
                standing.score.as_ref().is_none_or(|score| !score.is_of_day(midnight))
            };
            clients.extend(
                portfolio.standings().filter(other_day).take(MAX_INLINE_SCORES + 1).map(
                    |standing| {
                        let Standing { client, created_at, external_id, .. } = standing;
                        let client = ResolvedClient { id: *client, created_at: *created_at };
                        (client, external_id.clone())
                    },
                ),
            );
        });
        clients.sort_by_key(|(client, _)| client.id);
        clients.dedup_by_key(|(client, _)| client.id);
        if clients.len() <= MAX_INLINE_SCORES {
            self.refresh_clients(organization, &clients).await?;
            return Ok(true);
        }
        let (mainstay, behind) = (self.clone(), BackgroundRefresh::of(board));
        tokio::spawn(async move {
            if let Err(error) = mainstay.score_as_shown(organization, None, false, |_| ()).await {
                tracing::error!(%error, %organization, "failed to refresh scores");
            }
            drop((behind, permit));
        });
        Ok(false)
    }
}
