//! Clients and their data: profile, onboarding, launch kit, feedback.

mod chunk;
mod erase;
mod merge;
mod onboarding;
mod staff;

use jiff::Timestamp;
use mainstay_core::{
    engagement::{MAX_CLIENT_ID_CHARS, check_id, check_json, check_line, normalize_id},
    id::{ClientId, OrganizationId},
};
use mainstay_store::{Client, ClientPatch, Profile, Scope, StoreError, new_id};
use serde_json::Value;
use uuid::Uuid;

pub(crate) use chunk::next_chunk;
pub use erase::DEFAULT_KEEP_OUT;
pub(crate) use erase::Scrubbing;
pub(crate) use merge::{Alias, OtherNames, start as start_merges};
pub use onboarding::FeedbackInput;

use crate::{Error, Mainstay, Result};

const MAX_TEXT_CHARS: usize = 255;
/// The year 3000, later than any client is created; `Timestamp::MAX` does not fit PostgreSQL.
const FAR_FUTURE: Timestamp = Timestamp::constant(32_503_680_000, 0);

impl Mainstay {
    /// The client with an `external_id`.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn client(&self, scope: Scope, external_id: &str) -> Result<Client> {
        self.find_client(scope, external_id).await?.ok_or_else(|| Error::no_client(external_id))
    }

    /// The client with an `external_id`, if it is known.
    pub async fn find_client(&self, scope: Scope, external_id: &str) -> Result<Option<Client>> {
        Ok(self.store().read(scope).await?.find_client(external_id).await?)
    }

    /// The client that a token names, which is known from here on.
    pub(crate) async fn client_of_token(
        &self,
        organization: OrganizationId,
        external_id: &str,
    ) -> Result<Option<Client>> {
        let scope = Scope::Service(organization);
        let mut tx = self.store().read(scope).await?;
        let Some(client) = tx.find_client(external_id).await? else { return Ok(None) };
        if tx.is_known(client.id).await? {
            return Ok(Some(client));
        }
        drop(tx);
        let mut tx = self.store().begin(scope).await?;
        tx.mark_known(&[client.id]).await?;
        tx.commit().await?;
        Ok(Some(client))
    }

    /// The `external_id` of a client, by its internal id.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn external_id(&self, scope: Scope, client: ClientId) -> Result<String> {
        let before = ClientId::new(Uuid::from_u128(client.uuid().as_u128().saturating_sub(1)));
        let mut tx = self.store().read(scope).await?;
        let chunk = tx.client_chunk(Some(before), FAR_FUTURE, 1).await?;
        chunk
            .clients
            .into_iter()
            .find_map(|(found, external_id)| (found.id == client).then_some(external_id))
            .ok_or_else(|| Error::no_client(&client.to_string()))
    }

    /// Clients, ordered by `external_id`.
    pub async fn clients(
        &self,
        scope: Scope,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Client>> {
        Ok(self.store().read(scope).await?.list_clients(after, limit).await?)
    }

    /// Creates a client before its first event.
    ///
    /// # Errors
    /// If a value is invalid or the client already exists.
    pub async fn create_client(
        &self,
        organization: OrganizationId,
        external_id: &str,
        patch: ClientPatch,
    ) -> Result<Client> {
        if external_id.trim().is_empty() {
            return Err(Error::invalid(
                "client_id",
                format!("is empty; send 1 to {MAX_CLIENT_ID_CHARS} characters"),
            ));
        }
        let external_id = &*normalize_id(external_id);
        check_id("client_id", external_id)?;
        check_patch(&patch)?;
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let visitor = tx.free_name(external_id).await?;
        let client = Client {
            id: visitor.unwrap_or_else(|| new_id(now)),
            external_id: external_id.to_owned(),
            profile: Profile {
                name: patch.name,
                email: patch.email,
                unconfirmed_email: None,
                plan: patch.plan,
                group_id: patch.group_id,
                traits: patch.traits.into_iter().filter(|(_, value)| !value.is_null()).collect(),
            },
            created_at: now,
            owner: None,
        };
        erase::check_not_blocked(&mut tx, external_id, now).await?;
        tx.create_client(&client).await.map_err(|error| match error {
            StoreError::Taken(_) => Error::conflict_in(
                "client_id",
                format!("client {external_id:?} exists already; change it with PATCH"),
            ),
            other => other.into(),
        })?;
        tx.commit().await?;
        Ok(client)
    }

    /// Changes a client's profile.
    ///
    /// # Errors
    /// If a value is invalid or there is no such client.
    pub async fn update_client(
        &self,
        scope: impl Into<Scope>,
        external_id: &str,
        patch: &ClientPatch,
    ) -> Result<Client> {
        check_patch(patch)?;
        let scope = scope.into();
        let client = self.client(scope, external_id).await?;
        let mut tx = self.store().begin(scope).await?;
        if let Some(refused) = tx.update_client(client.id, patch, self.now()).await? {
            return Err(refused.into());
        }
        tx.commit().await?;
        self.client(scope, external_id).await
    }
}

fn check_patch(patch: &ClientPatch) -> Result<()> {
    for (field, value) in [
        ("name", &patch.name),
        ("email", &patch.email),
        ("plan", &patch.plan),
        ("group_id", &patch.group_id),
    ] {
        if let Some(value) = value {
            check_line(field, value, MAX_TEXT_CHARS)?;
        }
    }
    Ok(check_json("traits", &Value::Object(patch.traits.clone()))?)
}
