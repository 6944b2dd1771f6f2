use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::{
    engagement::{EventType, segment::ClientIdentity},
    id::OrganizationId,
    score::ScoreModel,
    time::time_zone,
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Result, Scope, StoreError, Tx,
    db::{
        dialect::{Day, Instant, execute, fetch_all, fetch_one, fetch_optional, insert_rows},
        lock::Lock,
        name,
        secret_rows::CLIENT_TOKEN,
    },
};

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its short name in commands and tokens, unique.
    pub slug: String,
    /// Display name.
    pub name: String,
    /// IANA zone that decides what a day is.
    pub time_zone: String,
    /// Whether this is sample data.
    pub sample: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// Version of the score model for new scores.
    pub model_version: i64,
    /// Newest instant for which a score is stored.
    pub scored_until: Option<Timestamp>,
    /// Last local day that is folded into the totals.
    pub folded_until: Option<Date>,
    /// Newest instant for which health was checked.
    pub health_checked_until: Option<Timestamp>,
    /// Which identifier identifies a client.
    pub clients_are: ClientIdentity,
    /// Whether high-value types count that a browser or a client's own token sends.
    pub count_self_told: bool,
    /// Since when what is rolled up is being moved to the days of another time zone; until that is
    /// done, figures may rest on days of both.
    pub zone_change_since: Option<Timestamp>,
}

/// A new organization.
#[derive(Clone, Debug)]
pub struct NewOrganization {
    /// Its id.
    pub id: OrganizationId,
    /// Its short name.
    pub slug: String,
    /// Display name.
    pub name: String,
    /// IANA zone.
    pub time_zone: String,
    /// Whether this is sample data.
    pub sample: bool,
    /// Secret with which its client tokens are signed.
    pub token_secret: String,
    /// Now.
    pub created_at: Timestamp,
}

/// Changes to an organization; `None` leaves a field alone.
#[derive(Clone, Debug, Default)]
pub struct OrganizationPatch {
    /// Display name.
    pub name: Option<String>,
    /// IANA zone. The caller calls [`Tx::begin_zone_change`] in the same transaction.
    pub time_zone: Option<String>,
    /// Which identifier identifies a client, for messages received from now on.
    pub clients_are: Option<ClientIdentity>,
    /// Whether high-value types count that a browser or a client's own token sends, from now on.
    pub count_self_told: Option<bool>,
}

/// A published score model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredModel {
    /// Counts up from 1, the built-in `standard` model.
    pub version: i64,
    /// The rules.
    pub model: ScoreModel,
    /// When it was published.
    pub created_at: Timestamp,
}

/// What an organization calls one of its events, and what that counts as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventName {
    /// The name that is sent.
    pub name: String,
    /// Event type.
    pub event_type: EventType,
}

/// Organizations with each column by name: a statement that is kept prepared must not find one more
/// after another process has migrated the database.
macro_rules! select_organizations {
    ($rest:literal) => {
        concat!(
            "SELECT id, slug, name, time_zone, sample, created_at, model_version, scored_until, \
             folded_until, health_checked_until, clients_are, count_self_told, client_deletions, \
             zone_change_since FROM organizations ",
            $rest
        )
    };
}

#[derive(sqlx_macros::FromRow)]
struct OrganizationRow {
    id: Uuid,
    slug: String,
    name: String,
    time_zone: String,
    sample: bool,
    created_at: Instant,
    model_version: i64,
    scored_until: Option<Instant>,
    folded_until: Option<Day>,
    health_checked_until: Option<Instant>,
    clients_are: String,
    count_self_told: bool,
    client_deletions: i64,
    zone_change_since: Option<Instant>,
}

impl TryFrom<OrganizationRow> for Organization {
    type Error = StoreError;
    fn try_from(row: OrganizationRow) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            slug: row.slug,
            name: row.name,
            time_zone: row.time_zone,
            sample: row.sample,
            created_at: row.created_at.0,
            model_version: row.model_version,
            scored_until: row.scored_until.map(|at| at.0),
            folded_until: row.folded_until.map(|day| day.0),
            health_checked_until: row.health_checked_until.map(|at| at.0),
            clients_are: name::CLIENT_IDENTITY.read(&row.clients_are)?,
            count_self_told: row.count_self_told,
            zone_change_since: row.zone_change_since.map(|at| at.0),
        })
    }
}

impl Organization {
    /// The time zone, by its name.
    pub(crate) fn zone(&self) -> Result<TimeZone> {
        time_zone(&self.time_zone).map_err(|_| name::TIME_ZONE.corrupt(&self.time_zone))
    }
}

