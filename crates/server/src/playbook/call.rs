use mainstay_core::{
    id::ClientId,
    notification::{AlertNotice, Event, Notice, OwnerName, PlaybookNotice},
    playbook::{PlaybookAction, PlaybookDeed},
};
use mainstay_store::{ClientChunk, Occasion, Tx};

use super::start::Started;
use crate::{Mainstay, Result, notification::queue_notice, organization::Context};

impl Mainstay {
    /// Queues a notice for each webhook that a playbook calls; answers what became of it.
    pub(super) async fn call_webhooks(
        &self,
        tx: &mut Tx,
        context: &Context,
        chunk: &ClientChunk,
        started: &Started,
    ) -> Result<Vec<PlaybookDeed>> {
        let mut deeds = Vec::new();
        let mut notice: Option<Notice> = None;
        for action in &started.playbook.actions {
            let PlaybookAction::Webhook { webhook } = action else { continue };
            let Some(known) = tx.webhook(*webhook).await? else {
                deeds.push(PlaybookDeed::NotCalled);
                continue;
            };
            let notice = match &notice {
                Some(notice) => notice.clone(),
                None => notice.insert(self.notice_of(tx, context, chunk, started).await?).clone(),
            };
            let alerts: Vec<_> = started.alert().into_iter().collect();
            let queued = queue_notice(tx, *webhook, notice, &alerts, self.now()).await?;
            deeds.push(if queued {
                PlaybookDeed::Called { webhook: known.name }
            } else {
                PlaybookDeed::NotCalled
            });
        }
        Ok(deeds)
    }

    /// What a playbook has to say of what started it.
    async fn notice_of(
        &self,
        tx: &mut Tx,
        context: &Context,
        chunk: &ClientChunk,
        started: &Started,
    ) -> Result<Notice> {
        let organization = context.organization.slug.clone();
        let client_id = external_id(chunk, started.client);
        let client_name = tx.client(&client_id).await?.and_then(|client| client.profile.name);
        let (reason, alert) = match started.occasion {
            Occasion::Band { change, .. } => {
                let (from, to) = (change.from.words(), change.to.words());
                (format!("The score went from {from} to {to}."), None)
            }
            Occasion::Alert(id) => {
                let owner = tx.noticed_alerts(&[id]).await?.pop().and_then(|one| one.owner);
                let notice = tx.alert(id).await?.map(|alert| AlertNotice {
                    organization: organization.clone(),
                    alert_id: id,
                    client_id: alert.client_id,
                    client_name: alert.client_name,
                    owner: owner.map(|(id, name)| OwnerName { id, name }),
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
            PlaybookNotice { organization, playbook, client_id, client_name, reason, alert };
        Ok(Notice { event: Event::PlaybookCalled(event), timestamp: self.now() })
    }
}

/// The host app's id of a client of a chunk.
fn external_id(chunk: &ClientChunk, client: ClientId) -> String {
    let found = chunk.clients.iter().find(|(one, _)| one.id == client);
    found.map(|(_, external_id)| external_id.clone()).unwrap_or_default()
}
