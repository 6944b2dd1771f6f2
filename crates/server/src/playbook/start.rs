use std::collections::{HashMap, HashSet};

use mainstay_core::{
    id::{AlertId, ClientId, MemberId, PlaybookId, PlaybookRunId},
    playbook::{Playbook, PlaybookAction, PlaybookDeed, StaffTaskState, due_day},
};
use mainstay_store::{
    ClientChunk, NewPlaybookRun, Occasion, PlaybookRun, StaffTask, StoredPlaybook, Tx, Waits,
    new_id,
};

use crate::{Mainstay, Result, email::Nudge, organization::Context};

/// The playbooks that are about to start in a transaction.
#[derive(Default)]
pub(crate) struct Starting {
    new: Vec<(NewPlaybookRun, Playbook)>,
    released: Vec<(PlaybookRun, Playbook)>,
    forgotten: Vec<PlaybookRunId>,
    /// What waited for data, and waits for a person from now on.
    to_approve: Vec<PlaybookRunId>,
    /// What the clients of those that nudge are told.
    nudges: HashMap<ClientId, Nudge>,
}

/// A playbook that does its actions.
pub(super) struct Started {
    pub(super) run: PlaybookRunId,
    pub(super) client: ClientId,
    pub(super) occasion: Occasion,
    pub(super) playbook: Playbook,
}

impl Started {
    /// The alert that started it, if one did.
    pub(super) const fn alert(&self) -> Option<AlertId> {
        match self.occasion {
            Occasion::Alert(alert) => Some(alert),
            Occasion::Band { .. } => None,
        }
    }
}

impl Starting {
    /// Starts a playbook, unless it has answered the occasion already.
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

    /// Starts one that has waited.
    pub(super) fn release(
        &mut self,
        stored: &StoredPlaybook,
        run: PlaybookRun,
        nudge: impl FnOnce() -> Nudge,
    ) {
        self.prepare(run.client, &stored.playbook, nudge);
        self.released.push((run, stored.playbook.clone()));
    }

    /// Forgets one that has waited for nothing.
    pub(super) fn forget(&mut self, run: PlaybookRunId) {
        self.forgotten.push(run);
    }

    /// For how many occasions each playbook is about to act.
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

    /// Has everything that a playbook is about to do wait for a person.
    pub(super) fn await_approval(&mut self, playbook: PlaybookId) {
        for (run, _) in self.new.iter_mut().filter(|(run, _)| run.playbook == playbook) {
            run.waits = run.waits.or(Some(Waits::ForApproval));
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

/// The members who may get a task.
struct Team {
    owners: HashMap<ClientId, MemberId>,
    members: HashSet<MemberId>,
}

impl Team {
    async fn load(tx: &mut Tx, started: &[Started]) -> Result<Self> {
        let mut clients: Vec<ClientId> = started.iter().map(|one| one.client).collect();
        clients.sort_unstable();
        clients.dedup();
        let owners = tx.owners_of(&clients).await?;
        let members = tx.members().await?.into_iter().map(|member| member.id).collect();
        Ok(Self { owners, members })
    }
}

impl Mainstay {
    /// Does what playbooks say, in the transaction of what starts them: each once for its occasion,
    /// whatever runs at the same time. A panic ends one run, which keeps what it had done.
    pub(crate) async fn start_playbooks(
        &self,
        tx: &mut Tx,
        context: &Context,
        chunk: &ClientChunk,
        starting: Starting,
    ) -> Result<()> {
        let Starting { new, released, forgotten, to_approve, mut nudges } = starting;
        for run in to_approve {
            tx.await_approval(run).await?;
        }
        for run in forgotten {
            tx.forget_waiting_run(run).await?;
        }
        let started = self.begin_runs(tx, new, released).await?;
        if started.is_empty() {
            return Ok(());
        }
        let nudging =
            started.iter().filter(|one| one.playbook.actions.contains(&PlaybookAction::Nudge));
        let clients: HashSet<ClientId> = nudging.map(|one| one.client).collect();
        let asked = clients.iter().filter_map(|client| nudges.remove(client)).collect();
        let nudged = self.queue_nudges(tx, context, chunk, asked).await?;
        let team = Team::load(tx, &started).await?;
        for one in &started {
            let acting = Box::pin(async {
                self.supervisor().pass("playbook run");
                self.make_tasks(tx, context, &team, one).await?;
                self.call_webhooks(tx, context, chunk, one).await
            });
            let mut deeds = match self.supervisor().isolate("playbook run", acting).await {
                Ok(deeds) => deeds?,
                Err(panicked) => vec![PlaybookDeed::Failed { reason: panicked.to_string() }],
            };
            if one.playbook.actions.contains(&PlaybookAction::Nudge) {
                deeds.extend(nudged.get(&one.client).cloned());
            }
            if !deeds.is_empty() {
                tx.set_playbook_deeds(one.run, &deeds).await?;
            }
        }
        Ok(())
    }

    /// Keeps that they start; answers those that start now and for the first time.
    async fn begin_runs(
        &self,
        tx: &mut Tx,
        new: Vec<(NewPlaybookRun, Playbook)>,
        released: Vec<(PlaybookRun, Playbook)>,
    ) -> Result<Vec<Started>> {
        let mut started = Vec::new();
        for (run, playbook) in released {
            if tx.start_waiting_run(run.id, self.now()).await? {
                let (occasion, client) = (run.occasion, run.client);
                started.push(Started { run: run.id, client, occasion, playbook });
            }
        }
        if new.is_empty() {
            return Ok(started);
        }
        let (runs, playbooks): (Vec<NewPlaybookRun>, Vec<Playbook>) = new.into_iter().unzip();
        let first = tx.begin_playbook_runs(&runs).await?;
        for (run, playbook) in runs.into_iter().zip(playbooks) {
            if first.contains(&run.id) && run.waits.is_none() {
                let (occasion, client) = (run.occasion, run.client);
                started.push(Started { run: run.id, client, occasion, playbook });
            }
        }
        Ok(started)
    }

    async fn make_tasks(
        &self,
        tx: &mut Tx,
        context: &Context,
        team: &Team,
        started: &Started,
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
