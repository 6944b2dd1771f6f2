use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    id::{ClientId, OrganizationId},
    portfolio::{Filter, Order, Place, Standing, Summary},
};
use mainstay_store::{Alert, Scope};

use crate::{Mainstay, Result};

/// Weekly scores of each client in a worklist.
pub const WORKLIST_WEEKS: usize = 8;

/// Which clients to list.
#[derive(Clone, Debug, Default)]
pub struct WorklistQuery {
    /// Which of them.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// Only those after this place.
    pub after: Option<Place>,
    /// Only those before this place, the last of them.
    pub before: Option<Place>,
    /// How many at most.
    pub size: usize,
}

/// A page of clients with what each row tells.
#[derive(Clone, Debug)]
pub struct Worklist {
    /// The clients, in order.
    pub rows: Vec<WorklistRow>,
    /// How many there are on all pages.
    pub total: usize,
    /// How many come before this page.
    pub before: usize,
    /// Where this page begins, if one comes before it.
    pub previous: Option<Place>,
    /// Where this page ends, if one comes after it.
    pub next: Option<Place>,
    /// What all clients of the organization come to.
    pub summary: Summary,
    /// How many clients each of some other filters would show.
    pub counts: Vec<usize>,
}

/// A client of a worklist.
#[derive(Clone, Debug)]
pub struct WorklistRow {
    /// How it stands.
    pub standing: Standing,
    /// The latest score of each of the last weeks, the oldest first.
    pub weekly: [Option<i64>; WORKLIST_WEEKS],
    /// Its last event.
    pub last_event_at: Option<Timestamp>,
    /// Its open alerts, the worst first.
    pub alerts: Vec<Alert>,
}

impl Mainstay {
    /// A page of an organization's clients, and how many clients some other filters would show.
    pub async fn worklist(
        &self,
        organization: OrganizationId,
        query: &WorklistQuery,
        others: &[Filter],
        today: Date,
    ) -> Result<Worklist> {
        let board = self.portfolio(organization).await?;
        let mut worklist = board.look(|portfolio| {
            let places = (query.after.as_ref(), query.before.as_ref());
            let page = portfolio.page(&query.filter, query.order, places, query.size);
            Worklist {
                total: page.total,
                before: page.before,
                previous: page.previous,
                next: page.next,
                summary: portfolio.summary().clone(),
                counts: others.iter().map(|filter| portfolio.count(filter)).collect(),
                rows: page
                    .standings
                    .into_iter()
                    .map(|standing| WorklistRow {
                        weekly: [None; WORKLIST_WEEKS],
                        last_event_at: None,
                        alerts: Vec::new(),
                        standing: standing.clone(),
                    })
                    .collect(),
            }
        });
        self.fill_in(organization, today, &mut worklist.rows).await?;
        Ok(worklist)
    }

    /// What is not kept in memory, because it is only shown.
    async fn fill_in(
        &self,
        organization: OrganizationId,
        today: Date,
        rows: &mut [WorklistRow],
    ) -> Result<()> {
        let clients: Vec<ClientId> = rows.iter().map(|row| row.standing.client).collect();
        if clients.is_empty() {
            return Ok(());
        }
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let weekly = tx.weekly_scores::<WORKLIST_WEEKS>(&clients, today).await?;
        let seen = tx.last_seen(&clients, today).await?;
        let mut alerts = tx.open_alerts_of(&clients).await?;
        for row in rows {
            let client = row.standing.client;
            row.weekly = weekly.get(&client).copied().unwrap_or([None; WORKLIST_WEEKS]);
            let scored = row.standing.score.as_ref().and_then(|score| score.last_event_at);
            row.last_event_at = seen.get(&client).copied().max(scored);
            row.alerts = alerts.remove(&client).unwrap_or_default();
        }
        Ok(())
    }
}
