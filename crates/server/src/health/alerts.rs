use std::collections::HashMap;

use jiff::Timestamp;
use mainstay_core::{
    health::{Action, Severity, act},
    id::{AlertId, MemberId},
};
use mainstay_store::{
    Alert, AlertAction, AlertChange, AlertFilter, AlertNews, PlaybookRun, Scope, StaffTask, Told,
    Tx,
};

use crate::{Error, Mainstay, Result, notice::resolved_by};

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

/// The news of alerts that somebody ended just now; of the others none.
pub(super) async fn ended_by(
    tx: &mut Tx,
    member: Option<MemberId>,
    alerts: &[Alert],
    note: &str,
    now: Timestamp,
) -> Result<Vec<AlertNews>> {
    if alerts.iter().all(|alert| alert.episode.status.is_open()) {
        return Ok(Vec::new());
    }
    let members = tx.members().await?;
    let who = members.into_iter().find(|one| Some(one.id) == member);
    let who = who.map_or_else(|| "the API".to_owned(), |member| member.name);
    let ended = alerts.iter().filter(|alert| !alert.episode.status.is_open());
    Ok(ended.map(|alert| resolved_by(alert, &who, note, now)).collect())
}

impl Mainstay {
    /// Tells of alerts that somebody ended. In a transaction of its own: members may not see where it
    /// goes.
    pub(super) async fn tell_ended(&self, scope: Scope, ended: &[AlertNews]) -> Result<()> {
        match scope.organization() {
            Some(organization) if !ended.is_empty() => self.tell_news(organization).await,
            _ => Ok(()),
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

    /// Acknowledges, snoozes, resolves or dismisses an alert, and keeps who did and when.
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
        let state = act(&alert.episode, action, now)?;
        alert.episode.set(state);
        let change = AlertChange { action: action.as_str(), member, note };
        tx.update_alert(&alert.episode, Some(&change), now).await?;
        let ended = ended_by(&mut tx, member, std::slice::from_ref(&alert), note, now).await?;
        tx.keep_alert_news(&ended).await?;
        tx.commit().await?;
        self.tell_ended(scope, &ended).await?;
        self.alert(scope, id).await
    }
}
