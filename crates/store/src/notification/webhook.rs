//! Where notices are sent to outside, and what an organization decides about that.

use jiff::Timestamp;
use mainstay_core::{
    id::WebhookId,
    notification::{EndpointKind, NotificationSettings, Route},
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Result, Tx,
    db::{
        dialect::{Instant, execute, fetch_all, fetch_optional},
        name,
        secret_rows::{WEBHOOK_SECRET, WEBHOOK_URL},
    },
};

/// A place that notices are sent to.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// What it understands.
    pub kind: EndpointKind,
    /// Display name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Secret that signs messages.
    pub secret: String,
    /// The secret before it, and until when messages are signed with that, too.
    pub previous_secret: Option<(String, Timestamp)>,
    /// Notifications that the endpoint receives.
    pub route: Route,
    /// Whether it ignores quiet hours.
    pub ignores_quiet_hours: bool,
    /// Why and since when nothing is sent there; `None` while something is.
    pub disabled: Option<(String, Timestamp)>,
    /// Since when every attempt has failed.
    pub failing_since: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for Webhook {
    /// Without its secrets and its address, which is one with many services.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A place to send notices to.
#[derive(Clone)]
pub struct NewWebhook {
    /// Its id.
    pub id: WebhookId,
    /// What it understands.
    pub kind: EndpointKind,
    /// Display name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Secret that signs messages.
    pub secret: String,
    /// Notifications that the endpoint receives.
    pub route: Route,
    /// Whether it ignores quiet hours.
    pub ignores_quiet_hours: bool,
}

/// Changes to a [`Webhook`]. Absent fields stay as they are.
#[derive(Clone, Default)]
pub struct WebhookPatch {
    /// Display name.
    pub name: Option<String>,
    /// Where it is.
    pub url: Option<String>,
    /// Notifications that the endpoint receives.
    pub route: Option<Route>,
    /// Whether it ignores quiet hours.
    pub ignores_quiet_hours: Option<bool>,
}

#[derive(sqlx_macros::FromRow)]
struct Row {
    id: Uuid,
    kind: String,
    name: String,
    url: String,
    secret: String,
    previous_secret: Option<String>,
    previous_until: Option<Instant>,
    route: Json<Route>,
    ignores_quiet_hours: bool,
    disabled_reason: Option<String>,
    disabled_at: Option<Instant>,
    failing_since: Option<Instant>,
    created_at: Instant,
}

impl Tx {
    fn webhook_of(&self, row: Row) -> Result<Webhook> {
        let at = |at: Option<Instant>| at.map(|at| at.0);
        let open = |column, stored: &str| self.open((column, row.id), stored);
        let previous = row.previous_secret.as_deref();
        let previous = previous.map(|secret| open(WEBHOOK_SECRET, secret)).transpose()?;
        Ok(Webhook {
            id: row.id.into(),
            kind: name::ENDPOINT_KIND.read(&row.kind)?,
            url: open(WEBHOOK_URL, &row.url)?,
            secret: open(WEBHOOK_SECRET, &row.secret)?,
            previous_secret: previous.zip(at(row.previous_until)),
            name: row.name,
            route: row.route.0,
            ignores_quiet_hours: row.ignores_quiet_hours,
            disabled: row.disabled_reason.zip(at(row.disabled_at)),
            failing_since: at(row.failing_since),
            created_at: row.created_at.0,
        })
    }
}

macro_rules! select_webhooks {
    ($rest:literal) => {
        concat!(
            "SELECT id, kind, name, url, secret, previous_secret, previous_until, route, \
             ignores_quiet_hours, disabled_reason, disabled_at, failing_since, created_at \
             FROM webhook_endpoints WHERE organization_id = $1 ",
            $rest
        )
    };
}

impl Tx {
    /// Keeps a place to send notices to.
    pub async fn create_webhook(&mut self, new: &NewWebhook, now: Timestamp) -> Result<()> {
        let (organization, id) = (self.scope.organization_uuid(), new.id.uuid());
        // The address too: with many services, whoever knows it may write there.
        let url = self.seal(organization, (WEBHOOK_URL, id), &new.url).await?;
        let secret = self.seal(organization, (WEBHOOK_SECRET, id), &new.secret).await?;
        execute!(
            self,
            "INSERT INTO webhook_endpoints (organization_id, id, kind, name, url, secret, route, \
             ignores_quiet_hours, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            organization,
            id,
            new.kind.as_str(),
            &new.name,
            url,
            secret,
            Json(&new.route),
            new.ignores_quiet_hours,
            Instant(now)
        )?;
        Ok(())
    }

    /// All places that notices are sent to, oldest first.
    pub async fn list_webhooks(&mut self) -> Result<Vec<Webhook>> {
        let rows =
            fetch_all!(self, Row, select_webhooks!("ORDER BY id"), self.scope.organization_uuid())?;
        rows.into_iter().map(|row| self.webhook_of(row)).collect()
    }

    /// One of them.
    pub async fn find_webhook(&mut self, id: WebhookId) -> Result<Option<Webhook>> {
        let row = fetch_optional!(
            self,
            Row,
            select_webhooks!("AND id = $2"),
            self.scope.organization_uuid(),
            id.uuid()
        )?;
        row.map(|row| self.webhook_of(row)).transpose()
    }

    /// Whether anything is sent anywhere.
    pub async fn has_webhook(&mut self) -> Result<bool> {
        let row = fetch_optional!(
            self,
            (Uuid,),
            "SELECT id FROM webhook_endpoints WHERE organization_id = $1 \
             AND disabled_reason IS NULL LIMIT 1",
            self.scope.organization_uuid()
        )?;
        Ok(row.is_some())
    }

    /// Changes a place; false when there is none such.
    pub async fn update_webhook(&mut self, id: WebhookId, patch: &WebhookPatch) -> Result<bool> {
        let organization = self.scope.organization_uuid();
        let url = match &patch.url {
            Some(url) => Some(self.seal(organization, (WEBHOOK_URL, id.uuid()), url).await?),
            None => None,
        };
        let updated = execute!(
            self,
            "UPDATE webhook_endpoints SET name = COALESCE($3, name), url = COALESCE($4, url), \
             route = COALESCE($5, route), ignores_quiet_hours = COALESCE($6, ignores_quiet_hours) \
             WHERE organization_id = $1 AND id = $2",
            organization,
            id.uuid(),
            &patch.name,
            url,
            patch.route.as_ref().map(Json),
            patch.ignores_quiet_hours
        )?;
        Ok(updated == 1)
    }

    /// Gives a place another secret; the one until now counts as well until an instant. False when
    /// there is no such place.
    pub async fn rotate_webhook_secret(
        &mut self,
        id: WebhookId,
        secret: &str,
        previous_until: Timestamp,
    ) -> Result<bool> {
        let organization = self.scope.organization_uuid();
        let secret = self.seal(organization, (WEBHOOK_SECRET, id.uuid()), secret).await?;
        let updated = execute!(
            self,
            "UPDATE webhook_endpoints SET previous_secret = secret, previous_until = $4, secret = $3 \
             WHERE organization_id = $1 AND id = $2",
            organization,
            id.uuid(),
            secret,
            Instant(previous_until)
        )?;
        Ok(updated == 1)
    }

    /// Sends to a place again; false when there is none such.
    pub async fn enable_webhook(&mut self, id: WebhookId) -> Result<bool> {
        let updated = execute!(
            self,
            "UPDATE webhook_endpoints SET disabled_reason = NULL, disabled_at = NULL, \
             failing_since = NULL WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            id.uuid()
        )?;
        Ok(updated == 1)
    }

    /// Sends nothing to a place any more, nor what waits for it; false when there is none such.
    pub async fn disable_webhook(
        &mut self,
        id: WebhookId,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let organization = self.scope.organization_uuid();
        let updated = execute!(
            self,
            "UPDATE webhook_endpoints SET disabled_reason = $3, \
             disabled_at = COALESCE(disabled_at, $4) WHERE organization_id = $1 AND id = $2",
            organization,
            id.uuid(),
            reason,
            Instant(now)
        )?;
        execute!(
            self,
            "UPDATE webhook_messages SET state = 'failed', reason = $3, ended_at = $4, \
             lease_until = NULL, fence = fence + 1 \
             WHERE organization_id = $1 AND endpoint_id = $2 AND state = 'queued'",
            organization,
            id.uuid(),
            format!("nothing is sent there any more: {reason}"),
            Instant(now)
        )?;
        Ok(updated == 1)
    }

    /// Keeps whether a place takes anything: `failing_since` is when the first attempt failed since
    /// one arrived.
    pub async fn set_webhook_failing(
        &mut self,
        id: WebhookId,
        failing_since: Option<Timestamp>,
    ) -> Result<()> {
        execute!(
            self,
            "UPDATE webhook_endpoints SET failing_since = $3 WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            id.uuid(),
            failing_since.map(Instant)
        )?;
        Ok(())
    }

    /// Forgets a place with all that was sent there; false when there is none such.
    pub async fn delete_webhook(&mut self, id: WebhookId) -> Result<bool> {
        let deleted = execute!(
            self,
            "DELETE FROM webhook_endpoints WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            id.uuid()
        )?;
        Ok(deleted == 1)
    }

    /// Notification settings of the organization.
    pub async fn get_notification_settings(&mut self) -> Result<NotificationSettings> {
        let row = fetch_optional!(
            self,
            (Json<NotificationSettings>,),
            "SELECT settings FROM notification_settings WHERE organization_id = $1",
            self.scope.organization_uuid()
        )?;
        Ok(row.map(|(Json(settings),)| settings).unwrap_or_default())
    }

    /// Changes that. What quiet hours have held back is looked at anew.
    pub async fn set_notification_settings(
        &mut self,
        settings: &NotificationSettings,
        now: Timestamp,
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        execute!(
            self,
            "INSERT INTO notification_settings (organization_id, settings, changed_at) \
             VALUES ($1, $2, $3) ON CONFLICT (organization_id) \
             DO UPDATE SET settings = excluded.settings, changed_at = excluded.changed_at",
            organization,
            Json(settings),
            Instant(now)
        )?;
        execute!(
            self,
            "UPDATE webhook_messages SET due_at = $2, reason = NULL \
             WHERE organization_id = $1 AND state = 'queued' AND attempts = 0 AND due_at > $2",
            organization,
            Instant(now)
        )?;
        Ok(())
    }
}
