//! Health checks of clients: opening, worsening and resolving momentum alerts.

mod alerts;
mod bulk;
mod recovery;
mod returned_clients;
mod silence;

use std::collections::HashSet;

use jiff::Timestamp;
use mainstay_core::{
    alert::{
        AlertFacts, AlertType, Change, Episode, Family, ScoreFacts, Severity, TaskInProgress,
        Transition, check,
    },
    id::{AlertId, OrganizationId},
    score::{Score, ScoreModel},
};
use mainstay_store::{
    AlertChange, AlertNews, ClientChunk, ClientFacts, OnboardingTask, Scope, TaskStatus, Tx, new_id,
};

pub(crate) use alerts::no_alert;
pub use alerts::{AlertHistory, FollowUps};
pub use bulk::{BulkActionOutcome, ChosenAlert, ListedAlert, MAX_BULK_ALERTS};
use recovery::Setbacks;
pub(crate) use returned_clients::ReturnedClients;
pub use returned_clients::start;
pub use silence::MissingData;
use silence::update_silences;
pub(crate) use silence::{Activity, Holds, SilenceChanges, were_data_silent};

use crate::{
    Error, Mainstay, Result,
    client::next_chunk,
    email::Nudge,
    organization::{Context, check_as_of},
    playbook::{AlertPlaybooks, PlaybookCounts},
    score::{previous_contributions, shown_facts},
};

/// Maximum number of retries of a check that was overtaken by a later one.
const MAX_TRIES: u32 = 20;

/// A change by a health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthChange {
    /// The alert; a new id in a dry run.
    pub alert: AlertId,
    /// The client's `external_id`.
    pub client_id: String,
    /// The type of alert.
    pub kind: AlertType,
    /// The severity.
    pub severity: Severity,
    /// The change.
    pub change: Change,
    /// The message.
    pub message: String,
    /// Whether it is held because its data is missing.
    pub held: bool,
}

impl HealthChange {
    /// The change for a held alert that is released.
    fn released(client: &ClientFacts, episode: &Episode) -> Self {
        Self {
            alert: episode.id,
            client_id: client.external_id.clone(),
            kind: episode.kind,
            severity: episode.severity,
            change: Change::Opened,
            message: episode.message.clone(),
            held: false,
        }
    }

    /// The change as news for notifications.
    fn to_news(&self, at: Timestamp) -> AlertNews {
        AlertNews {
            alert: self.alert,
            change: self.change,
            kind: self.kind,
            severity: self.severity,
            message: self.message.clone(),
            held: self.held,
            at,
        }
    }
}

impl Mainstay {
    /// Checks every client of an organization, or one, at an instant and updates its alerts;
    /// returns the changes. Concurrent checks apply each change only once.
    ///
    /// # Errors
    /// If `as_of` is invalid: a check cannot go back before the last one, except as a dry run.
    pub async fn check_organization_health(
        &self,
        organization: OrganizationId,
        as_of: Timestamp,
        client: Option<&str>,
        dry_run: bool,
    ) -> Result<Vec<HealthChange>> {
        check_as_of(as_of, self.now())?;
        if dry_run {
            return self.foresee_health_check(organization, as_of, client).await;
        }
        let changes = self.check_clients(organization, as_of, client).await;
        // Also of a check that stopped half-way: what it changed is changed.
        self.queue_alert_notifications(organization).await?;
        changes
    }

