use std::sync::Arc;

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    id::ClientId,
    portfolio::{Filter, Order, Place, Standing, Summary},
    score::ScoreModel,
};
use mainstay_store::{Alert, AlertFlow, Member, Scope, Tx};

use super::Board;
use crate::{Mainstay, Result, organization::Context};

/// Weekly scores of each client in a worklist.
pub const WORKLIST_WEEKS: usize = 8;

/// Which clients to list.
#[derive(Clone, Debug)]
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
    /// Others of which only the number is wanted.
    pub others: Vec<Filter>,
    /// The day it is for.
    pub today: Date,
    /// Since when alerts are told to have opened and ended.
    pub lately: Timestamp,
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
    pub summary: Arc<Summary>,
    /// How many clients each of the other filters would show.
    pub counts: Vec<usize>,
    /// What became of alerts lately.
    pub flow: AlertFlow,
    /// The organization's members.
    pub members: Vec<Member>,
    /// The model that scores are made with.
    pub model: ScoreModel,
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
    /// A page of the clients on an organization's board, with all that is shown around it.
    pub async fn worklist(
        &self,
        scope: Scope,
        board: &Board,
        query: &WorklistQuery,
    ) -> Result<Worklist> {
        let mut tx = self.store().read(scope).await?;
        let context = Context::load(&mut tx).await?;
        let members = tx.members().await?;
        let flow = tx.alert_flow(query.lately).await?;
        let mut worklist = board.look(|portfolio| {
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
        fill_in(&mut tx, query.today, folded_until, &mut worklist.rows).await?;
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

/// What is not kept in memory, because it is only shown.
async fn fill_in(
    tx: &mut Tx,
    today: Date,
    folded_until: Option<Date>,
    rows: &mut [WorklistRow],
) -> Result<()> {
    let clients: Vec<ClientId> = rows.iter().map(|row| row.standing.client).collect();
    if clients.is_empty() {
        return Ok(());
    }
    let weekly = tx.weekly_scores::<WORKLIST_WEEKS>(&clients, today).await?;
    let seen = tx.last_seen(&clients, today, folded_until).await?;
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
