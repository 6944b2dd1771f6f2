use std::collections::HashMap;

use jiff::Timestamp;
use mainstay_core::{
    alert::{Action, apply_action},
    id::{AlertId, ClientId, MemberId, OrganizationId},
};
use mainstay_store::{
    Alert, AlertAction, AlertChange, AlertDelivery, EndedAlertCursor, EndedAlertFilter, Scope,
};

use super::alerts::{
    ChangedAlert, FollowUps, UNDO_ACTION, alert_news, load_follow_ups, state_after, state_before,
};
use crate::{Error, Mainstay, Result};

/// Maximum number of alerts per bulk action.
pub const MAX_BULK_ALERTS: usize = 200;

/// An alert selected from a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChosenAlert {
    /// The id.
    pub id: AlertId,
    /// When it had last changed when it was displayed.
    pub changed_at: Timestamp,
}

/// The outcome of a bulk action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkActionOutcome {
    /// The changed alerts.
    pub changed: Vec<AlertId>,
    /// Alerts that had changed since they were displayed; they are skipped.
    pub missed: Vec<AlertId>,
    /// The time, which identifies the action for an undo, see [`Mainstay::undo_alert_actions`].
    pub at: Timestamp,
}

/// An alert in a list, with its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedAlert {
    /// The internal id of its client.
    pub client: ClientId,
    /// The alert.
    pub alert: Alert,
    /// Its history, oldest first.
    pub actions: Vec<AlertAction>,
    /// Its playbook runs and tasks.
    pub follow_ups: FollowUps,
    /// Its notifications, oldest first.
    pub told: Vec<AlertDelivery>,
}

impl Mainstay {
    /// Applies an action to several alerts, and records author and time. Alerts that have changed
    /// since they were displayed are skipped.
    ///
    /// # Errors
    /// If there are too many, or the end of a snooze is invalid.
    pub async fn act_on_alerts(
        &self,
        scope: Scope,
        chosen: &[ChosenAlert],
        action: Action,
        member: Option<MemberId>,
        note: &str,
    ) -> Result<BulkActionOutcome> {
        if chosen.len() > MAX_BULK_ALERTS {
            return Err(Error::invalid(
                "alert",
                format!("{} are selected; select at most {MAX_BULK_ALERTS}", chosen.len()),
            ));
        }
        let now = self.now();
        let mut outcome = BulkActionOutcome { changed: Vec::new(), missed: Vec::new(), at: now };
        let mut changed = Vec::new();
        let mut tx = self.store().begin(scope).await?;
        tx.lock_health_check().await?;
        for one in chosen {
            let found = tx.find_alert(one.id).await?;
            let unchanged = found.filter(|alert| {
                let open = alert.episode.status.is_open();
                alert.changed_at == one.changed_at
                    && (open || (action == Action::Reopen && alert.episode.is_live()))
            });
            let Some(mut alert) = unchanged else {
                outcome.missed.push(one.id);
                continue;
            };
            let was_open = alert.episode.status.is_open();
            let state = state_after(&mut tx, &alert.episode, action, now).await?;
            alert.episode.set(state);
            let change = AlertChange { action: action.as_str(), member, note };
            tx.update_alert(&alert.episode, Some(&change), now).await?;
            outcome.changed.push(one.id);
            changed.push(ChangedAlert { alert, was_open });
        }
        let news = alert_news(&mut tx, member, &changed, note, now).await?;
        tx.insert_alert_news(&news).await?;
        tx.commit().await?;
        self.notify_alert_changes(scope, &news).await;
        Ok(outcome)
    }

    /// Undoes a member's action at an instant: each alert returns to its previous state, if it has
    /// not changed since and its condition lasts.
    ///
    /// # Errors
    /// If the database fails. Alerts that cannot be restored are reported as missed.
    pub async fn undo_alert_actions(
        &self,
        scope: Scope,
        member: MemberId,
        at: Timestamp,
    ) -> Result<BulkActionOutcome> {
        let now = self.now();
        let mut outcome = BulkActionOutcome { changed: Vec::new(), missed: Vec::new(), at: now };
        let mut changed = Vec::new();
        let mut tx = self.store().begin(scope).await?;
        tx.lock_health_check().await?;
        for id in tx.list_alerts_acted_on(member, at).await? {
            let found = tx.find_alert(id).await?;
            let unchanged = found.filter(|alert| alert.changed_at == at);
            let Some(mut alert) = unchanged else {
                outcome.missed.push(id);
                continue;
            };
            let Ok(reopened) = apply_action(&alert.episode, Action::Reopen, now) else {
                outcome.missed.push(id);
                continue;
            };
            let was_open = alert.episode.status.is_open();
            let state = state_before(&mut tx, &alert.episode, reopened).await?;
            alert.episode.set(state);
            let change = AlertChange { action: UNDO_ACTION, member: Some(member), note: "" };
            tx.update_alert(&alert.episode, Some(&change), now).await?;
            outcome.changed.push(id);
            changed.push(ChangedAlert { alert, was_open });
        }
        let news = alert_news(&mut tx, Some(member), &changed, "", now).await?;
        tx.insert_alert_news(&news).await?;
        tx.commit().await?;
        self.notify_alert_changes(scope, &news).await;
        Ok(outcome)
    }

    /// The open alerts of some clients, worst first per client, with their history.
    pub async fn open_alerts_of(
        &self,
        organization: OrganizationId,
        clients: &[ClientId],
    ) -> Result<HashMap<ClientId, Vec<ListedAlert>>> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let open = tx.list_open_alerts_of(clients).await?;
        let ids: Vec<AlertId> = open.values().flatten().map(|alert| alert.episode.id).collect();
        let mut actions = tx.list_actions_of(&ids).await?;
        let mut follow_ups = load_follow_ups(&mut tx, &ids).await?;
        let mut told = tx.list_deliveries_of(&ids).await?;
        Ok(open
            .into_iter()
            .map(|(client, alerts)| {
                let listed = alerts.into_iter().map(|alert| ListedAlert {
                    client,
                    actions: actions.remove(&alert.episode.id).unwrap_or_default(),
                    follow_ups: follow_ups.remove(&alert.episode.id).unwrap_or_default(),
                    told: told.remove(&alert.episode.id).unwrap_or_default(),
                    alert,
                });
                (client, listed.collect())
            })
            .collect())
    }

    /// Ended alerts, latest first, and the cursor of the next page.
    pub async fn ended_alerts(
        &self,
        organization: OrganizationId,
        which: &EndedAlertFilter,
        limit: i64,
    ) -> Result<(Vec<ListedAlert>, Option<EndedAlertCursor>)> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let mut ended = tx.list_ended_alerts(which, limit + 1).await?;
        let more = i64::try_from(ended.len()).is_ok_and(|len| len > limit);
        ended.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let last = ended.last().filter(|_| more);
        let next = last.and_then(|(_, alert)| Some((alert.ended_at?, alert.episode.id)));
        let ids: Vec<AlertId> = ended.iter().map(|(_, alert)| alert.episode.id).collect();
        let mut actions = tx.list_actions_of(&ids).await?;
        let mut follow_ups = load_follow_ups(&mut tx, &ids).await?;
        let mut told = tx.list_deliveries_of(&ids).await?;
        let listed = ended.into_iter().map(|(client, alert)| ListedAlert {
            client,
            actions: actions.remove(&alert.episode.id).unwrap_or_default(),
            follow_ups: follow_ups.remove(&alert.episode.id).unwrap_or_default(),
            told: told.remove(&alert.episode.id).unwrap_or_default(),
            alert,
        });
        Ok((listed.collect(), next))
    }
}