    async fn check_clients(
        &self,
        organization: OrganizationId,
        as_of: Timestamp,
        client: Option<&str>,
    ) -> Result<Vec<HealthChange>> {
        let scope = Scope::Service(organization);
        let checked = self.context(organization).await?.organization.health_checked_until;
        if let Some(checked) = checked.filter(|checked| *checked > as_of) {
            return Err(Error::invalid(
                "as_of",
                format!(
                    "health was already checked for {checked}, and alerts cannot go back in time; \
                     use a later instant, or --dry-run"
                ),
            ));
        }
        let mut changes = Vec::new();
        let mut last_chunk: Option<ClientChunk> = None;
        let mut silences_updated = client.is_some();
        let mut started = PlaybookCounts::default();
        loop {
            let mut tx = self.begin_writing(scope).await?;
            tx.lock_health_check().await?;
            let checked = tx.get_organization().await?.health_checked_until;
            if checked.is_some_and(|checked| checked > as_of) {
                // A later check has begun since. It sees to this chunk and the rest of them: what
                // it found of a client must not be taken back by an older look.
                return Ok(changes);
            }
            let chunk = next_chunk(&mut tx, client, as_of, last_chunk.as_ref()).await?;
            if chunk.clients.is_empty() {
                return Ok(changes);
            }
            let context = Context::load(&mut tx).await?;
            if !silences_updated {
                update_silences(&mut tx, &context, (as_of, self.now())).await?;
                silences_updated = true;
            }
            let holds = Holds::load(&mut tx, as_of).await?;
            let check =
                Check { context: &context, as_of, dry_run: false, holds, only: &Family::ALL };
            self.check_chunk(&mut tx, &chunk, &check, &mut started, &mut changes).await?;
            if client.is_none() {
                // With the first chunk already, so that an earlier check can tell that it is late.
                tx.advance_health_checked_until(as_of).await?;
            }
            tx.commit().await?;
            last_chunk = Some(chunk);
        }
    }

    /// What a check would change, in one state of the data; nobody waits for it.
    async fn foresee_health_check(
        &self,
        organization: OrganizationId,
        as_of: Timestamp,
        client: Option<&str>,
    ) -> Result<Vec<HealthChange>> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let context = Context::load(&mut tx).await?;
        let silences = match client {
            None => SilenceChanges::find(&mut tx, &context, as_of).await?,
            Some(_) => SilenceChanges::default(),
        };
        let holds = Holds::load(&mut tx, as_of).await?.after(&silences);
        let check = Check { context: &context, as_of, dry_run: true, holds, only: &Family::ALL };
        let mut started = PlaybookCounts::default();
        let mut changes = Vec::new();
        let mut chunk = next_chunk(&mut tx, client, as_of, None).await?;
        while !chunk.clients.is_empty() {
            self.check_chunk(&mut tx, &chunk, &check, &mut started, &mut changes).await?;
            chunk = next_chunk(&mut tx, client, as_of, Some(&chunk)).await?;
        }
        Ok(changes)
    }

    /// Checks every client of an organization, or one, as of now; returns that instant and the
    /// changes.
    ///
    /// # Errors
    /// If there is no such client, or other checks keep overtaking.
    pub async fn check_health_now(
        &self,
        organization: OrganizationId,
        client: Option<&str>,
    ) -> Result<(Timestamp, Vec<HealthChange>)> {
        for _ in 1..MAX_TRIES {
            let now = self.now();
            match self.check_organization_health(organization, now, client, false).await {
                // Another check began later and was faster, so that "now" is over.
                Err(Error::Invalid { field, .. }) if field == "as_of" => {}
                changes => return Ok((now, changes?)),
            }
        }
        Err(Error::conflict(
            "another health check of this organization is running; try again when it is done",
        ))
    }

    /// Checks one client.
    ///
    /// # Errors
    /// See [`Mainstay::check_organization_health`].
    pub async fn check_client_health(
        &self,
        organization: OrganizationId,
        client_id: &str,
        as_of: Timestamp,
    ) -> Result<Vec<HealthChange>> {
        self.check_organization_health(organization, as_of, Some(client_id), false).await
    }
}

/// The common parameters of a check.
struct Check<'a> {
    context: &'a Context,
    as_of: Timestamp,
    /// Whether nothing is written.
    dry_run: bool,
    /// What is held because of missing data.
    holds: Holds,
    /// The families of alerts to update.
    only: &'a [Family],
}