impl Tx {
    /// Creates an organization with the standard score model. System scope.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when another one has the slug.
    pub async fn create_organization(&mut self, new: &NewOrganization) -> Result<()> {
        execute!(
            self,
            "INSERT INTO organizations (id, slug, name, time_zone, sample, created_at, model_version) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            new.id.uuid(),
            &new.slug,
            &new.name,
            &new.time_zone,
            new.sample,
            Instant(new.created_at),
            ScoreModel::STANDARD_VERSION,
        )
        .map_err(|error| error.or_taken("slug"))?;
        execute!(
            self,
            "INSERT INTO score_models (organization_id, version, model, created_at) \
             VALUES ($1, $2, $3, $4)",
            new.id.uuid(),
            ScoreModel::STANDARD_VERSION,
            Json(ScoreModel::standard()),
            Instant(new.created_at),
        )?;
        let place = (CLIENT_TOKEN, Uuid::nil());
        let secret = self.seal(new.id.uuid(), place, &new.token_secret).await?;
        execute!(
            self,
            "INSERT INTO organization_secrets (organization_id, kind, secret, created_at) \
             VALUES ($1, 'client_token', $2, $3)",
            new.id.uuid(),
            secret,
            Instant(new.created_at),
        )?;
        Ok(())
    }

    /// Every organization, by slug. System scope.
    pub async fn list_organizations(&mut self) -> Result<Vec<Organization>> {
        let rows = fetch_all!(self, OrganizationRow, select_organizations!("ORDER BY slug"))?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// The organization with a slug. System scope.
    pub async fn find_organization_by_slug(&mut self, slug: &str) -> Result<Option<Organization>> {
        let row =
            fetch_optional!(self, OrganizationRow, select_organizations!("WHERE slug = $1"), slug)?;
        row.map(TryInto::try_into).transpose()
    }

    /// The organization of this transaction's scope.
    pub async fn get_organization(&mut self) -> Result<Organization> {
        Ok(self.get_organization_and_deletions().await?.0)
    }

    /// The organization of this transaction's scope, and how many clients of it were ever deleted.
    pub(crate) async fn get_organization_and_deletions(&mut self) -> Result<(Organization, i64)> {
        if let Some(known) = &self.organization {
            return Ok(known.clone());
        }
        let row = fetch_one!(
            self,
            OrganizationRow,
            select_organizations!("WHERE id = $1"),
            self.scope.organization_uuid()
        )?;
        let (deletions, organization) = (row.client_deletions, Organization::try_from(row)?);
        // Storing a few hundred events asks three times, and each answer takes as long as storing dozens.
        if self.writes_alone() {
            self.organization = Some((organization.clone(), deletions));
        }
        Ok((organization, deletions))
    }

    /// Changes an organization; returns it as it was before. Of two that change the zone at the same
    /// time, the second one waits and sees what the first one made of it.
    pub async fn update_organization(&mut self, patch: &OrganizationPatch) -> Result<Organization> {
        if patch.time_zone.is_some() {
            // Before the row's lock, as everybody else takes the two.
            self.lock_organization(Lock::SettleEvents).await?;
        }
        let before = self.get_organization().await?;
        execute!(
            self,
            "UPDATE organizations SET name = COALESCE($2, name), \
             time_zone = COALESCE($3, time_zone), clients_are = COALESCE($4, clients_are), \
             count_self_told = COALESCE($5, count_self_told) \
             WHERE id = $1",
            self.scope.organization_uuid(),
            &patch.name,
            &patch.time_zone,
            patch.clients_are.map(ClientIdentity::as_str),
            patch.count_self_told,
        )?;
        Ok(before)
    }

    /// Deletes an organization and everything that belongs to it. System scope.
    pub async fn delete_organization(&mut self, organization: OrganizationId) -> Result<()> {
        // These carry no foreign key to the organization: see their tables in the migrations for why.
        for sql in [
            "DELETE FROM client_engagement_events WHERE organization_id = $1",
            "DELETE FROM event_moves WHERE organization_id = $1",
            "DELETE FROM untimed_messages WHERE organization_id = $1",
            "DELETE FROM person_events WHERE organization_id = $1",
            "DELETE FROM daily_activity WHERE organization_id = $1",
            "DELETE FROM activity_parts WHERE organization_id = $1",
            "DELETE FROM pending_activity WHERE organization_id = $1",
            "DELETE FROM client_activity_totals WHERE organization_id = $1",
            "DELETE FROM client_success_scores WHERE organization_id = $1",
            "DELETE FROM stale_scores WHERE organization_id = $1",
            "DELETE FROM organizations WHERE id = $1",
        ] {
            execute!(self, sql, organization.uuid())?;
        }
        Ok(())
    }

    /// The secret that signs this organization's client tokens.
    pub async fn get_client_token_secret(&mut self) -> Result<String> {
        let (secret,) = fetch_one!(
            self,
            (String,),
            "SELECT secret FROM organization_secrets \
             WHERE organization_id = $1 AND kind = 'client_token'",
            self.scope.organization_uuid()
        )?;
        self.open((CLIENT_TOKEN, Uuid::nil()), &secret)
    }

    /// Announces that scores up to an instant are about to be stored: from here on, an event before
    /// it counts as late and makes stored scores stale. Waits until events under way are stored.
    pub async fn advance_scored_until(&mut self, as_of: Timestamp) -> Result<()> {
        self.lock_organization(Lock::SettleEvents).await?;
        execute!(
            self,
            "UPDATE organizations SET scored_until = $2 \
             WHERE id = $1 AND (scored_until IS NULL OR scored_until < $2)",
            self.scope.organization_uuid(),
            Instant(as_of),
        )?;
        Ok(())
    }

    /// Records that health was checked for an instant.
    pub async fn advance_health_checked_until(&mut self, as_of: Timestamp) -> Result<()> {
        execute!(
            self,
            "UPDATE organizations SET health_checked_until = $2 \
             WHERE id = $1 AND (health_checked_until IS NULL OR health_checked_until < $2)",
            self.scope.organization_uuid(),
            Instant(as_of),
        )?;
        Ok(())
    }

    /// The organization's score models, oldest first.
    pub async fn list_score_models(&mut self) -> Result<Vec<StoredModel>> {
        let rows = fetch_all!(
            self,
            (i64, Json<ScoreModel>, Instant),
            "SELECT version, model, created_at FROM score_models \
             WHERE organization_id = $1 ORDER BY version",
            self.scope.organization_uuid()
        )?;
        Ok(rows
            .into_iter()
            .map(|(version, Json(model), created_at)| StoredModel {
                version,
                model,
                created_at: created_at.0,
            })
            .collect())
    }

    /// Publishes a score model as the next version, for scores from now on.
    pub async fn publish_score_model(&mut self, model: &ScoreModel, now: Timestamp) -> Result<i64> {
        let (version,) = fetch_one!(
            self,
            (i64,),
            "SELECT MAX(version) + 1 FROM score_models WHERE organization_id = $1",
            self.scope.organization_uuid()
        )?;
        execute!(
            self,
            "INSERT INTO score_models (organization_id, version, model, created_at) \
             VALUES ($1, $2, $3, $4)",
            self.scope.organization_uuid(),
            version,
            Json(model),
            Instant(now),
        )
        .map_err(|error| match error.or_taken("score model version") {
            StoreError::Taken(_) => StoreError::Conflict,
            other => other,
        })?;
        execute!(
            self,
            "UPDATE organizations SET model_version = $2 WHERE id = $1",
            self.scope.organization_uuid(),
            version,
        )?;
        Ok(version)
    }

    /// Returns the organization's event names with their types.
    pub async fn list_event_names(&mut self) -> Result<Vec<EventName>> {
        let rows = fetch_all!(
            self,
            (String, String),
            "SELECT name, event_type FROM event_names WHERE organization_id = $1 ORDER BY name",
            self.scope.organization_uuid()
        )?;
        rows.into_iter()
            .map(|(name, kind)| {
                Ok(EventName { event_type: name::EVENT_NAME_TYPE.read(&kind)?, name })
            })
            .collect()
    }

    /// Maps names to types, replacing what they were mapped to. Events already stored keep theirs.
    pub async fn set_event_names(&mut self, names: &[EventName]) -> Result<()> {
        let organization = self.scope.organization_uuid();
        // PostgreSQL updates no row twice in one statement: of a name's mappings the last one counts.
        let names: BTreeMap<&str, EventType> =
            names.iter().map(|name| (name.name.as_str(), name.event_type)).collect();
        let names: Vec<(&str, EventType)> = names.into_iter().collect();
        insert_rows!(
            self,
            "INSERT INTO event_names (organization_id, name, event_type)",
            &names,
            "ON CONFLICT (organization_id, name) DO UPDATE SET event_type = excluded.event_type",
            |row| [organization, row.0, row.1.as_str()]
        );
        Ok(())
    }

    /// Forgets a mapping; false when there was none.
    pub async fn delete_event_name(&mut self, name: &str) -> Result<bool> {
        let deleted = execute!(
            self,
            "DELETE FROM event_names WHERE organization_id = $1 AND name = $2",
            self.scope.organization_uuid(),
            name
        )?;
        Ok(deleted > 0)
    }

    /// The scope that this transaction runs in.
    pub const fn scope(&self) -> Scope {
        self.scope
    }
}
