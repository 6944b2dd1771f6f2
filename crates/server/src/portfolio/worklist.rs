use std::sync::Arc;

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    id::ClientId,
    portfolio::{Filter, Order, PageCursor, Standing, Summary},
    score::ScoreModel,
};
use mainstay_store::{Alert, AlertFlow, Member, Scope, Tx};

use super::Board;
use crate::{Mainstay, Result, organization::Context};

/// Number of weekly scores per client in a worklist.
pub const WORKLIST_WEEKS: usize = 8;

/// Which clients to list.
#[derive(Clone, Debug)]
pub struct WorklistQuery {
    /// The filter.
    pub filter: Filter,
    /// The order.
    pub order: Order,
    /// Only clients after this cursor.
    pub after: Option<PageCursor>,
    /// Only clients before this cursor.
    pub before: Option<PageCursor>,
    /// How many at most.
    pub size: usize,
    /// Other filters to count.
    pub others: Vec<Filter>,
    /// The day.
    pub today: Date,
    /// The start of the period for opened and ended alerts.
    pub lately: Timestamp,
}

/// A page of clients with their details.
#[derive(Clone, Debug)]
pub struct Worklist {
    /// The clients, in order.
    pub rows: Vec<WorklistRow>,
    /// The number of clients on all pages.
    pub total: usize,
    /// The number of clients before this page.
    pub before: usize,
    /// The cursor of the previous page, if any.
    pub previous: Option<PageCursor>,
    /// The cursor of the next page, if any.
    pub next: Option<PageCursor>,
    /// The summary of all clients of the organization.
    pub summary: Arc<Summary>,
    /// The number of clients for each of the other filters.
    pub counts: Vec<usize>,
    /// Recent changes of alerts.
    pub flow: AlertFlow,
    /// The organization's members.
    pub members: Vec<Member>,
    /// The model that scores are made with.
    pub model: ScoreModel,
}

/// A client of a worklist.
#[derive(Clone, Debug)]
pub struct WorklistRow {
    /// Its standing.
    pub standing: Standing,
    /// The latest score of each of the last weeks, oldest first.
    pub weekly: [Option<i64>; WORKLIST_WEEKS],
    /// Its last event.
    pub last_event_at: Option<Timestamp>,
    /// Its open alerts, the worst first.
    pub alerts: Vec<Alert>,
}

impl Mainstay {
    /// A page of the clients of an organization, with everything that is shown around it.
    pub async fn worklist(
        &self,
        scope: Scope,
        board: &Board,
        query: &WorklistQuery,
    ) -> Result<Worklist> {
        let mut tx = self.store().read(scope).await?;
        let context = Context::load(&mut tx).await?;
        let members = tx.list_members().await?;
        let flow = tx.count_alert_flow(query.lately).await?;
        let mut worklist = board.read(|portfolio| {
            let places = (query.after.as_ref(), query.before.as_ref());
            let page = portfolio.page(&query.filter, query.order, places, query.size);
            Worklist {
                total: page.total,
                before: page.before,
                previous: page.previous,
                next: page.next,
                summary: Arc::clone(portfolio.summary()),
                counts: portfolio.counts(&query.others),
                rows: page.standings.into_iter().map(WorklistRow::new).collect(),
                flow,
                members,
                model: context.model().1,
            }
        });
        let folded_until = context.organization.folded_until;
        load_details(&mut tx, query.today, folded_until, &mut worklist.rows).await?;
        Ok(worklist)
    }
}

impl WorklistRow {
    fn new(standing: &Standing) -> Self {
        Self {
            weekly: [None; WORKLIST_WEEKS],
            last_event_at: None,
            alerts: Vec::new(),
            standing: standing.clone(),
        }
    }
}

/// Loads the details that are not cached in memory.
async fn load_details(
    tx: &mut Tx,
    today: Date,
    folded_until: Option<Date>,
    rows: &mut [WorklistRow],
) -> Result<()> {
    let clients: Vec<ClientId> = rows.iter().map(|row| row.standing.client).collect();
    if clients.is_empty() {
        return Ok(());
    }
    let weekly = tx.list_weekly_scores::<WORKLIST_WEEKS>(&clients, today).await?;
    let seen = tx.list_last_seen(&clients, today, folded_until).await?;
    let mut alerts = tx.list_open_alerts_of(&clients).await?;
    for row in rows {
        let client = row.standing.client;
        row.weekly = weekly.get(&client).copied().unwrap_or([None; WORKLIST_WEEKS]);
        let scored = row.standing.score.as_ref().and_then(|score| score.last_event_at);
        row.last_event_at = seen.get(&client).copied().max(scored);
        row.alerts = alerts.remove(&client).unwrap_or_default();
    }
    Ok(())
}
