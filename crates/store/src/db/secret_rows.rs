//! Which keys an organization's secrets are stored under, and storing them under another one.

use mainstay_core::id::OrganizationId;
use uuid::Uuid;

use crate::{
    Result, Tx,
    db::{
        dialect::{execute, fetch_all},
        secret::{Keyring, SecretLocation},
    },
};

/// A secret of the scope's organization: its table and column, its row, and what is stored.
struct StoredSecret {
    column: Column,
    row: Uuid,
    stored: String,
}

/// A column that holds secrets.
#[derive(Clone, Copy)]
enum Column {
    ClientToken,
    WebhookUrl,
    WebhookSecret,
    PreviousWebhookSecret,
    ErasureKey,
}

impl Column {
    /// What is encrypted along. A secret that is replaced moves to `previous_secret` as it is stored,
    /// so both have one name.
    const fn place(self) -> &'static str {
        match self {
            Self::ClientToken => CLIENT_TOKEN,
            Self::WebhookUrl => WEBHOOK_URL,
            Self::WebhookSecret | Self::PreviousWebhookSecret => WEBHOOK_SECRET,
            Self::ErasureKey => ERASURE_KEY,
        }
    }

    /// Replaces what is stored, unless somebody else did so meanwhile.
    const fn update(self) -> &'static str {
        match self {
            Self::ClientToken => {
                "UPDATE organization_secrets SET secret = $3 WHERE organization_id = $1 \
                 AND kind = 'client_token' AND secret = $4 AND $2 = $2"
            }
            Self::WebhookUrl => {
                "UPDATE webhook_endpoints SET url = $3 \
                 WHERE organization_id = $1 AND id = $2 AND url = $4"
            }
            Self::WebhookSecret => {
                "UPDATE webhook_endpoints SET secret = $3 \
                 WHERE organization_id = $1 AND id = $2 AND secret = $4"
            }
            Self::PreviousWebhookSecret => {
                "UPDATE webhook_endpoints SET previous_secret = $3 \
                 WHERE organization_id = $1 AND id = $2 AND previous_secret = $4"
            }
            Self::ErasureKey => {
                "UPDATE erasure_keys SET secret = $3 \
                 WHERE organization_id = $1 AND secret = $4 AND $2 = $2"
            }
        }
    }
}

pub(crate) const CLIENT_TOKEN: &str = "organization_secrets.secret";
pub(crate) const WEBHOOK_URL: &str = "webhook_endpoints.url";
pub(crate) const WEBHOOK_SECRET: &str = "webhook_endpoints.secret";
pub(crate) const ERASURE_KEY: &str = "erasure_keys.secret";

impl Tx {
    /// Encrypts a secret of an organization, and remembers the key that it takes to read it.
    pub(crate) async fn seal(
        &mut self,
        organization: Uuid,
        (column, row): (&str, Uuid),
        secret: &str,
    ) -> Result<String> {
        let (stored, key) =
            self.keyring.seal(SecretLocation { organization, column, row }, secret)?;
        execute!(
            self,
            "INSERT INTO secret_keys (organization_id, key_id) VALUES ($1, $2) \
             ON CONFLICT (organization_id, key_id) DO NOTHING",
            organization,
            key
        )?;
        Ok(stored)
    }

    /// Decrypts a secret of the scope's organization.
    pub(crate) fn open(&self, (column, row): (&str, Uuid), stored: &str) -> Result<String> {
        let organization = self.scope.organization_uuid();
        self.keyring.open(SecretLocation { organization, column, row }, stored)
    }

    /// The keys that secrets of any organization are stored under. System scope.
    pub async fn list_secret_keys(&mut self) -> Result<Vec<String>> {
        let rows = fetch_all!(
            self,
            (String, Uuid),
            "SELECT key_id, organization_id FROM secret_keys ORDER BY key_id, organization_id"
        )?;
        let mut keys: Vec<String> = rows.into_iter().map(|(key, _)| key).collect();
        keys.dedup();
        Ok(keys)
    }

    /// The organizations with secrets under a key. System scope.
    pub async fn list_organizations_with_key(&mut self, key: &str) -> Result<Vec<OrganizationId>> {
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT organization_id FROM secret_keys WHERE key_id = $1 ORDER BY organization_id",
            key
        )?;
        Ok(rows.into_iter().map(|(id,)| id.into()).collect())
    }

    /// Stores every secret of the organization under the present key; returns how many were not.
    ///
    /// # Errors
    /// When one of them cannot be read with the keys at hand.
    pub async fn reseal_secrets(&mut self) -> Result<u64> {
        let organization = self.scope.organization_uuid();
        let mut resealed = 0;
        for secret in self.list_stored_secrets().await? {
            if Keyring::id_of(&secret.stored) == self.keyring.current() {
                continue;
            }
            let place = (secret.column.place(), secret.row);
            let opened = self.open(place, &secret.stored)?;
            let stored = self.seal(organization, place, &opened).await?;
            resealed += execute!(
                self,
                secret.column.update(),
                organization,
                secret.row,
                stored,
                secret.stored
            )?;
        }
        // On PostgreSQL somebody may have stored one beside this, under another key.
        let mut keys: Vec<String> = self
            .list_stored_secrets()
            .await?
            .iter()
            .map(|secret| Keyring::id_of(&secret.stored).to_owned())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        execute!(self, "DELETE FROM secret_keys WHERE organization_id = $1", organization)?;
        for key in keys {
            execute!(
                self,
                "INSERT INTO secret_keys (organization_id, key_id) VALUES ($1, $2)",
                organization,
                key
            )?;
        }
        Ok(resealed)
    }

    async fn list_stored_secrets(&mut self) -> Result<Vec<StoredSecret>> {
        let organization = self.scope.organization_uuid();
        let mut secrets = Vec::new();
        let rows = fetch_all!(
            self,
            (String,),
            "SELECT secret FROM organization_secrets \
             WHERE organization_id = $1 AND kind = 'client_token'",
            organization
        )?;
        secrets.extend(rows.into_iter().map(|(stored,)| StoredSecret {
            column: Column::ClientToken,
            row: Uuid::nil(),
            stored,
        }));
        let rows = fetch_all!(
            self,
            (String,),
            "SELECT secret FROM erasure_keys WHERE organization_id = $1",
            organization
        )?;
        secrets.extend(rows.into_iter().map(|(stored,)| StoredSecret {
            column: Column::ErasureKey,
            row: Uuid::nil(),
            stored,
        }));
        let rows = fetch_all!(
            self,
            (Uuid, String, String, Option<String>),
            "SELECT id, url, secret, previous_secret FROM webhook_endpoints \
             WHERE organization_id = $1",
            organization
        )?;
        for (row, url, secret, previous) in rows {
            secrets.push(StoredSecret { column: Column::WebhookUrl, row, stored: url });
            secrets.push(StoredSecret { column: Column::WebhookSecret, row, stored: secret });
            secrets.extend(previous.map(|stored| StoredSecret {
                column: Column::PreviousWebhookSecret,
                row,
                stored,
            }));
        }
        Ok(secrets)
    }
}
