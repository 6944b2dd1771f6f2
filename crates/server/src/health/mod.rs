//! Checking clients' health: opening, worsening and resolving momentum alerts.

mod alerts;
mod bulk;
mod recovery;
mod silence;

use jiff::Timestamp;
use mainstay_core::{
    health::{
        AlertType, Change, Episode, HealthFacts, ScoreFacts, Severity, TaskInProgress, Transition,
        check, is_held_in_silence,
    },
    id::{AlertId, OrganizationId},
    insight::contributions,
};
use mainstay_store::{
    AlertChange, AlertNews, ClientChunk, ClientFacts, OnboardingTask, Scope, TaskStatus, Tx, new_id,
};

pub(crate) use alerts::no_alert;
pub use alerts::{AlertHistory, Followed};
pub use bulk::{Acted, ChosenAlert, ListedAlert, MAX_AT_ONCE};
use recovery::Setbacks;
use silence::settle_silence;

use crate::{
    Error, Mainstay, Result,
    client::next_chunk,
    email::Nudge,
    organization::{Context, check_as_of},
    playbook::AlertPlaybooks,
    score::Moment,
};

/// A change that a health check found and made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthChange {
    /// The client's `external_id`.
    pub client_id: String,
    /// What the alert is about.
    pub kind: AlertType,
    /// How bad it is.
    pub severity: Severity,
    /// What became of it.
    pub change: Change,
    /// What it says.
    pub message: String,
    /// Whether it is told to nobody yet, because no client at all sends events.
    pub held: bool,
}

