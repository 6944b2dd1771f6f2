//! Erasing a client: what names it outside of its own rows, and keeping its id out afterwards.

use std::collections::{BTreeSet, HashSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use ring::{
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Client, Result, StoreError, Tx,
    db::{
        dialect::{Instant, execute, fetch_all, fetch_one, fetch_optional},
        secret::hexadecimal,
        secret_rows::ERASURE_KEY,
    },
};

/// Shorter words are part of so much else that a text is not taken to speak of the client by them.
const MIN_WORD_CHARS: usize = 3;
/// Replacement for the client's name in texts.
const REDACTED: &str = "(deleted client)";

/// How long the id of a deleted client stays away: what is sent of it is refused until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdBlock {
    /// Not at all: the next event creates the client anew.
    Unblocked,
    /// Until an instant.
    Until(Timestamp),
    /// Until somebody allows it again.
    Forever,
}

/// A deleted client whose id is kept out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedClient {
    /// HMAC-SHA256 of its id in hexadecimal digits: all that is kept of it.
    pub id_hash: String,
    /// When it was deleted.
    pub erased_at: Timestamp,
    /// Until when it is kept out; `None` for good.
    pub keep_out_until: Option<Timestamp>,
    /// How many messages about it were refused since.
    pub refused: i64,
    /// Time of the latest one.
    pub refused_at: Option<Timestamp>,
}

/// What a client is called in texts that are not its own rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErasedNames {
    /// Its id and its other ids.
    pub ids: Vec<String>,
    /// Its users, its addresses and its name.
    pub words: Vec<String>,
}

