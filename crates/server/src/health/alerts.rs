use std::collections::HashMap;

use mainstay_core::{
    health::{Action, Severity, act},
    id::{AlertId, MemberId},
};
use mainstay_store::{
    Alert, AlertAction, AlertChange, AlertFilter, PlaybookRun, Scope, StaffTask, Tx,
};

use crate::{Error, Mainstay, Result};

/// An alert with what was done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertHistory {
    /// The alert.
    pub alert: Alert,
    /// What was done with it, oldest first.
    pub actions: Vec<AlertAction>,
    /// What else followed from it.
    pub followed: Followed,
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

impl Mainstay {
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
        Ok(AlertHistory { alert, actions, followed })
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
        tx.commit().await?;
        self.alert(scope, id).await
    }
}
