//! A silence ends with the event, not an hour later: clients that something came from are looked at
//! again within a second or two, as far as an alert says that they are silent.

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

/// How often it is looked who came back.
const TICK: Duration = Duration::from_secs(1);
/// Clients of an organization that are remembered between two looks. What goes beyond that, in a flood
/// of events, waits for the hourly check.
const MAX_NOTED: usize = 50_000;
/// Clients that are checked in one transaction.
const CHECKED_AT_ONCE: usize = 500;
/// So few clients are checked one by one: between two that were created far apart lie many others, whose
/// alerts would be read with theirs.
const FEW: usize = 20;
/// What an event ends at once. A score is another matter: that is compared at the end of a day.
const ENDED_BY_EVENTS: [Family; 2] = [Family::Silence, Family::ChurnRisk];

/// The clients that something came from since it was looked last, by the host app's ids.
#[derive(Debug, Default)]
pub(crate) struct Returned(Mutex<HashMap<OrganizationId, HashSet<Box<str>>>>);

impl Returned {
    /// Something came from these clients of an organization.
    pub(crate) fn note<'a>(
        &self,
        organization: OrganizationId,
        clients: impl IntoIterator<Item = &'a str>,
    ) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = noted.entry(organization).or_default();
        for client in clients {
            if noted.len() < MAX_NOTED && !noted.contains(client) {
                noted.insert(client.into());
            }
        }
    }

    fn take(&self) -> HashMap<OrganizationId, HashSet<Box<str>>> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Looks every second who came back, until it is told to stop.
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
        mainstay.supervisor().pass(RETURNS);
        mainstay.check_returned_clients().await;
    }
}

impl Mainstay {
    /// Ends the silences of clients that something came from since it was looked last. What fails is
    /// logged, and left to the hourly check.
    pub async fn check_returned_clients(&self) {
        for (organization, clients) in self.returned().take() {
            let check = async {
                self.end_silences(organization, &clients).await?;
                Ok(false)
            };
            self.take_isolated_step("returned clients", organization, check).await;
        }
    }

    async fn end_silences(
        &self,
        organization: OrganizationId,
        clients: &HashSet<Box<str>>,
    ) -> Result<()> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let names: Vec<&str> = clients.iter().map(AsRef::as_ref).collect();
        let mut silent = tx.clients_in_silence(&names).await?;
        drop(tx);
        if silent.is_empty() {
            return Ok(());
        }
        silent.sort_unstable_by_key(|(client, _)| client.id);
        let at_once = if silent.len() <= FEW { 1 } else { CHECKED_AT_ONCE };
        for clients in silent.chunks(at_once) {
            self.check_silences(organization, clients.to_vec()).await?;
        }
        self.tell_news(organization).await
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
            Check { context: &context, as_of, dry_run: false, holds, only: &ENDED_BY_EVENTS };
        let chunk = ClientChunk::picked(clients);
        let (mut started, mut changes) = (PlaybookCounts::default(), Vec::new());
        self.check_chunk(&mut tx, &chunk, &check, &mut started, &mut changes).await?;
        Ok(tx.commit().await?)
    }
}
