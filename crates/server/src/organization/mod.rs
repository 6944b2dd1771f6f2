//! Organizations and their settings.

mod sites;
mod zone_change;

use std::{collections::HashSet, sync::LazyLock};

use jiff::{Timestamp, tz::TimeZone};
use mainstay_core::{
    id::OrganizationId,
    score::ScoreModel,
    time::{add_days, local_day, time_zone},
};
use mainstay_store::{
    EventName, NewOrganization, Organization, OrganizationPatch, Scope, SeenName, StoreError,
    StoredModel, Tx, new_id,
};

pub(crate) use zone_change::start as start_zone_changes;

use crate::{
    Error, Mainstay, Result,
    access::{NewKeys, random_secret},
    validate::{check_name, check_slug},
};

/// How many days back unmapped event names are searched.
const SEEN_DAYS: i32 = 7;
/// Maximum number of unmapped names returned.
const MAX_SEEN_NAMES: i64 = 50;

/// An organization with the parameters of all its figures.
#[derive(Clone, Debug)]
pub struct Context {
    /// The organization.
    pub organization: Organization,
    /// Its time zone.
    pub zone: TimeZone,
    /// Its score models, oldest first.
    pub models: Vec<StoredModel>,
}

impl Context {
    /// Loads the context of a transaction's organization.
    pub(crate) async fn load(tx: &mut Tx) -> Result<Self> {
        let organization = tx.get_organization().await?;
        let zone = time_zone(&organization.time_zone)
            .map_err(|reason| Error::invalid("time_zone", reason))?;
        let models = tx.list_score_models().await?;
        Ok(Self { organization, zone, models })
    }

    /// The current model and its version.
    pub fn model(&self) -> (i64, ScoreModel) {
        let version = self.organization.model_version;
        (version, self.model_of(version))
    }

    /// The model of a version.
    pub fn model_of(&self, version: i64) -> ScoreModel {
        self.model_ref(version).clone()
    }

    /// A reference to the model of a version.
    pub(crate) fn model_ref(&self, version: i64) -> &ScoreModel {
        static STANDARD: LazyLock<ScoreModel> = LazyLock::new(ScoreModel::standard);
        self.models
            .iter()
            .find(|stored| stored.version == version)
            .map_or(&STANDARD, |stored| &stored.model)
    }
}

/// The input for creating an organization.
#[derive(Clone, Debug)]
pub struct CreateOrganization {
    /// Its short name in commands and tokens.
    pub slug: String,
    /// The display name; the slug if absent.
    pub name: Option<String>,
    /// IANA time zone; UTC if absent.
    pub time_zone: Option<String>,
    /// Whether it contains sample data.
    pub sample: bool,
}

/// A new organization with its secrets, which are shown only once.
#[derive(Clone, Debug)]
pub struct CreatedOrganization {
    /// The organization.
    pub organization: Organization,
    /// Its keys.
    pub keys: NewKeys,
    /// The secret with which the host app signs its clients' tokens.
    pub token_secret: String,
}

impl Mainstay {
    /// Creates an organization with a secret key, a write key and a token secret.
    ///
    /// # Errors
    /// If the slug, name or zone is invalid, or the slug is taken.
    pub async fn create_organization(
        &self,
        create: CreateOrganization,
    ) -> Result<CreatedOrganization> {
        check_slug(&create.slug)?;
        let name = create.name.unwrap_or_else(|| create.slug.clone());
        check_name("name", &name)?;
        let time_zone = create.time_zone.unwrap_or_else(|| "UTC".to_owned());
        mainstay_core::time::time_zone(&time_zone)
            .map_err(|reason| Error::invalid("timezone", reason))?;
        let now = self.now();
        let id: OrganizationId = new_id(now);
        let token_secret = random_secret();
        let mut tx = self.store().begin(Scope::System).await?;
        tx.create_organization(&NewOrganization {
            id,
            slug: create.slug.clone(),
            name,
            time_zone,
            sample: create.sample,
            token_secret: token_secret.clone(),
            created_at: now,
        })
        .await
        .map_err(|error| match error {
            StoreError::Taken(_) => Error::conflict_in(
                "slug",
                format!("{:?} is already taken; choose another one", create.slug),
            ),
            other => other.into(),
        })?;
        tx.commit().await?;
        let mut tx = self.store().begin(Scope::Service(id)).await?;
        let keys = crate::access::create_first_keys(&mut tx, now).await?;
        let organization = tx.get_organization().await?;
        tx.commit().await?;
        Ok(CreatedOrganization { organization, keys, token_secret })
    }