impl Mainstay {
    async fn check_chunk(
        &self,
        tx: &mut Tx,
        chunk: &ClientChunk,
        check_of: &Check<'_>,
        started: &mut PlaybookCounts,
        changes: &mut Vec<HealthChange>,
    ) -> Result<()> {
        let &Check { context, as_of, dry_run, ref holds, only } = check_of;
        let facts = shown_facts(tx, context, chunk, as_of, true).await?;
        let mut tasks = tx.list_open_tasks(chunk, as_of).await?;
        let mut episodes = tx.list_live_episodes(chunk).await?;
        let keys = holds.keys_of(tx, chunk).await?;
        let mut held_alerts = tx.list_held_alerts(chunk).await?;
        let mut fallen_silent = Vec::new();
        let mut setbacks = Setbacks::default();
        let mut playbooks = AlertPlaybooks::empty();
        if !dry_run {
            setbacks = Setbacks::load(tx, chunk, as_of).await?;
            playbooks = self.alert_playbooks(tx, chunk, as_of, started).await?;
        }
        let mut news = Vec::new();
        let notify = !dry_run && tx.has_webhook().await?;
        for client in &facts {
            let tasks = tasks.remove(&client.client).unwrap_or_default();
            let mut episodes = episodes.remove(&client.client).unwrap_or_default();
            if dry_run {
                // An episode of the future, met by a look into the past, is not there yet.
                episodes.retain(|episode| episode.opened_at <= as_of);
            } else if episodes.iter().any(|episode| episode.opened_at > as_of) {
                // This one client was checked later than that already.
                continue;
            }
            let score = context.shown_score(client);
            let model = context.model_ref(score.inputs.model);
            let health = health_facts(context, as_of, client, (&score, model), &tasks);
            let activity = Activity::of(&health, keys.get(&client.client).copied());
            let withholds = |kind| holds.holds_alert(kind, &activity);
            let nudge = || Nudge::new(client.client, score.clone(), model, &tasks);
            let mut transitions = check(&episodes, &health);
            transitions.retain(|transition| {
                let kind = kind_of(transition, &episodes);
                kind.is_some_and(|kind| only.contains(&kind.family()))
                    && !is_deferred(transition, &held_alerts, withholds)
            });
            let band = health.score.as_ref().map(|score| score.band);
            playbooks.release(client.client, &episodes, &transitions, (withholds, band), nudge);
            for episode in released(&episodes, &transitions, &held_alerts, withholds) {
                if !dry_run {
                    tx.release_alert(client.client, episode.id, as_of).await?;
                }
                held_alerts.remove(&episode.id);
                if episode.kind.family() == Family::Silence {
                    fallen_silent.push(nudge());
                }
                changes.push(HealthChange::released(client, episode));
            }
            // Where data are missing, nobody can tell whether the client is silent.
            if transitions.iter().any(|one| falls_silent(one) && !is_held(one, withholds)) {
                fallen_silent.push(nudge());
            }
            for transition in transitions {
                let met = playbooks.matching(&transition);
                let ended_unseen = matches!(transition, Transition::Resolved { .. })
                    && transition.id().is_some_and(|id| held_alerts.contains(&id));
                let held = ended_unseen || is_held(&transition, withholds);
                // Nothing is written when looking only: an episode that is not there yet would be in
                // the way of the one that a look into the past finds.
                let writer = if dry_run { None } else { Some(&mut *tx) };
                let change =
                    apply_transition(writer, client, &episodes, transition, (as_of, held)).await?;
                let Some(change) = change else { continue };
                playbooks.start(met, client.client, (change.alert, change.held), nudge);
                if ended_unseen && !dry_run {
                    tx.delete_held_news(change.alert).await?;
                } else if notify {
                    news.push(change.to_news(as_of));
                }
                changes.push(change);
            }
            setbacks.record_recovered(tx, client.client, &health).await?;
        }
        if dry_run {
            return Ok(());
        }
        tx.insert_alert_news(&news).await?;
        self.queue_nudges(tx, context, chunk, fallen_silent).await?;
        self.start_playbooks(tx, context, chunk, playbooks.pending_runs(started)).await
    }
}

/// The type of a transition's alert.
fn kind_of(transition: &Transition, episodes: &[Episode]) -> Option<AlertType> {
    let episode = episodes.iter().find(|episode| Some(episode.id) == transition.id());
    transition.finding().map(|finding| finding.kind).or(episode.map(|episode| episode.kind))
}

/// Whether a transition depends on missing data.
fn is_held(transition: &Transition, withholds: impl Fn(AlertType) -> bool) -> bool {
    transition.finding().is_some_and(|finding| withholds(finding.kind))
}

