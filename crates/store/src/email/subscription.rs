//! Who wants mails, since when and by whose word; addresses that take none; what an organization
//! decides about its mails.

use std::collections::HashMap;

use jiff::Timestamp;
use mainstay_core::{
    email::{ConsentSource, EmailSettings, SubscriptionState},
    id::ClientId,
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    ClientChunk, ResolvedClient, Result, Tx,
    db::{
        dialect::{Instant, execute, fetch_all, fetch_optional},
        id::new_id,
        name::{self, NameColumn},
    },
};

/// Whether the client receives emails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Whether it does.
    pub state: SubscriptionState,
    /// Where to.
    pub address: String,
    /// Where it said so.
    pub source: ConsentSource,
    /// Time.
    pub changed_at: Timestamp,
}

/// A client that gets mails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// ID.
    pub client: ResolvedClient,
    /// Its `external_id`.
    pub external_id: String,
    /// Name.
    pub name: Option<String>,
    /// Where to.
    pub address: String,
    /// Since when.
    pub since: Timestamp,
    /// Why nothing is sent to the address, if so.
    pub suppressed: Option<String>,
}

/// An address that a mail server refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// ID.
    pub address: String,
    /// Reply of the mail server.
    pub reason: String,
    /// Time.
    pub at: Timestamp,
}

#[derive(sqlx_macros::FromRow)]
struct SubscriberRow {
    id: Uuid,
    created_at: Instant,
    external_id: String,
    name: Option<String>,
    address: String,
    changed_at: Instant,
    reason: Option<String>,
}

impl From<SubscriberRow> for Subscriber {
    fn from(row: SubscriberRow) -> Self {
        Self {
            client: ResolvedClient { id: row.id.into(), created_at: row.created_at.0 },
            external_id: row.external_id,
            name: row.name,
            address: row.address,
            since: row.changed_at.0,
            suppressed: row.reason,
        }
    }
}

macro_rules! select_subscribers {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.created_at, c.external_id, c.name, s.address, s.changed_at, x.reason \
             FROM email_subscriptions s JOIN clients c \
             ON c.organization_id = s.organization_id AND c.id = s.client_id \
             LEFT JOIN email_suppressions x \
             ON x.organization_id = s.organization_id AND x.address = s.address \
             WHERE s.organization_id = $1 AND s.state = 'subscribed' ",
            $rest
        )
    };
}

type SubscriptionRow = (String, String, String, Instant);

fn subscription(
    (state, address, source, at): SubscriptionRow,
    (state_column, source_column): (NameColumn, NameColumn),
) -> Result<Subscription> {
    Ok(Subscription {
        state: state_column.read(&state)?,
        address,
        source: source_column.read(&source)?,
        changed_at: at.0,
    })
}

impl Tx {
    /// Email settings of the organization.
    pub async fn get_email_settings(&mut self) -> Result<EmailSettings> {
        let row = fetch_optional!(
            self,
            (Json<EmailSettings>,),
            "SELECT settings FROM email_settings WHERE organization_id = $1",
            self.scope.organization_uuid()
        )?;
        Ok(row.map(|(Json(settings),)| settings).unwrap_or_default())
    }

    /// Changes what the organization decided about its mails.
    pub async fn set_email_settings(
        &mut self,
        settings: &EmailSettings,
        now: Timestamp,
    ) -> Result<()> {
        let before = self.get_email_settings().await?;
        execute!(
            self,
            "INSERT INTO email_settings (organization_id, settings, changed_at) VALUES ($1, $2, $3) \
             ON CONFLICT (organization_id) \
             DO UPDATE SET settings = excluded.settings, changed_at = excluded.changed_at",
            self.scope.organization_uuid(),
            Json(settings),
            Instant(now)
        )?;
        if settings.postal_address != before.postal_address {
            // It stands in every mail: those that wait are made again when they are sent.
            execute!(
                self,
                "UPDATE client_success_emails SET body = NULL \
                 WHERE organization_id = $1 AND state IN ('queued', 'sending') AND state = 'queued'",
                self.scope.organization_uuid()
            )?;
        }
        Ok(())
    }

    /// Whether a client gets mails; `None` when nobody ever said.
    pub async fn find_subscription(&mut self, client: ClientId) -> Result<Option<Subscription>> {
        let row = fetch_optional!(
            self,
            SubscriptionRow,
            "SELECT state, address, source, changed_at FROM email_subscriptions \
             WHERE organization_id = $1 AND client_id = $2",
            self.scope.organization_uuid(),
            client.uuid()
        )?;
        let columns = (name::SUBSCRIPTION_STATE, name::SUBSCRIPTION_SOURCE);
        row.map(|row| subscription(row, columns)).transpose()
    }

