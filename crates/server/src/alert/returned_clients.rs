//! Ends silences with the next event, not an hour later: silent clients with new events are checked
//! within a second or two.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use mainstay_core::{alert::Family, id::OrganizationId};
use mainstay_store::{ClientChunk, ResolvedClient, Scope};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use super::{Check, Holds};
use crate::{
    Mainstay, Result,
    organization::Context,
    playbook::PlaybookCounts,
    supervise::{OnPanic, RETURNS},
};

/// How often to check for returned clients.
const TICK: Duration = Duration::from_secs(1);
/// Maximum number of clients of an organization between two checks. In a flood of events, the rest
/// waits for the hourly check.
const MAX_PENDING: usize = 50_000;
/// Clients per transaction.
const CHUNK_SIZE: usize = 500;
/// Up to this number, clients are checked one by one: a range of ids between two clients may
/// contain many others, whose alerts would also be read.
const MAX_ONE_BY_ONE: usize = 20;
/// The alerts that an event ends immediately. Score alerts are evaluated at the end of a day.
const EVENT_ENDED_FAMILIES: [Family; 2] = [Family::Silence, Family::ChurnRisk];

/// The clients with events since the last check, by the host app's ids.
#[derive(Debug, Default)]
pub(crate) struct ReturnedClients(Mutex<HashMap<OrganizationId, HashSet<Box<str>>>>);

impl ReturnedClients {
    /// Records clients with new events.
    pub(crate) fn record<'a>(
        &self,
        organization: OrganizationId,
        clients: impl IntoIterator<Item = &'a str>,
    ) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = noted.entry(organization).or_default();
        for client in clients {
            if noted.len() < MAX_PENDING && !noted.contains(client) {
                noted.insert(client.into());
            }
        }
    }

    fn drain(&self) -> HashMap<OrganizationId, HashSet<Box<str>>> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Checks for returned clients every second, until it is asked to stop.
pub fn start(mainstay: &Mainstay, stop: watch::Receiver<bool>) -> JoinHandle<()> {
    let services = mainstay.clone();
    mainstay
        .supervisor()
        .spawn(RETURNS, OnPanic::Restart, move || run(services.clone(), stop.clone()))
}

async fn run(mainstay: Mainstay, mut stop: watch::Receiver<bool>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        mainstay.supervisor().fail_point(RETURNS);
        mainstay.check_returned_clients().await;
    }
}

impl Mainstay {
    /// Ends the silences of clients with events since the last check. Failures are logged and left
    /// to the hourly check.
    pub async fn check_returned_clients(&self) {
        for (organization, clients) in self.returned_clients().drain() {
            let check = async {
                self.end_silences(organization, &clients).await?;
                Ok(false)
            };
            self.take_isolated_step("returned_clients clients", organization, check).await;
        }
    }

    async fn end_silences(
        &self,
        organization: OrganizationId,
        clients: &HashSet<Box<str>>,
    ) -> Result<()> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let client_ids: Vec<&str> = clients.iter().map(AsRef::as_ref).collect();
        let mut silent = tx.list_clients_in_silence(&client_ids).await?;
        drop(tx);
        if silent.is_empty() {
            return Ok(());
        }
        silent.sort_unstable_by_key(|(client, _)| client.id);
        let at_once = if silent.len() <= MAX_ONE_BY_ONE { 1 } else { CHUNK_SIZE };
        for clients in silent.chunks(at_once) {
            self.check_silences(organization, clients.to_vec()).await?;
        }
        self.queue_alert_notifications(organization).await
    }

    async fn check_silences(
        &self,
        organization: OrganizationId,
        clients: Vec<(ResolvedClient, String)>,
    ) -> Result<()> {
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        tx.lock_health_check().await?;
        tx.lock_known_clients().await?;
        let context = Context::load(&mut tx).await?;
        let as_of = self.now();
        if context.organization.health_checked_until.is_some_and(|checked| checked > as_of) {
            // A check for a later instant saw what came.
            return Ok(tx.rollback().await?);
        }
        let holds = Holds::load(&mut tx, as_of).await?;
        let check =
            Check { context: &context, as_of, dry_run: false, holds, only: &EVENT_ENDED_FAMILIES };
        let chunk = ClientChunk::from_selection(clients);
        let (mut started, mut changes) = (PlaybookCounts::default(), Vec::new());
        self.check_chunk(&mut tx, &chunk, &check, &mut started, &mut changes).await?;
        Ok(tx.commit().await?)
    }
}
