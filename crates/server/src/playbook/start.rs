use std::collections::{HashMap, HashSet};

use mainstay_core::{
    id::{AlertId, ClientId, MemberId, PlaybookId, PlaybookRunId},
    playbook::{ActionOutcome, Playbook, PlaybookAction, StaffTaskState, due_day},
};
use mainstay_store::{
    ClientChunk, NewPlaybookRun, PlaybookRun, StaffTask, StoredPlaybook, TriggerSource, Tx,
    WaitReason, new_id,
};

use crate::{Mainstay, Result, email::Nudge, organization::Context};

/// The playbook runs to start in a transaction.
#[derive(Default)]
pub(crate) struct PendingRuns {
    new: Vec<(NewPlaybookRun, Playbook)>,
    released: Vec<(PlaybookRun, Playbook)>,
    forgotten: Vec<PlaybookRunId>,
    /// Runs that waited for data and now wait for approval.
    to_approve: Vec<PlaybookRunId>,
    /// The emails of runs that nudge.
    nudges: HashMap<ClientId, Nudge>,
}

/// A run that executes its actions.
pub(super) struct StartedRun {
    pub(super) run: PlaybookRunId,
    pub(super) client: ClientId,
    pub(super) trigger_source: TriggerSource,
    pub(super) playbook: Playbook,
}

impl StartedRun {
    /// The alert that started it, if one did.
    pub(super) const fn alert(&self) -> Option<AlertId> {
        match self.trigger_source {
            TriggerSource::Alert(alert) => Some(alert),
            TriggerSource::Band { .. } => None,
        }
    }
}

impl PendingRuns {
    /// Adds a run, unless the playbook has already started for this occasion.
    pub(super) fn add(
        &mut self,
        stored: &StoredPlaybook,
        run: NewPlaybookRun,
        nudge: impl FnOnce() -> Nudge,
    ) {
        if run.waits.is_none() {
            self.prepare(run.client, &stored.playbook, nudge);
        }
        self.new.push((run, stored.playbook.clone()));
    }

    /// Adds a run that has waited.
    pub(super) fn release(
        &mut self,
        stored: &StoredPlaybook,
        run: PlaybookRun,
        nudge: impl FnOnce() -> Nudge,
    ) {
        self.prepare(run.client, &stored.playbook, nudge);
        self.released.push((run, stored.playbook.clone()));
    }

    /// Discards a run that has waited.
    pub(super) fn forget(&mut self, run: PlaybookRunId) {
        self.forgotten.push(run);
    }

    /// The number of pending runs of each playbook.
    pub(super) fn count(&self) -> HashMap<PlaybookId, i64> {
        let new = self.new.iter().filter(|(run, _)| run.waits.is_none());
        let mut counts: HashMap<PlaybookId, i64> = HashMap::new();
        for playbook in new
            .map(|(run, _)| run.playbook)
            .chain(self.released.iter().map(|(run, _)| run.playbook))
        {
            *counts.entry(playbook).or_default() += 1;
        }
        counts
    }

    /// Lets all pending runs of a playbook wait for approval.
    pub(super) fn await_approval(&mut self, playbook: PlaybookId) {
        for (run, _) in self.new.iter_mut().filter(|(run, _)| run.playbook == playbook) {
            run.waits = run.waits.or(Some(WaitReason::Approval));
        }
        let waiting = self.released.extract_if(.., |(run, _)| run.playbook == playbook);
        self.to_approve.extend(waiting.map(|(run, _)| run.id));
    }

    fn prepare(&mut self, client: ClientId, playbook: &Playbook, nudge: impl FnOnce() -> Nudge) {
        if playbook.actions.contains(&PlaybookAction::Nudge) {
            self.nudges.entry(client).or_insert_with(nudge);
        }
    }
}

/// The members who can own tasks.
struct Team {
    owners: HashMap<ClientId, MemberId>,
    members: HashSet<MemberId>,
}

impl Team {
    async fn load(tx: &mut Tx, started: &[StartedRun]) -> Result<Self> {
        let mut clients: Vec<ClientId> = started.iter().map(|one| one.client).collect();
        clients.sort_unstable();
        clients.dedup();
        let owners = tx.list_owners_of(&clients).await?;
        let members = tx.list_members().await?.into_iter().map(|member| member.id).collect();
        Ok(Self { owners, members })
    }
}

