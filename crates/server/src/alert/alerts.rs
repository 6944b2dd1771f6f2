use std::collections::HashMap;

use jiff::Timestamp;
use mainstay_core::{
    alert::{Action, AlertStatus, Episode, NewState, Severity, apply_action},
    id::{AlertId, MemberId},
};
use mainstay_store::{
    Alert, AlertAction, AlertChange, AlertDelivery, AlertFilter, AlertNews, PlaybookRun, Scope,
    StaffTask, Tx,
};

use crate::{Error, Mainstay, Result, notification::manual_change_news};

/// An alert with its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertHistory {
    /// The alert.
    pub alert: Alert,
    /// Its history, oldest first.
    pub actions: Vec<AlertAction>,
    /// Its playbook runs and tasks.
    pub follow_ups: FollowUps,
    /// Its notifications, oldest first.
    pub told: Vec<AlertDelivery>,
}

/// The playbook runs and tasks of an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowUps {
    /// The playbooks that it started, in that order.
    pub runs: Vec<PlaybookRun>,
    /// Its tasks, ordered by due date.
    pub tasks: Vec<StaffTask>,
}

/// Loads the playbook runs and tasks of alerts.
pub(super) async fn load_follow_ups(
    tx: &mut Tx,
    alerts: &[AlertId],
) -> Result<HashMap<AlertId, FollowUps>> {
    let mut follow_ups: HashMap<AlertId, FollowUps> = HashMap::new();
    for (alert, runs) in tx.list_playbook_runs_of(alerts).await? {
        follow_ups.entry(alert).or_default().runs = runs;
    }
    for (alert, tasks) in tx.list_staff_tasks_of(alerts).await? {
        follow_ups.entry(alert).or_default().tasks = tasks;
    }
    Ok(follow_ups)
}

pub(crate) fn no_alert(id: AlertId) -> Error {
    Error::NotFound {
        what: "alert",
        id: id.to_string(),
        remedy: "GET /api/v1/alerts lists all alerts",
    }
}

/// An alert changed by a member, and whether it was open before.
pub(super) struct ChangedAlert {
    pub(super) alert: Alert,
    pub(super) was_open: bool,
}

/// The news of alerts that were just ended or reopened by a member.
pub(super) async fn alert_news(
    tx: &mut Tx,
    member: Option<MemberId>,
    changed: &[ChangedAlert],
    note: &str,
    now: Timestamp,
) -> Result<Vec<AlertNews>> {
    let is_notified = |one: &&ChangedAlert| one.was_open != one.alert.episode.status.is_open();
    if !changed.iter().any(|one| is_notified(&one)) {
        return Ok(Vec::new());
    }
    let members = tx.list_members().await?;
    let who = members.into_iter().find(|one| Some(one.id) == member);
    let who = who.map_or_else(|| "the API".to_owned(), |member| member.name);
    Ok(changed
        .iter()
        .filter(is_notified)
        .map(|one| manual_change_news(&one.alert, &who, note, now))
        .collect())
}

/// The action in an alert's history for an undo by a member.
pub(super) const UNDO_ACTION: &str = "undo";

/// The state after an action. A reopened alert returns to its state before it was ended: an
/// acknowledged one is acknowledged again.
pub(super) async fn state_after(
    tx: &mut Tx,
    episode: &Episode,
    action: Action,
    now: Timestamp,
) -> Result<NewState> {
    let state = apply_action(episode, action, now)?;
    if action != Action::Reopen || episode.status.is_open() {
        return Ok(state);
    }
    state_before(tx, episode, state).await
}

/// The state before the last action on an alert; a snooze is not restored.
pub(super) async fn state_before(
    tx: &mut Tx,
    episode: &Episode,
    reopened: NewState,
) -> Result<NewState> {
    let mut history = vec![AlertStatus::Active];
    for action in tx.list_alert_actions(episode.id).await? {
        match action.action.as_str() {
            "opened" | "worsened" | "woken" => history.push(AlertStatus::Active),
            "acknowledge" => history.push(AlertStatus::Acknowledged),
            "snooze" => history.push(AlertStatus::Snoozed),
            "resolve" | "dismiss" => history.push(AlertStatus::Resolved),
            "reopen" if history.last() != Some(&AlertStatus::Resolved) => {
                history.push(AlertStatus::Active);
            }
            "reopen" | UNDO_ACTION => {
                history.pop();
            }
            _ => {}
        }
    }
    history.pop();
    let status = match history.last() {
        Some(AlertStatus::Acknowledged) => AlertStatus::Acknowledged,
        _ => AlertStatus::Active,
    };
    Ok(NewState { status, ..reopened })
}

impl Mainstay {
    /// Notifies about alerts that a member ended or reopened. In a separate transaction, because
    /// members may not see webhooks, and after the change, so that a failure does not affect it;
    /// the courier sends the rest later.
    pub(super) async fn notify_alert_changes(&self, scope: Scope, news: &[AlertNews]) {
        let Some(organization) = scope.organization().filter(|_| !news.is_empty()) else { return };
        if let Err(error) = self.queue_alert_notifications(organization).await {
            tracing::error!(%organization, %error, "failed to notify about a change of alerts; will retry");
        }
    }

    /// Alerts, newest first.
    pub async fn alerts(
        &self,
        scope: Scope,
        filter: &AlertFilter,
        limit: i64,
    ) -> Result<Vec<Alert>> {
        Ok(self.store().read(scope).await?.list_alerts(filter, limit).await?)
    }

    /// The number of open alerts per severity.
    pub async fn open_alert_counts(&self, scope: Scope) -> Result<Vec<(Severity, i64)>> {
        Ok(self.store().read(scope).await?.count_open_alerts().await?)
    }

    /// One alert and its history.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn alert(&self, scope: Scope, id: AlertId) -> Result<AlertHistory> {
        let mut tx = self.store().read(scope).await?;
        let alert = tx.find_alert(id).await?.ok_or_else(|| no_alert(id))?;
        let actions = tx.list_alert_actions(id).await?;
        let follow_ups = load_follow_ups(&mut tx, &[id]).await?.remove(&id).unwrap_or_default();
        drop(tx);
        let told = match scope.organization() {
            Some(organization) => self.notifications_of(organization, &[id]).await?.remove(&id),
            None => None,
        };
        Ok(AlertHistory { alert, actions, follow_ups, told: told.unwrap_or_default() })
    }

    /// Acknowledges, snoozes, resolves, dismisses or reopens an alert, and records author and time.
    ///
    /// # Errors
    /// [`Error::NotFound`], or why the action is not possible.
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
        let mut alert = tx.find_alert(id).await?.ok_or_else(|| no_alert(id))?;
        let was_open = alert.episode.status.is_open();
        let state = state_after(&mut tx, &alert.episode, action, now).await?;
        alert.episode.set(state);
        let change = AlertChange { action: action.as_str(), member, note };
        tx.update_alert(&alert.episode, Some(&change), now).await?;
        let news =
            alert_news(&mut tx, member, &[ChangedAlert { alert, was_open }], note, now).await?;
        tx.insert_alert_news(&news).await?;
        tx.commit().await?;
        self.notify_alert_changes(scope, &news).await;
        self.alert(scope, id).await
    }
}
