use std::collections::HashMap;

use jiff::Timestamp;
use mainstay_core::{
    health::{Episode, Transition},
    id::{AlertId, ClientId},
    playbook::Trigger,
};
use mainstay_store::{
    ClientChunk, NewPlaybookRun, Occasion, PlaybookRun, StoredPlaybook, Tx, new_id,
};

use super::start::Starting;
use crate::{Mainstay, Result, email::Nudge};

/// The playbooks that answer alerts, while a health check goes through a chunk of clients.
pub(crate) struct AlertPlaybooks {
    as_of: Timestamp,
    playbooks: Vec<StoredPlaybook>,
    /// What waits for the end of a silence of the data that has ended.
    waiting: HashMap<ClientId, Vec<PlaybookRun>>,
    starting: Starting,
}

impl Mainstay {
    /// The playbooks that a check of a chunk may start, and what waits for it.
    pub(crate) async fn alert_playbooks(
        &self,
        tx: &mut Tx,
        chunk: &ClientChunk,
        as_of: Timestamp,
        silent: bool,
    ) -> Result<AlertPlaybooks> {
        if !self.is_present(as_of) {
            return Ok(AlertPlaybooks::none());
        }
        let mut playbooks = tx.playbooks().await?;
        playbooks
            .retain(|one| one.enabled && matches!(one.playbook.trigger, Trigger::Alert { .. }));
        let waiting = if silent || playbooks.is_empty() {
            HashMap::new()
        } else {
            tx.waiting_playbook_runs(chunk).await?
        };
        Ok(AlertPlaybooks { as_of, playbooks, waiting, starting: Starting::default() })
    }
}

impl AlertPlaybooks {
    /// None at all: nothing is to follow.
    pub(crate) fn none() -> Self {
        Self {
            as_of: Timestamp::MIN,
            playbooks: Vec::new(),
            waiting: HashMap::new(),
            starting: Starting::default(),
        }
    }

    /// Those that answer a transition.
    pub(crate) fn met_by(&self, transition: &Transition) -> Vec<usize> {
        let met = |(place, one): (usize, &StoredPlaybook)| {
            one.playbook.trigger.is_met_by(transition).then_some(place)
        };
        self.playbooks.iter().enumerate().filter_map(met).collect()
    }

    /// Starts what answers a change that was made; has it wait while nobody is told of the alert.
    pub(crate) fn start(
        &mut self,
        met: Vec<usize>,
        client: ClientId,
        (alert, held): (AlertId, bool),
        nudge: impl Fn() -> Nudge,
    ) {
        for place in met {
            let stored = &self.playbooks[place];
            let run = NewPlaybookRun {
                id: new_id(self.as_of),
                playbook: stored.id,
                name: stored.playbook.name.clone(),
                client,
                occasion: Occasion::Alert(alert),
                found_at: self.as_of,
                waits: held,
            };
            self.starting.add(stored, run, &nudge);
        }
    }

    /// Starts what has waited for a client's alerts that are still open once a check's transitions are
    /// carried out, and forgets the rest.
    pub(crate) fn release(
        &mut self,
        client: ClientId,
        episodes: &[Episode],
        transitions: &[Transition],
        nudge: impl Fn() -> Nudge,
    ) {
        let resolved = |alert: AlertId| {
            transitions
                .iter()
                .any(|one| matches!(one, Transition::Resolved { id, .. } if *id == alert))
        };
        for run in self.waiting.remove(&client).unwrap_or_default() {
            let goes_on = episodes.iter().any(|episode| {
                run.occasion == Occasion::Alert(episode.id)
                    && episode.status.is_open()
                    && !resolved(episode.id)
            });
            let stored = self.playbooks.iter().find(|one| one.id == run.playbook);
            match stored.filter(|_| goes_on) {
                Some(stored) => self.starting.release(stored, run, &nudge),
                None => self.starting.forget(run.id),
            }
        }
    }

    /// What is to start after all.
    pub(crate) fn starting(self) -> Starting {
        self.starting
    }
}