/// Whether a transition waits for missing data: missing data must not worsen a reported alert.
fn is_deferred(
    transition: &Transition,
    held_alerts: &HashSet<AlertId>,
    withholds: impl Fn(AlertType) -> bool,
) -> bool {
    match transition {
        Transition::Worsened { id, finding } => {
            !held_alerts.contains(id) && withholds(finding.kind)
        }
        _ => false,
    }
}

/// The episodes that are no longer held.
fn released<'a>(
    episodes: &'a [Episode],
    transitions: &[Transition],
    held_alerts: &HashSet<AlertId>,
    withholds: impl Fn(AlertType) -> bool,
) -> Vec<&'a Episode> {
    let ends = |id: AlertId| {
        transitions.iter().any(|one| {
            one.id() == Some(id)
                && matches!(one, Transition::Resolved { .. } | Transition::ConditionEnded { .. })
        })
    };
    episodes
        .iter()
        .filter(|episode| held_alerts.contains(&episode.id))
        .filter(|episode| !withholds(episode.kind) && !ends(episode.id))
        .collect()
}

/// Whether a transition opens a silence.
fn falls_silent(transition: &Transition) -> bool {
    let silence = |kind| matches!(kind, AlertType::Inactivity | AlertType::ZeroActivity);
    matches!(transition, Transition::Opened(finding) if silence(finding.kind))
}

fn health_facts(
    context: &Context,
    as_of: Timestamp,
    facts: &ClientFacts,
    (score, model): (&Score, &ScoreModel),
    tasks: &[OnboardingTask],
) -> AlertFacts {
    let before = previous_contributions(facts, score, model);
    AlertFacts {
        as_of,
        zone: context.zone.clone(),
        created_at: facts.created_at,
        last_event_at: facts.activity.last_event_at,
        usual_gap_days: facts.activity.rhythm.usual_gap_days(),
        tasks_in_progress: tasks
            .iter()
            .filter(|task| task.status == TaskStatus::InProgress)
            .map(|task| TaskInProgress { title: task.title.clone(), updated_at: task.updated_at })
            .collect(),
        score: Some(ScoreFacts::of(score, model, before.as_ref())),
    }
}

/// Stores a transition of an episode, unless in a dry run; returns the episode and its message.
async fn apply_transition(
    tx: Option<&mut Tx>,
    client: &ClientFacts,
    episodes: &[Episode],
    transition: Transition,
    (at, held): (Timestamp, bool),
) -> Result<Option<HealthChange>> {
    let change = transition.change();
    let (episode, message) = match transition {
        Transition::Opened(finding) => {
            let message = finding.message.clone();
            let episode = Episode::open(new_id(at), finding, at);
            if let Some(tx) = tx {
                tx.open_alert(client.client, &episode, &message, held).await?;
            }
            (episode, message)
        }
        transition => {
            let Some(mut episode) =
                episodes.iter().find(|episode| Some(episode.id) == transition.id()).cloned()
            else {
                return Ok(None);
            };
            let (action, note) = history_entry(&transition);
            episode.apply(transition, at);
            let recorded = action.map(|action| AlertChange { action, member: None, note: &note });
            if let Some(tx) = tx {
                tx.update_alert(&episode, recorded.as_ref(), at).await?;
            }
            (episode, note)
        }
    };
    Ok(change.map(|change| {
        let client_id = client.external_id.clone();
        let (alert, kind, severity) = (episode.id, episode.kind, episode.severity);
        HealthChange { alert, client_id, kind, severity, change, message, held }
    }))
}

/// The entry of a transition in an alert's history; new numbers alone have none.
fn history_entry(transition: &Transition) -> (Option<&'static str>, String) {
    match transition {
        Transition::Opened(finding) => (Some("opened"), finding.message.clone()),
        Transition::Worsened { finding, .. } => (Some("worsened"), finding.message.clone()),
        Transition::SnoozeEnded { finding, .. } => (Some("woken"), finding.message.clone()),
        Transition::Refreshed { finding, .. } => (None, finding.message.clone()),
        Transition::Resolved { reason, .. } => (Some("resolved"), reason.clone()),
        Transition::ConditionEnded { .. } => (Some("condition_ended"), String::new()),
    }
}