    /// The organization with a slug.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the existing slugs.
    pub async fn organization_by_slug(&self, slug: &str) -> Result<Organization> {
        let mut tx = self.store().read(Scope::System).await?;
        if let Some(organization) = tx.find_organization_by_slug(slug).await? {
            return Ok(organization);
        }
        let slugs: Vec<String> = tx
            .list_organizations()
            .await?
            .into_iter()
            .map(|organization| organization.slug)
            .collect();
        Err(if slugs.is_empty() {
            Error::NotFound {
                what: "organization",
                id: slug.to_owned(),
                remedy: "create it first: mainstay org create SLUG",
            }
        } else {
            Error::invalid(
                "org",
                format!("there is no organization {slug:?}; there are: {}", slugs.join(", ")),
            )
        })
    }

    /// All organizations, ordered by slug.
    pub async fn organizations(&self) -> Result<Vec<Organization>> {
        Ok(self.store().read(Scope::System).await?.list_organizations().await?)
    }

    /// An organization's state and settings.
    pub async fn context(&self, organization: OrganizationId) -> Result<Context> {
        self.context_in(Scope::Service(organization)).await
    }

    /// The same, within a scope.
    pub async fn context_in(&self, scope: Scope) -> Result<Context> {
        Context::load(&mut self.store().read(scope).await?).await
    }

    /// Changes an organization's name or time zone. After a change of zone, all activity moves to
    /// its days: immediately for a small organization, in the background for a large one. Stored
    /// scores keep their zone.
    ///
    /// # Errors
    /// If a value is invalid.
    pub async fn update_organization(
        &self,
        scope: impl Into<Scope>,
        patch: OrganizationPatch,
    ) -> Result<Organization> {
        if let Some(name) = &patch.name {
            check_name("name", name)?;
        }
        if let Some(name) = &patch.time_zone {
            time_zone(name).map_err(|reason| Error::invalid("time_zone", reason))?;
        }
        let scope = match (scope.into(), &patch.time_zone) {
            // Every day of every client is rolled up again, which is the service's work alone.
            (Scope::Member(organization, _), Some(_)) => Scope::Service(organization),
            (scope, _) => scope,
        };
        let mut tx = self.store().begin(scope).await?;
        let before = tx.update_organization(&patch).await?;
        let changes_zone = patch.time_zone.is_some_and(|name| name != before.time_zone);
        if changes_zone {
            tx.begin_zone_change(self.now()).await?;
        }
        let mut after = tx.get_organization().await?;
        tx.commit().await?;
        self.ingest_settings_cache().clear();
        if changes_zone {
            if let Err(error) = self.run_zone_steps(after.id, zone_change::STEPS_PER_REQUEST).await
            {
                // The zone is changed; the background continues.
                tracing::warn!(%error, organization = %after.id, "a change of time zone is queued");
            }
            after = self.store().read(scope).await?.get_organization().await?;
        }
        Ok(after)
    }

    /// Deletes a sample organization; real ones are refused.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the organization is not sample data.
    pub async fn delete_sample_organization(&self, organization: &Organization) -> Result<()> {
        if !organization.sample {
            return Err(Error::conflict(format!(
                "organization {:?} is not sample data and was not replaced; rename it or use \
                 another database",
                organization.slug
            )));
        }
        let mut tx = self.store().begin(Scope::System).await?;
        tx.delete_organization(organization.id).await?;
        tx.commit().await?;
        Ok(())
    }

    /// An organization's event names, ordered by name.
    pub async fn event_names(&self, scope: Scope) -> Result<Vec<EventName>> {
        Ok(self.store().read(scope).await?.list_event_names().await?)
    }

