use std::collections::HashMap;

use jiff::Timestamp;
use mainstay_core::{
    alert::{AlertType, Episode, Transition},
    id::{AlertId, ClientId},
    score::Band,
};
use mainstay_store::{
    ClientChunk, NewPlaybookRun, Occasion, PlaybookRun, StoredPlaybook, Tx, Waits, new_id,
};

use super::{approval::PlaybookCounts, start::Starting};
use crate::{Mainstay, Result, email::Nudge};

/// The playbooks that answer alerts, while a health check goes through a chunk of clients.
pub(crate) struct AlertPlaybooks {
    as_of: Timestamp,
    playbooks: Vec<StoredPlaybook>,
    /// What waits for data that are missing.
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
        counts: &mut PlaybookCounts,
    ) -> Result<AlertPlaybooks> {
        if !self.is_present(as_of) {
            return Ok(AlertPlaybooks::none());
        }
        let mut playbooks = tx.playbooks().await?;
        playbooks.retain(|one| one.enabled);
        if playbooks.is_empty() {
            return Ok(AlertPlaybooks::none());
        }
        counts.load(tx, as_of).await?;
        let waiting = tx.waiting_playbook_runs(chunk).await?;
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

    /// Starts what answers a change that was made; has it wait while the alert is held.
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
                waits: held.then_some(Waits::ForData),
            };
            self.starting.add(stored, run, &nudge);
        }
    }

    /// Starts what has waited for a client's data and is held no longer: where the alert is still open
    /// once a check's transitions are carried out, or the score still stands in the band. Forgets the
    /// rest.
    pub(crate) fn release(
        &mut self,
        client: ClientId,
        episodes: &[Episode],
        transitions: &[Transition],
        (withholds, band): (impl Fn(AlertType) -> bool, Option<Band>),
        nudge: impl Fn() -> Nudge,
    ) {
        let resolved = |alert: AlertId| {
            transitions
                .iter()
                .any(|one| matches!(one, Transition::Resolved { id, .. } if *id == alert))
        };
        for run in self.waiting.remove(&client).unwrap_or_default() {
            let (held, goes_on) = match run.occasion {
                Occasion::Alert(alert) => {
                    let episode = episodes.iter().find(|episode| episode.id == alert);
                    let open = episode.filter(|one| one.status.is_open() && !resolved(one.id));
                    (open.is_some_and(|one| withholds(one.kind)), open.is_some())
                }
                Occasion::Band { change, .. } => {
                    (withholds(AlertType::ScoreDrop), band == Some(change.to))
                }
            };
            if held {
                continue;
            }
            let stored = self.playbooks.iter().find(|one| one.id == run.playbook);
            match stored.filter(|_| goes_on) {
                Some(stored) => self.starting.release(stored, run, &nudge),
                None => self.starting.forget(run.id),
            }
        }
    }

    /// What is to start after all; where that is for too many clients, it waits for a person.
    pub(crate) fn starting(self, counts: &mut PlaybookCounts) -> Starting {
        let mut starting = self.starting;
        counts.limit(&mut starting);
        starting
    }
}
