use std::collections::HashMap;

use jiff::Timestamp;
use mainstay_core::{
    alert::{Action, act},
    id::{AlertId, ClientId, MemberId, OrganizationId},
};
use mainstay_store::{Alert, AlertAction, AlertChange, EndedAlerts, EndedPlace, Scope, Told};

use super::alerts::{Changed, Followed, UNDO, followed, news_of, state_after, state_before};
use crate::{Error, Mainstay, Result};

/// Alerts that are acted on together at most.
pub const MAX_AT_ONCE: usize = 200;

/// An alert that somebody chose from a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChosenAlert {
    /// Which one.
    pub id: AlertId,
    /// When it had last changed as it was seen.
    pub changed_at: Timestamp,
}

/// What became of several alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acted {
    /// Those that were changed.
    pub changed: Vec<AlertId>,
    /// Those that somebody or something else had changed since they were seen; they are left alone.
    pub missed: Vec<AlertId>,
    /// When: what was done at once is undone at once by it, see [`Mainstay::undo_alert_actions`].
    pub at: Timestamp,
}

/// An alert of a list, with what was done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedAlert {
    /// Our id of its client.
    pub client: ClientId,
    /// The alert.
    pub alert: Alert,
    /// What was done with it, oldest first.
    pub actions: Vec<AlertAction>,
    /// What else followed from it.
    pub followed: Followed,
    /// What was told of it outside, oldest first.
    pub told: Vec<Told>,
}

impl Mainstay {
    /// Acts on several alerts at once, and keeps who did and when. Whatever changed since it was seen
    /// is left alone: the other one knew more.
    ///
    /// # Errors
    /// When they are too many, or a snooze cannot end then.
    pub async fn act_on_alerts(
        &self,
        scope: Scope,
        chosen: &[ChosenAlert],
        action: Action,
        member: Option<MemberId>,
        note: &str,
    ) -> Result<Acted> {
        if chosen.len() > MAX_AT_ONCE {
            return Err(Error::invalid(
                "alert",
                format!("{} are chosen; choose at most {MAX_AT_ONCE} at once", chosen.len()),
            ));
        }
        let now = self.now();
        let mut acted = Acted { changed: Vec::new(), missed: Vec::new(), at: now };
        let mut changed = Vec::new();
        let mut tx = self.store().begin(scope).await?;
        tx.lock_health_check().await?;
        for one in chosen {
            let found = tx.alert(one.id).await?;
            let unchanged = found.filter(|alert| {
                let open = alert.episode.status.is_open();
                alert.changed_at == one.changed_at
                    && (open || (action == Action::Reopen && alert.episode.is_live()))
            });
            let Some(mut alert) = unchanged else {
                acted.missed.push(one.id);
                continue;
            };
            let was_open = alert.episode.status.is_open();
            let state = state_after(&mut tx, &alert.episode, action, now).await?;
            alert.episode.set(state);
            let change = AlertChange { action: action.as_str(), member, note };
            tx.update_alert(&alert.episode, Some(&change), now).await?;
            acted.changed.push(one.id);
            changed.push(Changed { alert, was_open });
        }
        let news = news_of(&mut tx, member, &changed, note, now).await?;
        tx.keep_alert_news(&news).await?;
        tx.commit().await?;
        self.tell_changed(scope, &news).await;
        Ok(acted)
    }

    /// Takes back what a member did at an instant with one alert or several: each is as it was before, as
    /// long as nothing has changed it since and its condition lasts.
    ///
    /// # Errors
    /// When the database fails. What cannot be taken back is named as missed.
    pub async fn undo_alert_actions(
        &self,
        scope: Scope,
        member: MemberId,
        at: Timestamp,
    ) -> Result<Acted> {
        let now = self.now();
        let mut acted = Acted { changed: Vec::new(), missed: Vec::new(), at: now };
        let mut changed = Vec::new();
        let mut tx = self.store().begin(scope).await?;
        tx.lock_health_check().await?;
        for id in tx.alerts_acted_on(member, at).await? {
            let found = tx.alert(id).await?;
            let unchanged = found.filter(|alert| alert.changed_at == at);
            let Some(mut alert) = unchanged else {
                acted.missed.push(id);
                continue;
            };
            let Ok(reopened) = act(&alert.episode, Action::Reopen, now) else {
                acted.missed.push(id);
                continue;
            };
            let was_open = alert.episode.status.is_open();
            let state = state_before(&mut tx, &alert.episode, reopened).await?;
            alert.episode.set(state);
            let change = AlertChange { action: UNDO, member: Some(member), note: "" };
            tx.update_alert(&alert.episode, Some(&change), now).await?;
            acted.changed.push(id);
            changed.push(Changed { alert, was_open });
        }
        let news = news_of(&mut tx, Some(member), &changed, "", now).await?;
        tx.keep_alert_news(&news).await?;
        tx.commit().await?;
        self.tell_changed(scope, &news).await;
        Ok(acted)
    }

    /// The open alerts of some clients, the worst of each client first, with what was done with them.
    pub async fn open_alerts_of(
        &self,
        organization: OrganizationId,
        clients: &[ClientId],
    ) -> Result<HashMap<ClientId, Vec<ListedAlert>>> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let open = tx.open_alerts_of(clients).await?;
        let ids: Vec<AlertId> = open.values().flatten().map(|alert| alert.episode.id).collect();
        let mut actions = tx.actions_of(&ids).await?;
        let mut followed = followed(&mut tx, &ids).await?;
        let mut told = tx.told_of(&ids).await?;
        Ok(open
            .into_iter()
            .map(|(client, alerts)| {
                let listed = alerts.into_iter().map(|alert| ListedAlert {
                    client,
                    actions: actions.remove(&alert.episode.id).unwrap_or_default(),
                    followed: followed.remove(&alert.episode.id).unwrap_or_default(),
                    told: told.remove(&alert.episode.id).unwrap_or_default(),
                    alert,
                });
                (client, listed.collect())
            })
            .collect())
    }

    /// Ended alerts, the latest end first, and where the list goes on.
    pub async fn ended_alerts(
        &self,
        organization: OrganizationId,
        which: &EndedAlerts,
        limit: i64,
    ) -> Result<(Vec<ListedAlert>, Option<EndedPlace>)> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let mut ended = tx.ended_alerts(which, limit + 1).await?;
        let more = i64::try_from(ended.len()).is_ok_and(|len| len > limit);
        ended.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let last = ended.last().filter(|_| more);
        let next = last.and_then(|(_, alert)| Some((alert.ended_at?, alert.episode.id)));
        let ids: Vec<AlertId> = ended.iter().map(|(_, alert)| alert.episode.id).collect();
        let mut actions = tx.actions_of(&ids).await?;
        let mut followed = followed(&mut tx, &ids).await?;
        let mut told = tx.told_of(&ids).await?;
        let listed = ended.into_iter().map(|(client, alert)| ListedAlert {
            client,
            actions: actions.remove(&alert.episode.id).unwrap_or_default(),
            followed: followed.remove(&alert.episode.id).unwrap_or_default(),
            told: told.remove(&alert.episode.id).unwrap_or_default(),
            alert,
        });
        Ok((listed.collect(), next))
    }
}