impl Mainstay {
    /// Executes playbooks in the transaction that starts them: each once per occasion, even with
    /// concurrent checks. A panic only ends one run, whose earlier actions are kept.
    pub(crate) async fn start_playbooks(
        &self,
        tx: &mut Tx,
        context: &Context,
        chunk: &ClientChunk,
        pending_runs: PendingRuns,
    ) -> Result<()> {
        let PendingRuns { new, released, forgotten, to_approve, mut nudges } = pending_runs;
        for run in to_approve {
            tx.await_approval(run).await?;
        }
        for run in forgotten {
            tx.delete_waiting_run(run).await?;
        }
        let started = self.record_runs(tx, new, released).await?;
        if started.is_empty() {
            return Ok(());
        }
        let nudging =
            started.iter().filter(|one| one.playbook.actions.contains(&PlaybookAction::Nudge));
        let clients: HashSet<ClientId> = nudging.map(|one| one.client).collect();
        let requested_nudges = clients.iter().filter_map(|client| nudges.remove(client)).collect();
        let nudged = self.queue_nudges(tx, context, chunk, requested_nudges).await?;
        let team = Team::load(tx, &started).await?;
        for one in &started {
            let acting = Box::pin(async {
                self.supervisor().fail_point("playbook run");
                self.create_playbook_tasks(tx, context, &team, one).await?;
                self.call_webhooks(tx, context, chunk, one).await
            });
            let mut outcomes = match self.supervisor().isolate("playbook run", acting).await {
                Ok(outcomes) => outcomes?,
                Err(panicked) => vec![ActionOutcome::Failed { reason: panicked.to_string() }],
            };
            if one.playbook.actions.contains(&PlaybookAction::Nudge) {
                outcomes.extend(nudged.get(&one.client).cloned());
            }
            if !outcomes.is_empty() {
                tx.set_action_outcomes(one.run, &outcomes).await?;
            }
        }
        Ok(())
    }

    /// Records the runs; returns those that start now for the first time.
    async fn record_runs(
        &self,
        tx: &mut Tx,
        new: Vec<(NewPlaybookRun, Playbook)>,
        released: Vec<(PlaybookRun, Playbook)>,
    ) -> Result<Vec<StartedRun>> {
        let mut started = Vec::new();
        for (run, playbook) in released {
            if tx.start_waiting_run(run.id, self.now()).await? {
                let (trigger_source, client) = (run.trigger_source, run.client);
                started.push(StartedRun { run: run.id, client, trigger_source, playbook });
            }
        }
        if new.is_empty() {
            return Ok(started);
        }
        let (runs, playbooks): (Vec<NewPlaybookRun>, Vec<Playbook>) = new.into_iter().unzip();
        let first = tx.create_playbook_runs(&runs).await?;
        for (run, playbook) in runs.into_iter().zip(playbooks) {
            if first.contains(&run.id) && run.waits.is_none() {
                let (trigger_source, client) = (run.trigger_source, run.client);
                started.push(StartedRun { run: run.id, client, trigger_source, playbook });
            }
        }
        Ok(started)
    }

    async fn create_playbook_tasks(
        &self,
        tx: &mut Tx,
        context: &Context,
        team: &Team,
        started: &StartedRun,
    ) -> Result<()> {
        let now = self.now();
        let mut tasks = Vec::new();
        for action in &started.playbook.actions {
            let PlaybookAction::Task(task) = action else { continue };
            let otherwise = task.otherwise.filter(|id| team.members.contains(id));
            tasks.push(StaffTask {
                id: new_id(now),
                client: started.client,
                client_id: String::new(),
                client_name: None,
                owner: team.owners.get(&started.client).copied().or(otherwise),
                title: task.title.clone(),
                text: task.text.clone(),
                due_on: due_day(now, task.due_in_days, &context.zone),
                state: StaffTaskState::Open,
                alert: started.alert(),
                run: Some(started.run),
                created_by: None,
                created_at: now,
                finished_by: None,
                finished_at: None,
            });
        }
        Ok(tx.create_staff_tasks(&tasks).await?)
    }
}
