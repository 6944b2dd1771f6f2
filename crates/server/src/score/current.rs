//! The facts of current scores: as of each client's last event or the last midnight.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use mainstay_core::{
    engagement::Windows,
    id::ClientId,
    score::displayed_as_of,
    time::{add_days, local_day, start_of_day},
};
use mainstay_store::{ClientChunk, ClientFacts, ClientHistory, Tx};

use super::{ScoringContext, just_after};
use crate::{Result, organization::Context};

/// Days that a score looks back: two weeks, and one day for clock changes.
pub(crate) const LOOKBACK_DAYS: i32 = 15;

/// The facts of each client of a chunk at the instant of its current score, in the order of the
/// chunk. Most clients have no events today: their facts are computed together, as of midnight.
pub(crate) async fn shown_facts(
    tx: &mut Tx,
    context: &Context,
    chunk: &ClientChunk,
    now: Timestamp,
    detailed: bool,
) -> Result<Vec<ClientFacts>> {
    let today = local_day(now, &context.zone);
    let midnight = start_of_day(today, &context.zone);
    let version = context.version_at(midnight);
    let scoring = ScoringContext::with_model(context, midnight, detailed, version);
    let mut facts = tx.list_client_facts(chunk, &scoring.range, (version, &scoring.model)).await?;
    let changed = tx.list_changed_clients(chunk, (today, &context.zone), now).await?;
    if changed.is_empty() {
        return Ok(facts);
    }
    let changed: HashSet<ClientId> = changed.into_iter().collect();
    let mut clients = chunk.clients.clone();
    clients.retain(|(client, _)| changed.contains(&client.id));
    let (_, own) = history_facts(tx, context, &ClientChunk::from_selection(clients), now).await?;
    let mut own: HashMap<ClientId, ClientFacts> =
        own.into_iter().map(|facts| (facts.client, facts)).collect();
    for facts in &mut facts {
        let Some(mut own) = own.remove(&facts.client) else { continue };
        own.activity.rhythm = std::mem::take(&mut facts.activity.rhythm);
        if own.activity.last_event_at.is_some_and(|last| last >= midnight) {
            own.activity.rhythm.insert(today);
        }
        *facts = own;
    }
    Ok(facts)
}

/// The same for a few clients, with their histories; without their rhythm.
pub(super) async fn history_facts(
    tx: &mut Tx,
    context: &Context,
    chunk: &ClientChunk,
    now: Timestamp,
) -> Result<(Vec<ClientHistory>, Vec<ClientFacts>)> {
    let histories = tx.list_client_histories(chunk, days_before(context, now)).await?;
    let mut facts: Vec<ClientFacts> =
        histories.iter().map(|history| shown_facts_of(history, context, now)).collect();
    tx.add_earlier_scores(&mut facts, &context.zone).await?;
    Ok((histories, facts))
}

/// The days that a score at `now` covers.
pub(super) fn days_before(
    context: &Context,
    now: Timestamp,
) -> (jiff::civil::Date, jiff::civil::Date) {
    let today = local_day(now, &context.zone);
    (add_days(today, -LOOKBACK_DAYS), today)
}

/// A client's facts at the instant of its current score, without the previous score.
pub(super) fn shown_facts_of(
    history: &ClientHistory,
    context: &Context,
    now: Timestamp,
) -> ClientFacts {
    let as_of = displayed_as_of(history.last_event_before(now), now, &context.zone);
    let known_at = history.last_change_before(now).map(just_after).filter(|at| *at > as_of);
    facts_at(history, context, (as_of, known_at))
}

/// A client's facts at an instant, for the model of that time.
pub(super) fn facts_at(
    history: &ClientHistory,
    context: &Context,
    (as_of, known_at): (Timestamp, Option<Timestamp>),
) -> ClientFacts {
    let model = context.model_ref(context.version_at(as_of));
    let windows = Windows::at(as_of, context.zone.clone());
    history.facts(&windows, known_at, model.satisfaction.days)
}
