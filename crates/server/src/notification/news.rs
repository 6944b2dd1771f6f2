use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use mainstay_core::{
    alert::Change,
    id::{AlertId, OrganizationId, WebhookId},
    notification::{
        AlertNotification, AlertOwner, AlertSummary, Event, News, Notification, NotificationGroup,
        group_news, latest_changes,
    },
};
use mainstay_store::{
    AlertNews, NewWebhookMessage, NoticedAlert, Organization, Scope, Tx, Webhook, new_id,
};

use crate::{Mainstay, Result};

/// Maximum number of alerts named in one notification.
const MAX_NAMED: usize = 5;

impl Mainstay {
    /// Turns the news of an organization's alerts into messages to its endpoints, all together, so
    /// that news of many clients is combined.
    pub(crate) async fn queue_alert_notifications(
        &self,
        organization: OrganizationId,
    ) -> Result<()> {
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        tx.lock_health_check().await?;
        let mut messages: HashMap<AlertId, String> = HashMap::new();
        let mut news = Vec::new();
        for (one, message) in tx.claim_alert_news().await? {
            messages.insert(one.alert, message);
            news.push(one);
        }
        if news.is_empty() {
            return Ok(tx.rollback().await?);
        }
        let organization = tx.get_organization().await?;
        if !organization.sample {
            let builder = NotificationBuilder {
                organization: organization.slug,
                messages,
                alerts: HashMap::new(),
                clients_in_all: tx.count_clients().await?,
            };
            queue_messages(&mut tx, builder, &latest_changes(&news), self.now()).await?;
        }
        Ok(tx.commit().await?)
    }
}

async fn queue_messages(
    tx: &mut Tx,
    mut builder: NotificationBuilder,
    news: &[News],
    now: Timestamp,
) -> Result<()> {
    let mut per_webhook: Vec<(WebhookId, Vec<NotificationGroup>)> = Vec::new();
    let mut alert_ids: BTreeSet<AlertId> = BTreeSet::new();
    for webhook in enabled_webhooks(tx).await? {
        let gathered = group_news(news, &webhook.route, builder.clients_in_all);
        alert_ids
            .extend(gathered.iter().flat_map(|one| one.worst(MAX_NAMED)).map(|news| news.alert));
        per_webhook.push((webhook.id, gathered));
    }
    let alert_ids: Vec<AlertId> = alert_ids.into_iter().collect();
    let alerts = tx.list_noticed_alerts(&alert_ids).await?;
    builder.alerts = alerts.into_iter().map(|alert| (alert.id, alert)).collect();
    let messages: Vec<NewWebhookMessage> = per_webhook
        .iter()
        .flat_map(|(webhook, gathered)| gathered.iter().map(move |one| (*webhook, one)))
        .filter_map(|(webhook, one)| {
            Some(NewWebhookMessage {
                id: new_id(now),
                webhook,
                notice: builder.notice(one)?,
                alerts: one.news().iter().map(|news| news.alert).collect(),
                by_hand: false,
            })
        })
        .collect();
    Ok(tx.enqueue_webhook_messages(&messages, now).await?)
}

/// Builds notifications from news.
struct NotificationBuilder {
    /// The organization's slug.
    organization: String,
    /// The message of the last change of each alert.
    messages: HashMap<AlertId, String>,
    /// The named alerts.
    alerts: HashMap<AlertId, NoticedAlert>,
    clients_in_all: i64,
}

impl NotificationBuilder {
    fn notice(&self, gathered: &NotificationGroup) -> Option<Notification> {
        let timestamp = gathered.news().iter().map(|news| news.at).max()?;
        Some(Notification { event: self.event(gathered)?, timestamp })
    }

    fn event(&self, gathered: &NotificationGroup) -> Option<Event> {
        let (over, news) = match gathered {
            NotificationGroup::Many { over, news } => (*over, news),
            NotificationGroup::One(news) => {
                let alert = self.alert(news)?;
                return Some(match news.change {
                    Change::Opened => Event::AlertOpened(alert),
                    Change::Worsened => Event::AlertWorsened(alert),
                    Change::Resolved => Event::AlertResolved(alert),
                });
            }
        };
        let many = AlertSummary {
            organization: self.organization.clone(),
            clients: gathered.clients(),
            clients_in_all: self.clients_in_all,
            alerts: i64::try_from(news.len()).unwrap_or(i64::MAX),
            by_type: gathered.by_type(),
            worst: gathered.worst(MAX_NAMED).iter().filter_map(|news| self.alert(news)).collect(),
        };
        let event = if over { Event::OrganizationRecovery } else { Event::OrganizationFall };
        Some(event(many))
    }

    fn alert(&self, news: &News) -> Option<AlertNotification> {
        let alert = self.alerts.get(&news.alert)?;
        Some(AlertNotification {
            organization: self.organization.clone(),
            alert_id: alert.id,
            client_id: alert.client_id.clone(),
            client_name: alert.client_name.clone(),
            owner: alert.owner.clone().map(|(id, name)| AlertOwner { id, name }),
            alert_type: news.kind,
            severity: news.severity,
            status: alert.status,
            message: self.messages.get(&news.alert).cloned().unwrap_or_default(),
            figures: alert.figures.clone(),
            opened_at: alert.opened_at,
        })
    }
}

async fn enabled_webhooks(tx: &mut Tx) -> Result<Vec<Webhook>> {
    let webhooks = tx.list_webhooks().await?;
    Ok(webhooks.into_iter().filter(|webhook| webhook.disabled.is_none()).collect())
}

/// Queues an event of the organization for every subscribed endpoint, in the caller's transaction.
pub(crate) async fn notify_all_webhooks(
    tx: &mut Tx,
    organization: &Organization,
    event: &Event,
    at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    if organization.sample {
        return Ok(());
    }
    let messages: Vec<NewWebhookMessage> = enabled_webhooks(tx)
        .await?
        .into_iter()
        .filter(|webhook| webhook.route.accepts_event(event.kind()))
        .map(|webhook| NewWebhookMessage {
            id: new_id(now),
            webhook: webhook.id,
            notice: Notification { event: event.clone(), timestamp: at },
            alerts: Vec::new(),
            by_hand: false,
        })
        .collect();
    Ok(tx.enqueue_webhook_messages(&messages, now).await?)
}

/// The news that a member ended or reopened an alert.
pub(crate) fn manual_change_news(
    alert: &mainstay_store::Alert,
    who: &str,
    note: &str,
    at: Timestamp,
) -> AlertNews {
    let episode = &alert.episode;
    let note = if note.is_empty() { String::new() } else { format!(" {note}") };
    let (change, message) = if episode.status.is_open() {
        (Change::Opened, format!("Reopened by {who}.{note} {}", episode.message))
    } else {
        (Change::Resolved, format!("{} by {who}.{note}", capitalised(episode.status.as_str())))
    };
    AlertNews {
        alert: episode.id,
        change,
        kind: episode.kind,
        severity: episode.severity,
        message,
        held: false,
        at,
    }
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + chars.as_str())
}