    /// Changes whether a client gets mails, and keeps that it did.
    pub async fn set_subscription(&mut self, client: ClientId, new: &Subscription) -> Result<()> {
        let organization = self.scope.organization_uuid();
        execute!(
            self,
            "INSERT INTO email_subscriptions \
             (organization_id, client_id, state, address, source, changed_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (organization_id, client_id) DO UPDATE SET \
             state = excluded.state, address = excluded.address, source = excluded.source, \
             changed_at = excluded.changed_at",
            organization,
            client.uuid(),
            new.state.as_str(),
            &new.address,
            new.source.as_str(),
            Instant(new.changed_at)
        )?;
        execute!(
            self,
            "INSERT INTO email_consents \
             (organization_id, client_id, id, state, address, source, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            organization,
            client.uuid(),
            new_id::<Uuid>(new.changed_at),
            new.state.as_str(),
            &new.address,
            new.source.as_str(),
            Instant(new.changed_at)
        )?;
        self.mark_known(&[client]).await
    }

    /// Everything that a client ever said about mails, newest first.
    pub async fn list_consents(
        &mut self,
        client: ClientId,
        limit: i64,
    ) -> Result<Vec<Subscription>> {
        let rows = fetch_all!(
            self,
            SubscriptionRow,
            "SELECT state, address, source, at FROM email_consents \
             WHERE organization_id = $1 AND client_id = $2 ORDER BY id DESC LIMIT $3",
            self.scope.organization_uuid(),
            client.uuid(),
            limit
        )?;
        let columns = (name::CONSENT_STATE, name::CONSENT_SOURCE);
        rows.into_iter().map(|row| subscription(row, columns)).collect()
    }

    /// How many clients get mails.
    pub async fn count_subscribers(&mut self) -> Result<i64> {
        let row = fetch_optional!(
            self,
            (i64,),
            "SELECT COUNT(*) FROM email_subscriptions \
             WHERE organization_id = $1 AND state = 'subscribed'",
            self.scope.organization_uuid()
        )?;
        Ok(row.map_or(0, |(count,)| count))
    }

    /// The next clients that get mails and existed before an instant, in the order of their ids.
    pub async fn list_subscribers_after(
        &mut self,
        after: Option<ClientId>,
        as_of: Timestamp,
        limit: i64,
    ) -> Result<Vec<Subscriber>> {
        let rows = fetch_all!(
            self,
            SubscriberRow,
            select_subscribers!(
                "AND s.client_id > $2 AND c.created_at < $3 ORDER BY s.client_id LIMIT $4"
            ),
            self.scope.organization_uuid(),
            after.map_or(Uuid::nil(), ClientId::uuid),
            Instant(as_of),
            limit
        )?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Those of a chunk's clients that get mails.
    pub async fn list_subscribers_of(
        &mut self,
        chunk: &ClientChunk,
    ) -> Result<HashMap<ClientId, Subscriber>> {
        let Some((low, high)) = chunk.range() else { return Ok(HashMap::new()) };
        let rows = fetch_all!(
            self,
            SubscriberRow,
            select_subscribers!("AND s.client_id BETWEEN $2 AND $3"),
            self.scope.organization_uuid(),
            low,
            high
        )?;
        Ok(rows.into_iter().map(Subscriber::from).map(|item| (item.client.id, item)).collect())
    }

    /// Sends nothing more to an address.
    pub async fn suppress_address(
        &mut self,
        address: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<()> {
        execute!(
            self,
            "INSERT INTO email_suppressions (organization_id, address, reason, at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (organization_id, address) DO NOTHING",
            self.scope.organization_uuid(),
            address,
            reason,
            Instant(now)
        )?;
        Ok(())
    }

    /// Why nothing is sent to an address, if so.
    pub async fn find_suppression(&mut self, address: &str) -> Result<Option<String>> {
        let row = fetch_optional!(
            self,
            (String,),
            "SELECT reason FROM email_suppressions WHERE organization_id = $1 AND address = $2",
            self.scope.organization_uuid(),
            address
        )?;
        Ok(row.map(|(reason,)| reason))
    }

    /// The addresses that nothing is sent to, the latest first.
    pub async fn list_suppressions(&mut self, limit: i64) -> Result<Vec<Suppression>> {
        let rows = fetch_all!(
            self,
            (String, String, Instant),
            "SELECT address, reason, at FROM email_suppressions WHERE organization_id = $1 \
             ORDER BY at DESC, address LIMIT $2",
            self.scope.organization_uuid(),
            limit
        )?;
        Ok(rows
            .into_iter()
            .map(|(address, reason, at)| Suppression { address, reason, at: at.0 })
            .collect())
    }

    /// Sends to an address again; false when nothing kept it from that.
    pub async fn unsuppress_address(&mut self, address: &str) -> Result<bool> {
        let deleted = execute!(
            self,
            "DELETE FROM email_suppressions WHERE organization_id = $1 AND address = $2",
            self.scope.organization_uuid(),
            address
        )?;
        Ok(deleted == 1)
    }
}