impl HealthChange {
    /// The change as it is kept until it is told outside.
    fn news_of(&self, alert: AlertId, at: Timestamp) -> AlertNews {
        AlertNews {
            alert,
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
    /// Checks every client of an organization, or one, at an instant and moves its alerts on;
    /// answers what changed. However many checks run at the same time, each change happens once.
    ///
    /// # Errors
    /// When `as_of` cannot be used: alerts are episodes in time, so a check cannot go back behind
    /// the last one, except as a dry run.
    pub async fn check_organization_health(
        &self,
        organization: OrganizationId,
        as_of: Timestamp,
        client: Option<&str>,
        dry_run: bool,
    ) -> Result<Vec<HealthChange>> {
        let changes = self.check_clients(organization, as_of, client, dry_run).await;
        if !dry_run {
            // Also of a check that stopped half-way: what it changed is changed.
            self.tell_news(organization).await?;
        }
        changes
    }

    async fn check_clients(
        &self,
        organization: OrganizationId,
        as_of: Timestamp,
        client: Option<&str>,
        dry_run: bool,
    ) -> Result<Vec<HealthChange>> {
        check_as_of(as_of, self.now())?;
        let scope = Scope::Service(organization);
        let checked = self.context(organization).await?.organization.health_checked_until;
        if let Some(checked) = checked.filter(|checked| *checked > as_of && !dry_run) {
            return Err(Error::invalid(
                "as_of",
                format!(
                    "health was checked for {checked} already, and alerts do not go back in time; \
                     use a later instant, or --dry-run to only look"
                ),
            ));
        }
        let mut changes = Vec::new();
        let mut done: Option<ClientChunk> = None;
        let mut silent = None;
        loop {
            let mut tx = self.begin_writing(scope).await?;
            tx.lock_health_check().await?;
            let checked = tx.organization().await?.health_checked_until;
            if !dry_run && checked.is_some_and(|checked| checked > as_of) {
                // A later check has begun since. It sees to this chunk and the rest of them: what
                // it found of a client must not be taken back by an older look.
                return Ok(changes);
            }
            let chunk = next_chunk(&mut tx, client, as_of, done.as_ref()).await?;
            if chunk.clients.is_empty() {
                return Ok(changes);
            }
            let context = Context::load(&mut tx).await?;
            let moment = (as_of, self.now());
            let silent = match silent {
                Some(silent) => silent,
                None => *silent.insert(settle_silence(&mut tx, &context, moment).await?),
            };
            let check = Check { context: &context, as_of, dry_run, silent };
            self.check_chunk(&mut tx, &chunk, &check, &mut changes).await?;
            if client.is_none() {
                // With the first chunk already, so that an earlier check can tell that it is late.
                tx.advance_health_checked_until(as_of).await?;
            }
            if dry_run {
                tx.rollback().await?;
            } else {
                tx.commit().await?;
            }
            done = Some(chunk);
        }
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

/// What is the same for all clients of a check.
struct Check<'a> {
    context: &'a Context,
    as_of: Timestamp,
    dry_run: bool,
    /// Whether no client at all sends events.
    silent: bool,
}

impl Mainstay {
    async fn check_chunk(
        &self,
        tx: &mut Tx,
        chunk: &ClientChunk,
        check_of: &Check<'_>,
        changes: &mut Vec<HealthChange>,
    ) -> Result<()> {
        let &Check { context, as_of, dry_run, silent } = check_of;
        let moment = Moment::new(context, as_of, true);
        let facts = tx.client_facts(chunk, &moment.range, &moment.model).await?;
        let mut tasks = tx.open_tasks(chunk, as_of).await?;
        let mut episodes = tx.live_episodes(chunk).await?;
        let mut fallen_silent = Vec::new();
        let mut setbacks = Setbacks::default();
        let mut playbooks = AlertPlaybooks::none();
        if !dry_run {
            setbacks = Setbacks::load(tx, chunk, as_of).await?;
            playbooks = self.alert_playbooks(tx, chunk, as_of, silent).await?;
        }
        let mut news = Vec::new();
        let told = !dry_run && tx.any_webhook().await?;
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
            let health = health_facts(context, &moment, client, &tasks);
            let nudge = || Nudge::new(client.client, moment.score(client), &moment.model, &tasks);
            let transitions = check(&episodes, &health);
            playbooks.release(client.client, &episodes, &transitions, nudge);
            // Where the data are silent, nobody can tell whether the client is.
            if !dry_run && !silent && transitions.iter().any(falls_silent) {
                fallen_silent.push(nudge());
            }
            for transition in transitions {
                let met = playbooks.met_by(&transition);
                // Nothing is written when looking only: an episode that is not there yet would be in
                // the way of the one that a look into the past finds.
                let writer = if dry_run { None } else { Some(&mut *tx) };
                let change =
                    carry_out(writer, client, &episodes, transition, (as_of, silent)).await?;
                let Some((alert, change)) = change else { continue };
                playbooks.start(met, client.client, (alert, change.held), nudge);
                if told {
                    news.push(change.news_of(alert, as_of));
                }
                changes.push(change);
            }
            setbacks.settle(tx, client.client, &health).await?;
        }
        tx.keep_alert_news(&news).await?;
        self.queue_nudges(tx, context, chunk, fallen_silent).await?;
        self.start_playbooks(tx, context, chunk, playbooks.starting()).await
    }
}

/// Whether a transition is that a client has just fallen silent.
fn falls_silent(transition: &Transition) -> bool {
    let silence = |kind| matches!(kind, AlertType::Inactivity | AlertType::ZeroActivity);
    matches!(transition, Transition::Opened(finding) if silence(finding.kind))
}

fn health_facts(
    context: &Context,
    moment: &Moment,
    facts: &ClientFacts,
    tasks: &[OnboardingTask],
) -> HealthFacts {
    let score = moment.score(facts);
    let before = facts
        .previous_inputs
        .as_ref()
        .map(|inputs| contributions(inputs, &context.model_of(inputs.model)));
    HealthFacts {
        as_of: moment.range.windows.as_of,
        zone: context.zone.clone(),
        created_at: facts.created_at,
        last_event_at: facts.activity.last_event_at,
        usual_gap_days: facts.activity.rhythm.usual_gap_days(),
        tasks_in_progress: tasks
            .iter()
            .filter(|task| task.status == TaskStatus::InProgress)
            .map(|task| TaskInProgress { title: task.title.clone(), updated_at: task.updated_at })
            .collect(),
        score: Some(ScoreFacts::of(&score, &moment.model, before.as_ref())),
    }
}

/// Stores what a transition makes of an episode, if it is to be stored; answers what there is to
/// tell of it.
async fn carry_out(
    tx: Option<&mut Tx>,
    client: &ClientFacts,
    episodes: &[Episode],
    transition: Transition,
    (at, silent): (Timestamp, bool),
) -> Result<Option<(AlertId, HealthChange)>> {
    let change = transition.change();
    let held = silent && transition.finding().is_some_and(is_held_in_silence);
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
            let (action, note) = told(&transition);
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
        let (kind, severity) = (episode.kind, episode.severity);
        (episode.id, HealthChange { client_id, kind, severity, change, message, held })
    }))
}

/// How a transition is written into an alert's history: new numbers alone are not.
fn told(transition: &Transition) -> (Option<&'static str>, String) {
    match transition {
        Transition::Opened(finding) => (Some("opened"), finding.message.clone()),
        Transition::Worsened { finding, .. } => (Some("worsened"), finding.message.clone()),
        Transition::Woken { finding, .. } => (Some("woken"), finding.message.clone()),
        Transition::Refreshed { finding, .. } => (None, finding.message.clone()),
        Transition::Resolved { reason, .. } => (Some("resolved"), reason.clone()),
        Transition::ConditionEnded { .. } => (Some("condition_ended"), String::new()),
    }
}
