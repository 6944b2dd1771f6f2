use std::collections::HashMap;

use jiff::Timestamp;
use mainstay_core::{
    alert::{Action, AlertStatus, Episode, NewState, Severity, act},
    id::{AlertId, MemberId},
};
use mainstay_store::{
    Alert, AlertAction, AlertChange, AlertFilter, AlertNews, PlaybookRun, Scope, StaffTask, Told,
    Tx,
};

use crate::{Error, Mainstay, Result, notification::changed_by};

/// An alert with what was done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertHistory {
    /// The alert.
    pub alert: Alert,
    /// What was done with it, oldest first.
    pub actions: Vec<AlertAction>,
    /// What else followed from it.
    pub followed: Followed,
    /// What was told of it outside, oldest first.
    pub told: Vec<Told>,
}

/// What followed from an alert besides what members did with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// The playbooks that it started, in that order.
    pub runs: Vec<PlaybookRun>,
    /// The tasks that it led to, the one that is due first first.
    pub tasks: Vec<StaffTask>,
}

/// What followed from some alerts.
pub(super) async fn followed(
    tx: &mut Tx,
    alerts: &[AlertId],
) -> Result<HashMap<AlertId, Followed>> {
    let mut followed: HashMap<AlertId, Followed> = HashMap::new();
    for (alert, runs) in tx.playbook_runs_of(alerts).await? {
        followed.entry(alert).or_default().runs = runs;
    }
    for (alert, tasks) in tx.staff_tasks_of(alerts).await? {
        followed.entry(alert).or_default().tasks = tasks;
    }
    Ok(followed)
}

pub(crate) fn no_alert(id: AlertId) -> Error {
    Error::NotFound {
        what: "alert",
        id: id.to_string(),
        remedy: "GET /api/v1/alerts lists them with their ids",
    }
}

/// An alert that somebody changed, and whether it was open before.
pub(super) struct Changed {
    pub(super) alert: Alert,
    pub(super) was_open: bool,
}

/// The news of alerts that somebody ended or reopened just now; of the others none.
pub(super) async fn news_of(
    tx: &mut Tx,
    member: Option<MemberId>,
    changed: &[Changed],
    note: &str,
    now: Timestamp,
) -> Result<Vec<AlertNews>> {
    let told = |one: &&Changed| one.was_open != one.alert.episode.status.is_open();
    if !changed.iter().any(|one| told(&one)) {
        return Ok(Vec::new());
    }
    let members = tx.members().await?;
    let who = members.into_iter().find(|one| Some(one.id) == member);
    let who = who.map_or_else(|| "the API".to_owned(), |member| member.name);
    Ok(changed.iter().filter(told).map(|one| changed_by(&one.alert, &who, note, now)).collect())
}

/// How it is written into an alert's history that a member took back what it had done last.
pub(super) const UNDO: &str = "undo";

/// The state that an action leads to. An ended alert that is reopened is as it was before somebody ended
/// it: one that was acknowledged is acknowledged again.
pub(super) async fn state_after(
    tx: &mut Tx,
    episode: &Episode,
    action: Action,
    now: Timestamp,
) -> Result<NewState> {
    let state = act(episode, action, now)?;
    if action != Action::Reopen || episode.status.is_open() {
        return Ok(state);
    }
    state_before(tx, episode, state).await
}

/// The state before the last thing that was done with an alert; a snooze is over by that.
pub(super) async fn state_before(
    tx: &mut Tx,
    episode: &Episode,
    reopened: NewState,
) -> Result<NewState> {
    let mut course = vec![AlertStatus::Active];
    for action in tx.alert_actions(episode.id).await? {
        match action.action.as_str() {
            "opened" | "worsened" | "woken" => course.push(AlertStatus::Active),
            "acknowledge" => course.push(AlertStatus::Acknowledged),
            "snooze" => course.push(AlertStatus::Snoozed),
            "resolve" | "dismiss" => course.push(AlertStatus::Resolved),
            "reopen" if course.last() != Some(&AlertStatus::Resolved) => {
                course.push(AlertStatus::Active);
            }
            "reopen" | UNDO => {
                course.pop();
            }
            _ => {}
        }
    }
    course.pop();
    let status = match course.last() {
        Some(AlertStatus::Acknowledged) => AlertStatus::Acknowledged,
        _ => AlertStatus::Active,
    };
    Ok(NewState { status, ..reopened })
}

impl Mainstay {
    /// Tells of alerts that somebody ended or reopened. In a transaction of its own: members may not see
    /// where it goes. That is after the change, so a failure is no failure of the change; the courier
    /// tells later what is left.
    pub(super) async fn tell_changed(&self, scope: Scope, news: &[AlertNews]) {
        let Some(organization) = scope.organization().filter(|_| !news.is_empty()) else { return };
        if let Err(error) = self.tell_news(organization).await {
            tracing::error!(%organization, %error, "a change of alerts is not told yet");
        }
    }

    /// Alerts, the newest first.
    pub async fn alerts(
        &self,
        scope: Scope,
        filter: &AlertFilter,
        limit: i64,
    ) -> Result<Vec<Alert>> {
        Ok(self.store().read(scope).await?.alerts(filter, limit).await?)
    }

    /// How many alerts of each severity are open.
    pub async fn open_alert_counts(&self, scope: Scope) -> Result<Vec<(Severity, i64)>> {
        Ok(self.store().read(scope).await?.open_alert_counts().await?)
    }

    /// One alert and its history.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn alert(&self, scope: Scope, id: AlertId) -> Result<AlertHistory> {
        let mut tx = self.store().read(scope).await?;
        let alert = tx.alert(id).await?.ok_or_else(|| no_alert(id))?;
        let actions = tx.alert_actions(id).await?;
        let followed = followed(&mut tx, &[id]).await?.remove(&id).unwrap_or_default();
        drop(tx);
        let told = match scope.organization() {
            Some(organization) => self.told_of(organization, &[id]).await?.remove(&id),
            None => None,
        };
        Ok(AlertHistory { alert, actions, followed, told: told.unwrap_or_default() })
    }

    /// Acknowledges, snoozes, resolves, dismisses or reopens an alert, and keeps who did and when.
    ///
    /// # Errors
    /// [`Error::NotFound`], or why the action does not go with the alert.
    pub async fn act_on_alert(
        &self,
        scope: Scope,
        id: AlertId,
        action: Action,
        member: Option<MemberId>,
        note: &str,
    ) -> Result<AlertHistory> {
        let now = self.now();
        let mut tx = self.store().begin(scope).await?;
        // A health check may be moving this very alert.
        tx.lock_health_check().await?;
        let mut alert = tx.alert(id).await?.ok_or_else(|| no_alert(id))?;
        let was_open = alert.episode.status.is_open();
        let state = state_after(&mut tx, &alert.episode, action, now).await?;
        alert.episode.set(state);
        let change = AlertChange { action: action.as_str(), member, note };
        tx.update_alert(&alert.episode, Some(&change), now).await?;
        let news = news_of(&mut tx, member, &[Changed { alert, was_open }], note, now).await?;
        tx.keep_alert_news(&news).await?;
        tx.commit().await?;
        self.tell_changed(scope, &news).await;
        self.alert(scope, id).await
    }
}
