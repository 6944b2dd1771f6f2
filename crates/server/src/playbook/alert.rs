use std::collections::HashMap;

use jiff::Timestamp;
use mainstay_core::{
    alert::{AlertType, Episode, Transition},
    id::{AlertId, ClientId},
    score::Band,
};
use mainstay_store::{
    ClientChunk, NewPlaybookRun, PlaybookRun, StoredPlaybook, TriggerSource, Tx, WaitReason, new_id,
};

use super::{approval::PlaybookCounts, start::PendingRuns};
use crate::{Mainstay, Result, email::Nudge};

/// Playbooks triggered by alerts, during a health check of a chunk of clients.
pub(crate) struct AlertPlaybooks {
    as_of: Timestamp,
    playbooks: Vec<StoredPlaybook>,
    /// Runs that wait for missing data.
    waiting: HashMap<ClientId, Vec<PlaybookRun>>,
    pending_runs: PendingRuns,
}

impl Mainstay {
    /// Loads the playbooks that a check of a chunk may start, and waiting runs.
    pub(crate) async fn alert_playbooks(
        &self,
        tx: &mut Tx,
        chunk: &ClientChunk,
        as_of: Timestamp,
        counts: &mut PlaybookCounts,
    ) -> Result<AlertPlaybooks> {
        if !self.is_recent_enough(as_of) {
            return Ok(AlertPlaybooks::empty());
        }
        let mut playbooks = tx.list_playbooks().await?;
        playbooks.retain(|one| one.enabled);
        if playbooks.is_empty() {
            return Ok(AlertPlaybooks::empty());
        }
        counts.load(tx, as_of).await?;
        let waiting = tx.list_waiting_playbook_runs(chunk).await?;
        Ok(AlertPlaybooks { as_of, playbooks, waiting, pending_runs: PendingRuns::default() })
    }
}

impl AlertPlaybooks {
    /// Without playbooks.
    pub(crate) fn empty() -> Self {
        Self {
            as_of: Timestamp::MIN,
            playbooks: Vec::new(),
            waiting: HashMap::new(),
            pending_runs: PendingRuns::default(),
        }
    }

    /// The playbooks that match a transition.
    pub(crate) fn matching(&self, transition: &Transition) -> Vec<usize> {
        let met = |(place, one): (usize, &StoredPlaybook)| {
            one.playbook.trigger.matches_transition(transition).then_some(place)
        };
        self.playbooks.iter().enumerate().filter_map(met).collect()
    }

    /// Starts matching playbooks; they wait while the alert is held.
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
                trigger_source: TriggerSource::Alert(alert),
                found_at: self.as_of,
                waits: held.then_some(WaitReason::Data),
            };
            self.pending_runs.add(stored, run, &nudge);
        }
    }

    /// Starts runs that waited for a client's data, if the alert is still open after the check or
    /// the score is still in the band. Discards the rest.
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
            let (held, still_holds) = match run.trigger_source {
                TriggerSource::Alert(alert) => {
                    let episode = episodes.iter().find(|episode| episode.id == alert);
                    let open = episode.filter(|one| one.status.is_open() && !resolved(one.id));
                    (open.is_some_and(|one| withholds(one.kind)), open.is_some())
                }
                TriggerSource::Band { change, .. } => {
                    (withholds(AlertType::ScoreDrop), band == Some(change.to))
                }
            };
            if held {
                continue;
            }
            let stored = self.playbooks.iter().find(|one| one.id == run.playbook);
            match stored.filter(|_| still_holds) {
                Some(stored) => self.pending_runs.release(stored, run, &nudge),
                None => self.pending_runs.forget(run.id),
            }
        }
    }

    /// The runs to start; if there are too many, they wait for approval.
    pub(crate) fn pending_runs(self, counts: &mut PlaybookCounts) -> PendingRuns {
        let mut pending_runs = self.pending_runs;
        counts.limit(&mut pending_runs);
        pending_runs
    }
}
