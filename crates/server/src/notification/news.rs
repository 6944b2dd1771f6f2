use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use mainstay_core::{
    alert::Change,
    id::{AlertId, OrganizationId, WebhookId},
    notification::{
        AlertNotice, Event, Gathered, ManyAlerts, News, Notice, OwnerName, gathered, settled,
    },
};
use mainstay_store::{
    AlertNews, NewWebhookMessage, NoticedAlert, Organization, Scope, Tx, Webhook, new_id,
};

use crate::{Mainstay, Result};

/// Alerts that a notice of many names.
const MOST_NAMED: usize = 5;

impl Mainstay {
    /// Turns the news of an organization's alerts into messages to its endpoints: of all of it
    /// together, so that what happened to many clients is told as one.
    pub(crate) async fn tell_news(&self, organization: OrganizationId) -> Result<()> {
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        tx.lock_health_check().await?;
        let mut messages: HashMap<AlertId, String> = HashMap::new();
        let mut news = Vec::new();
        for (one, message) in tx.take_alert_news().await? {
            messages.insert(one.alert, message);
            news.push(one);
        }
        if news.is_empty() {
            return Ok(tx.rollback().await?);
        }
        let organization = tx.organization().await?;
        if !organization.sample {
            let speaker = Speaker {
                organization: organization.slug,
                messages,
                alerts: HashMap::new(),
                clients_in_all: tx.count_clients().await?,
            };
            tell(&mut tx, speaker, &settled(&news), self.now()).await?;
        }
        Ok(tx.commit().await?)
    }
}

async fn tell(tx: &mut Tx, mut speaker: Speaker, news: &[News], now: Timestamp) -> Result<()> {
    let mut told: Vec<(WebhookId, Vec<Gathered>)> = Vec::new();
    let mut named: BTreeSet<AlertId> = BTreeSet::new();
    for webhook in enabled(tx).await? {
        let gathered = gathered(news, &webhook.route, speaker.clients_in_all);
        named.extend(gathered.iter().flat_map(|one| one.worst(MOST_NAMED)).map(|news| news.alert));
        told.push((webhook.id, gathered));
    }
    let named: Vec<AlertId> = named.into_iter().collect();
    let alerts = tx.noticed_alerts(&named).await?;
    speaker.alerts = alerts.into_iter().map(|alert| (alert.id, alert)).collect();
    let messages: Vec<NewWebhookMessage> = told
        .iter()
        .flat_map(|(webhook, gathered)| gathered.iter().map(move |one| (*webhook, one)))
        .filter_map(|(webhook, one)| {
            Some(NewWebhookMessage {
                id: new_id(now),
                webhook,
                notice: speaker.notice(one)?,
                alerts: one.news().iter().map(|news| news.alert).collect(),
                by_hand: false,
            })
        })
        .collect();
    Ok(tx.queue_webhook_messages(&messages, now).await?)
}

/// Puts news into words.
struct Speaker {
    /// The organization's short name.
    organization: String,
    /// What the last change of each alert says.
    messages: HashMap<AlertId, String>,
    /// The alerts that are named.
    alerts: HashMap<AlertId, NoticedAlert>,
    clients_in_all: i64,
}

impl Speaker {
    fn notice(&self, gathered: &Gathered) -> Option<Notice> {
        let timestamp = gathered.news().iter().map(|news| news.at).max()?;
        Some(Notice { event: self.event(gathered)?, timestamp })
    }

    fn event(&self, gathered: &Gathered) -> Option<Event> {
        let (over, news) = match gathered {
            Gathered::Many { over, news } => (*over, news),
            Gathered::One(news) => {
                let alert = self.alert(news)?;
                return Some(match news.change {
                    Change::Opened => Event::AlertOpened(alert),
                    Change::Worsened => Event::AlertWorsened(alert),
                    Change::Resolved => Event::AlertResolved(alert),
                });
            }
        };
        let many = ManyAlerts {
            organization: self.organization.clone(),
            clients: gathered.clients(),
            clients_in_all: self.clients_in_all,
            alerts: i64::try_from(news.len()).unwrap_or(i64::MAX),
            by_type: gathered.by_type(),
            worst: gathered.worst(MOST_NAMED).iter().filter_map(|news| self.alert(news)).collect(),
        };
        let event = if over { Event::OrganizationRecovery } else { Event::OrganizationFall };
        Some(event(many))
    }

    fn alert(&self, news: &News) -> Option<AlertNotice> {
        let alert = self.alerts.get(&news.alert)?;
        Some(AlertNotice {
            organization: self.organization.clone(),
            alert_id: alert.id,
            client_id: alert.client_id.clone(),
            client_name: alert.client_name.clone(),
            owner: alert.owner.clone().map(|(id, name)| OwnerName { id, name }),
            alert_type: news.kind,
            severity: news.severity,
            status: alert.status,
            message: self.messages.get(&news.alert).cloned().unwrap_or_default(),
            figures: alert.figures.clone(),
            opened_at: alert.opened_at,
        })
    }
}

async fn enabled(tx: &mut Tx) -> Result<Vec<Webhook>> {
    let webhooks = tx.webhooks().await?;
    Ok(webhooks.into_iter().filter(|webhook| webhook.disabled.is_none()).collect())
}

/// Queues an event of the whole organization for every endpoint that wants to hear of it, in the
/// caller's transaction.
pub(crate) async fn tell_all(
    tx: &mut Tx,
    organization: &Organization,
    event: &Event,
    at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    if organization.sample {
        return Ok(());
    }
    let messages: Vec<NewWebhookMessage> = enabled(tx)
        .await?
        .into_iter()
        .filter(|webhook| webhook.route.takes_event(event.kind()))
        .map(|webhook| NewWebhookMessage {
            id: new_id(now),
            webhook: webhook.id,
            notice: Notice { event: event.clone(), timestamp: at },
            alerts: Vec::new(),
            by_hand: false,
        })
        .collect();
    Ok(tx.queue_webhook_messages(&messages, now).await?)
}

/// The news that somebody ended an alert, or opened it again.
pub(crate) fn changed_by(
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
