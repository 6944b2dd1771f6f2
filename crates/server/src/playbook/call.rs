use mainstay_core::{
    id::ClientId,
    notification::{AlertNotification, AlertOwner, Event, Notification, PlaybookNotification},
    playbook::{ActionOutcome, PlaybookAction},
};
use mainstay_store::{ClientChunk, TriggerSource, Tx};

use super::start::StartedRun;
use crate::{Mainstay, Result, notification::queue_notice, organization::Context};

impl Mainstay {
    /// Queues a message for each webhook that a playbook calls; returns the outcomes.
    pub(super) async fn call_webhooks(
        &self,
        tx: &mut Tx,
        context: &Context,
        chunk: &ClientChunk,
        started: &StartedRun,
    ) -> Result<Vec<ActionOutcome>> {
        let mut outcomes = Vec::new();
        let mut notice: Option<Notification> = None;
        for action in &started.playbook.actions {
            let PlaybookAction::Webhook { webhook } = action else { continue };
            let Some(stored_webhook) = tx.find_webhook(*webhook).await? else {
                outcomes.push(ActionOutcome::WebhookSkipped);
                continue;
            };
            let notice = match &notice {
                Some(notice) => notice.clone(),
                None => {
                    notice.insert(self.build_notice(tx, context, chunk, started).await?).clone()
                }
            };
            let alerts: Vec<_> = started.alert().into_iter().collect();
            let queued = queue_notice(tx, *webhook, notice, &alerts, self.now()).await?;
            outcomes.push(if queued {
                ActionOutcome::WebhookQueued { webhook: stored_webhook.name }
            } else {
                ActionOutcome::WebhookSkipped
            });
        }
        Ok(outcomes)
    }

    /// Describes what started a playbook.
    async fn build_notice(
        &self,
        tx: &mut Tx,
        context: &Context,
        chunk: &ClientChunk,
        started: &StartedRun,
    ) -> Result<Notification> {
        let organization = context.organization.slug.clone();
        let client_id = external_id(chunk, started.client);
        let client_name = tx.find_client(&client_id).await?.and_then(|client| client.profile.name);
        let (reason, alert) = match started.trigger_source {
            TriggerSource::Band { change, .. } => {
                let (from, to) = (change.from.words(), change.to.words());
                (format!("The score went from {from} to {to}."), None)
            }
            TriggerSource::Alert(id) => {
                let owner = tx.list_noticed_alerts(&[id]).await?.pop().and_then(|one| one.owner);
                let notice = tx.find_alert(id).await?.map(|alert| AlertNotification {
                    organization: organization.clone(),
                    alert_id: id,
                    client_id: alert.client_id,
                    client_name: alert.client_name,
                    owner: owner.map(|(id, name)| AlertOwner { id, name }),
                    alert_type: alert.episode.kind,
                    severity: alert.episode.severity,
                    status: alert.episode.status,
                    message: alert.episode.message,
                    figures: alert.episode.figures,
                    opened_at: alert.episode.opened_at,
                });
                let reason = notice.as_ref().map(|alert| alert.message.clone());
                (reason.unwrap_or_default(), notice)
            }
        };
        let playbook = started.playbook.name.clone();
        let event =
            PlaybookNotification { organization, playbook, client_id, client_name, reason, alert };
        Ok(Notification { event: Event::PlaybookCalled(event), timestamp: self.now() })
    }
}

/// The host app's id of a client of a chunk.
fn external_id(chunk: &ClientChunk, client: ClientId) -> String {
    let found = chunk.clients.iter().find(|(one, _)| one.id == client);
    found.map(|(_, external_id)| external_id.clone()).unwrap_or_default()
}