impl ErasedNames {
    /// Whether a text that may have been cut at its end speaks of the client.
    pub fn are_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let quoted = |id: &String| text.contains(&json_text(&id.to_lowercase()));
        self.ids.iter().any(quoted)
            || self.all_words().any(|word| {
                find_word(&text, &word).is_some()
                    || find_word(&text, json_text(&word).trim_matches('"')).is_some()
                    || text.strip_suffix('…').is_some_and(|text| ends_within(text, &word))
            })
    }

    fn all_words(&self) -> impl Iterator<Item = String> {
        let all = self.ids.iter().chain(&self.words).map(|word| word.trim().to_lowercase());
        all.filter(|word| word.chars().count() >= MIN_WORD_CHARS)
    }

    /// Takes what speaks of the client out of a document: whole objects of lists, words elsewhere.
    /// Returns whether there was anything.
    fn redact(&self, value: &mut Value) -> bool {
        match value {
            Value::Array(values) => {
                let before = values.len();
                values.retain(|value| !(value.is_object() && self.are_in_value(value)));
                let mut changed = values.len() < before;
                for value in values {
                    changed |= self.redact(value);
                }
                changed
            }
            Value::Object(fields) => {
                fields.values_mut().fold(false, |changed, value| self.redact(value) | changed)
            }
            Value::String(text) => {
                let redacted = self.redacted(text);
                let changed = redacted != *text;
                *text = redacted;
                changed
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn are_in_value(&self, value: &Value) -> bool {
        match value {
            Value::Array(values) => values.iter().any(|value| self.are_in_value(value)),
            Value::Object(fields) => fields.values().any(|value| self.are_in_value(value)),
            Value::String(text) => {
                // "Ada, no activity" is about Ada, however short her name is.
                let begins = |name: &String| {
                    text.strip_prefix(name.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with(", "))
                };
                self.ids.iter().chain(&self.words).any(begins) || self.redacted(text) != *text
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn redacted(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for word in self.all_words() {
            // Where lower case is of another length, places in it are none in the text.
            while let Some(at) = Some(text.to_lowercase())
                .filter(|lower| lower.len() == text.len())
                .and_then(|lower| find_word(&lower, &word))
            {
                text.replace_range(at..at + word.len(), REDACTED);
            }
        }
        text
    }
}

fn json_text(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// Where a word stands in a text, not as a part of a longer one.
fn find_word(text: &str, word: &str) -> Option<usize> {
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        ![before, after].into_iter().flatten().any(char::is_alphanumeric)
    })
}

/// Whether a text ends in the midst of a word.
fn ends_within(text: &str, word: &str) -> bool {
    word.char_indices()
        .skip(MIN_WORD_CHARS)
        .map(|(end, _)| &word[..end])
        .any(|start| text.ends_with(start))
}

type ErasedRow = (String, Instant, Option<Instant>, i64, Option<Instant>);

fn erased((id_hash, erased_at, until, refused, refused_at): ErasedRow) -> ErasedClient {
    ErasedClient {
        id_hash,
        erased_at: erased_at.0,
        keep_out_until: until.map(|at| at.0),
        refused,
        refused_at: refused_at.map(|at| at.0),
    }
}

impl Tx {
    /// Deletes a client with everything known of it, and what names it elsewhere: refused events, mails
    /// to staff, messages to webhooks, texts of jobs, addresses that take no mails. Returns what it was
    /// called.
    pub async fn erase_client(
        &mut self,
        client: &Client,
        keep_out: IdBlock,
        now: Timestamp,
    ) -> Result<ErasedNames> {
        // As it is now: somebody may just have changed its name or its address.
        let known = self.find_client(&client.external_id).await?;
        let client = known.as_ref().filter(|known| known.id == client.id).unwrap_or(client);
        let names = self.names_of(client).await?;
        let addresses = self.addresses_of(client).await?;
        self.delete_client(client.id, now).await?;
        self.delete_refused_of(&names).await?;
        self.redact_staff_emails(&names).await?;
        self.redact_job_runs(&names).await?;
        self.delete_messages_of(&names).await?;
        for address in &addresses {
            execute!(
                self,
                "DELETE FROM email_suppressions WHERE organization_id = $1 AND address = $2 \
                 AND NOT EXISTS (SELECT 1 FROM email_subscriptions s \
                 WHERE s.organization_id = $1 AND s.address = $2)",
                self.scope.organization_uuid(),
                address
            )?;
        }
        for id in &names.ids {
            execute!(
                self,
                "DELETE FROM client_lockouts WHERE organization_id = $1 AND external_id = $2",
                self.scope.organization_uuid(),
                id
            )?;
        }
        self.block_client_id(&names.ids, keep_out, now).await?;
        Ok(names)
    }

    async fn names_of(&mut self, client: &Client) -> Result<ErasedNames> {
        let organization = self.scope.organization_uuid();
        let mut ids = vec![client.external_id.clone()];
        let mut words: BTreeSet<String> = self.addresses_of(client).await?;
        words.extend(client.profile.name.clone());
        for (sql, names_client) in [
            (
                "SELECT external_id FROM client_aliases \
                 WHERE organization_id = $1 AND client_id = $2",
                true,
            ),
            (
                "SELECT DISTINCT person_id FROM memberships \
                 WHERE organization_id = $1 AND client_id = $2",
                false,
            ),
            (
                "SELECT anonymous_id FROM anonymous_ids \
                 WHERE organization_id = $1 AND client_id = $2",
                false,
            ),
            (
                "SELECT unconfirmed_email FROM clients \
                 WHERE organization_id = $1 AND id = $2 AND unconfirmed_email IS NOT NULL",
                false,
            ),
            (
                "SELECT p.email FROM related_profiles p WHERE p.organization_id = $1 \
                 AND p.kind = 'person' AND p.email IS NOT NULL AND p.external_id IN \
                 (SELECT person_id FROM memberships WHERE organization_id = $1 AND client_id = $2)",
                false,
            ),
            (
                "SELECT p.name FROM related_profiles p WHERE p.organization_id = $1 \
                 AND p.kind = 'person' AND p.name IS NOT NULL AND p.external_id IN \
                 (SELECT person_id FROM memberships WHERE organization_id = $1 AND client_id = $2)",
                false,
            ),
        ] {
            let rows = fetch_all!(self, (String,), sql, organization, client.id.uuid())?;
            let found = rows.into_iter().map(|(name,)| name);
            if names_client { ids.extend(found) } else { words.extend(found) }
        }
        Ok(ErasedNames { ids, words: words.into_iter().collect() })
    }

    async fn addresses_of(&mut self, client: &Client) -> Result<BTreeSet<String>> {
        let profile = &client.profile;
        let emails = profile.email.iter().chain(&profile.unconfirmed_email);
        let mut addresses: BTreeSet<String> = emails.cloned().collect();
        for sql in [
            "SELECT address FROM email_subscriptions WHERE organization_id = $1 AND client_id = $2",
            "SELECT address FROM email_consents WHERE organization_id = $1 AND client_id = $2",
        ] {
            let organization = self.scope.organization_uuid();
            let rows = fetch_all!(self, (String,), sql, organization, client.id.uuid())?;
            addresses.extend(rows.into_iter().map(|(address,)| address));
        }
        Ok(addresses)
    }

    /// A few hundred rows at most are kept, so they are read rather than searched by the database.
    async fn delete_refused_of(&mut self, names: &ErasedNames) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let rows = fetch_all!(
            self,
            (Uuid, String, String),
            "SELECT id, body, reason FROM refused_events WHERE organization_id = $1",
            organization
        )?;
        for (id, body, reason) in rows {
            if names.are_in(&body) || names.are_in(&reason) {
                execute!(
                    self,
                    "DELETE FROM refused_events WHERE organization_id = $1 AND id = $2",
                    organization,
                    id
                )?;
            }
        }
        Ok(())
    }

    /// The mails stay, since a member gets one a day: only what they say of the client goes.
    async fn redact_staff_emails(&mut self, names: &ErasedNames) -> Result<()> {
        let organization = self.scope.organization_uuid();
        for (select, update) in [
            (
                "SELECT id, subject, content FROM staff_emails WHERE organization_id = $1",
                "UPDATE staff_emails SET subject = $3, content = $4 \
                 WHERE organization_id = $1 AND id = $2",
            ),
            (
                "SELECT id, subject, content FROM transactional_emails \
                 WHERE organization_id = $1 AND member_id IS NOT NULL",
                "UPDATE transactional_emails SET subject = $3, content = $4 \
                 WHERE organization_id = $1 AND id = $2",
            ),
        ] {
            let rows = fetch_all!(self, (Uuid, String, Json<Value>), select, organization)?;
            for (id, subject, Json(mut content)) in rows {
                let redacted = names.redacted(&subject);
                if names.redact(&mut content) || redacted != subject {
                    execute!(self, update, organization, id, redacted, Json(&content))?;
                }
            }
        }
        Ok(())
    }

    async fn redact_job_runs(&mut self, names: &ErasedNames) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let rows = fetch_all!(
            self,
            (Uuid, String),
            "SELECT id, error FROM job_runs WHERE organization_id = $1 AND error IS NOT NULL",
            organization
        )?;
        for (id, error) in rows {
            let redacted = names.redacted(&error);
            if redacted != error {
                execute!(
                    self,
                    "UPDATE job_runs SET error = $3 WHERE organization_id = $1 AND id = $2",
                    organization,
                    id,
                    redacted
                )?;
            }
        }
        Ok(())
    }

    /// Messages that name the client without being about one of its alerts.
    async fn delete_messages_of(&mut self, names: &ErasedNames) -> Result<()> {
        for id in &names.ids {
            let text = json_text(id).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            execute!(
                self,
                "DELETE FROM webhook_messages WHERE organization_id = $1 \
                 AND CAST(notice AS TEXT) LIKE $2 ESCAPE '\\'",
                self.scope.organization_uuid(),
                format!("%{text}%")
            )?;
        }
        Ok(())
    }

    /// Keeps ids of a deleted client out, or lets them in again.
    pub async fn block_client_id(
        &mut self,
        ids: &[String],
        keep_out: IdBlock,
        now: Timestamp,
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let until = match keep_out {
            IdBlock::Unblocked => {
                for id in ids {
                    self.unblock_client_id(id).await?;
                }
                return Ok(());
            }
            IdBlock::Until(until) => Some(Instant(until)),
            IdBlock::Forever => None,
        };
        let key = self.new_erasure_key().await?;
        for id in ids {
            execute!(
                self,
                "INSERT INTO erased_clients \
                 (organization_id, id_hash, erased_at, keep_out_until, refused) \
                 VALUES ($1, $2, $3, $4, 0) ON CONFLICT (organization_id, id_hash) \
                 DO UPDATE SET erased_at = excluded.erased_at, \
                 keep_out_until = excluded.keep_out_until",
                organization,
                hash_of(&key, id),
                Instant(now),
                until
            )?;
        }
        Ok(())
    }

    /// Lets the id of a deleted client in again; false when it was not kept out.
    pub async fn unblock_client_id(&mut self, external_id: &str) -> Result<bool> {
        let Some(key) = self.erasure_key().await? else { return Ok(false) };
        let deleted = execute!(
            self,
            "DELETE FROM erased_clients WHERE organization_id = $1 AND id_hash = $2",
            self.scope.organization_uuid(),
            hash_of(&key, external_id)
        )?;
        Ok(deleted > 0)
    }

    /// A deleted client whose id is kept out at an instant.
    pub async fn find_erased_client(
        &mut self,
        external_id: &str,
        now: Timestamp,
    ) -> Result<Option<ErasedClient>> {
        let Some(key) = self.erasure_key().await? else { return Ok(None) };
        let row = fetch_optional!(
            self,
            ErasedRow,
            "SELECT id_hash, erased_at, keep_out_until, refused, refused_at FROM erased_clients \
             WHERE organization_id = $1 AND id_hash = $2 \
             AND (keep_out_until IS NULL OR keep_out_until > $3)",
            self.scope.organization_uuid(),
            hash_of(&key, external_id),
            Instant(now)
        )?;
        Ok(row.map(erased))
    }

    /// Deleted clients whose ids are kept out at an instant, the latest first.
    pub async fn list_erased_clients(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<ErasedClient>> {
        let rows = fetch_all!(
            self,
            ErasedRow,
            "SELECT id_hash, erased_at, keep_out_until, refused, refused_at FROM erased_clients \
             WHERE organization_id = $1 AND (keep_out_until IS NULL OR keep_out_until > $2) \
             ORDER BY erased_at DESC, id_hash LIMIT $3",
            self.scope.organization_uuid(),
            Instant(now),
            limit
        )?;
        Ok(rows.into_iter().map(erased).collect())
    }

    /// Which of these unknown ids are kept out. Counts for each how often it was named.
    pub(crate) async fn list_blocked_ids(
        &mut self,
        named: &[(&str, i64)],
        now: Timestamp,
    ) -> Result<HashSet<String>> {
        // Where nothing was ever erased, this is all that it costs.
        let Some(key) = self.erasure_key().await? else { return Ok(HashSet::new()) };
        let organization = self.scope.organization_uuid();
        let mut kept_out = HashSet::new();
        for (id, times) in named {
            let refused = execute!(
                self,
                "UPDATE erased_clients SET refused = refused + $3, refused_at = $4 \
                 WHERE organization_id = $1 AND id_hash = $2 \
                 AND (keep_out_until IS NULL OR keep_out_until > $4)",
                organization,
                hash_of(&key, id),
                *times,
                Instant(now)
            )?;
            if refused > 0 {
                kept_out.insert((*id).to_owned());
            }
        }
        Ok(kept_out)
    }

    /// Which of these unknown ids are kept out, counting nothing.
    pub(crate) async fn find_blocked_ids(
        &mut self,
        ids: &[&str],
        now: Timestamp,
    ) -> Result<HashSet<String>> {
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let Some(key) = self.erasure_key().await? else { return Ok(HashSet::new()) };
        let organization = self.scope.organization_uuid();
        let mut kept_out = HashSet::new();
        for id in ids {
            let (found,) = fetch_one!(
                self,
                (i64,),
                "SELECT COUNT(*) FROM erased_clients WHERE organization_id = $1 AND id_hash = $2 \
                 AND (keep_out_until IS NULL OR keep_out_until > $3)",
                organization,
                hash_of(&key, id),
                Instant(now)
            )?;
            if found > 0 {
                kept_out.insert((*id).to_owned());
            }
        }
        Ok(kept_out)
    }

    /// What ids of erased clients are hashed with; `None` before the first one.
    async fn erasure_key(&mut self) -> Result<Option<hmac::Key>> {
        let row = fetch_optional!(
            self,
            (String,),
            "SELECT secret FROM erasure_keys WHERE organization_id = $1",
            self.scope.organization_uuid()
        )?;
        row.map(|(stored,)| {
            let secret = self.open((ERASURE_KEY, Uuid::nil()), &stored)?;
            Ok(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
        })
        .transpose()
    }

    async fn new_erasure_key(&mut self) -> Result<hmac::Key> {
        if let Some(key) = self.erasure_key().await? {
            return Ok(key);
        }
        let organization = self.scope.organization_uuid();
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).map_err(|_| StoreError::Randomness)?;
        let place = (ERASURE_KEY, Uuid::nil());
        let secret = self.seal(organization, place, &STANDARD.encode(bytes)).await?;
        execute!(
            self,
            "INSERT INTO erasure_keys (organization_id, secret) VALUES ($1, $2) \
             ON CONFLICT (organization_id) DO NOTHING",
            organization,
            secret
        )?;
        // Another transaction may have been first.
        self.erasure_key().await?.ok_or(StoreError::Conflict)
    }
}

fn hash_of(key: &hmac::Key, external_id: &str) -> String {
    let tag = hmac::sign(key, external_id.as_bytes());
    hexadecimal(tag.as_ref())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names() -> ErasedNames {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        ErasedNames { ids: texts(&["c-7", "7"]), words: texts(&["Ada Lovelace", "ada@x.example"]) }
    }

    #[test]
    fn a_text_names_a_client_by_whole_words_only() {
        for text in [
            r#"{"userId":"c-7"}"#,
            r#"{"userId":"7"}"#,
            r#"{"traits":{"email":"ADA@x.example"}}"#,
            "c-7 is unknown",
            r#"{"userId":"x","email":"ada@x.e…"#,
        ] {
            assert!(names().are_in(text), "{text}");
        }
        for text in [r#"{"userId":"c-70"}"#, "xada@x.example", "7 of 9", "ada", r#"{"n":77}"#] {
            assert!(!names().are_in(text), "{text}");
        }
    }

    #[test]
    fn a_mail_loses_what_it_says_of_the_client_and_nothing_else() {
        let mut email = json!({
            "heading": "2 alerts opened.",
            "lead": "7 alerts; c-7 is one of them.",
            "items": [
                {"title": "Ada Lovelace, no activity", "message": "Nothing for 3 days."},
                {"title": "7, no activity", "message": "Nothing."},
                {"title": "Bob, no activity", "message": "Nothing for 7 days."},
            ],
        });
        assert!(names().redact(&mut email));
        assert_eq!(
            email,
            json!({
                "heading": "2 alerts opened.",
                "lead": "7 alerts; (deleted client) is one of them.",
                "items": [{"title": "Bob, no activity", "message": "Nothing for 7 days."}],
            })
        );
        assert!(!names().redact(&mut email));
    }
}