    /// Maps an organization's event names to types, replacing earlier mappings of the same names.
    ///
    /// # Errors
    /// If a name is invalid or duplicate.
    pub async fn set_event_names(
        &self,
        scope: impl Into<Scope>,
        names: &[EventName],
    ) -> Result<()> {
        let mut seen = HashSet::new();
        for name in names {
            check_name("name", &name.name)?;
            // Which of the two was meant? PostgreSQL would refuse the statement, too.
            if !seen.insert(&name.name) {
                return Err(Error::invalid(
                    "name",
                    format!("{:?} is given twice; send each name once", name.name),
                ));
            }
        }
        let mut tx = self.store().begin(scope.into()).await?;
        tx.set_event_names(names).await?;
        tx.commit().await?;
        self.ingest_settings_cache().clear();
        Ok(())
    }

    /// Deletes the mapping of an event name.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it does not exist or is invalid.
    pub async fn delete_event_name(&self, scope: impl Into<Scope>, name: &str) -> Result<()> {
        check_name("name", name)?;
        let mut tx = self.store().begin(scope.into()).await?;
        if !tx.delete_event_name(name).await? {
            return Err(Error::NotFound {
                what: "event name",
                id: name.to_owned(),
                remedy: "GET /api/v1/event-names lists all mapped names",
            });
        }
        tx.commit().await?;
        self.ingest_settings_cache().clear();
        Ok(())
    }

    /// Unmapped names of recent events, which count as `custom`, most frequent first.
    pub async fn unmapped_names(&self, scope: Scope) -> Result<Vec<SeenName>> {
        let mut tx = self.store().read(scope).await?;
        let since = add_days(local_day(self.now(), &TimeZone::UTC), -SEEN_DAYS);
        let mapped: HashSet<String> =
            tx.list_event_names().await?.into_iter().map(|name| name.name).collect();
        let mut seen = tx.list_custom_names(since, MAX_SEEN_NAMES).await?;
        seen.retain(|seen| !mapped.contains(&seen.name));
        Ok(seen)
    }

    /// Publishes an earlier version of the score model again, as the next version, so that versions
    /// are in chronological order.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such version, [`Error::Conflict`] if it is the current one.
    pub async fn republish_score_model(&self, scope: Scope, version: i64) -> Result<i64> {
        let context = self.context_in(scope).await?;
        let stored = context.models.iter().find(|stored| stored.version == version);
        let stored = stored.ok_or_else(|| Error::NotFound {
            what: "score model version",
            id: version.to_string(),
            remedy: "GET /api/v1/score-models lists all versions",
        })?;
        if version == context.organization.model_version {
            return Err(Error::conflict_in(
                "version",
                format!("{version} is already in use; nothing was changed"),
            ));
        }
        self.publish_score_model(scope, &stored.model).await
    }

    /// Publishes a score model as the next version. It applies to a client's score from its next
    /// event, and to all scores from the next local midnight; stored scores keep their version.
    /// Publishing itself changes no score, trend or alert.
    ///
    /// # Errors
    /// If the model is invalid.
    pub async fn publish_score_model(
        &self,
        scope: impl Into<Scope>,
        model: &ScoreModel,
    ) -> Result<i64> {
        model.check().map_err(|error| Error::invalid(error.field, error.reason))?;
        check_name("name", &model.name)?;
        let mut tx = self.store().begin(scope.into()).await?;
        let version = tx.publish_score_model(model, self.now()).await?;
        tx.commit().await?;
        Ok(version)
    }
}

/// Rejects an `as_of` further in the future than events may be.
///
/// # Errors
/// With the limit.
pub(crate) fn check_as_of(as_of: Timestamp, now: Timestamp) -> Result<()> {
    let latest = now.saturating_add(jiff::SignedDuration::from_hours(24)).unwrap_or(now);
    if as_of > latest {
        return Err(Error::invalid(
            "as_of",
            format!("{as_of} is more than 24 hours ahead of now ({now}); use an earlier instant"),
        ));
    }
    // Further back there are no events; and a year before 0 has no place in either database.
    let earliest = Timestamp::constant(946_684_800, 0);
    if as_of < earliest {
        return Err(Error::invalid(
            "as_of",
            format!("{as_of} is before 2000-01-01; use a later instant"),
        ));
    }
    Ok(())
}
