use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use mainstay_core::id::OrganizationId;
use mainstay_store::{ErasedNames, NewRefusal, Scope};
use serde_json::Value;
use tokio::{
    sync::{RwLock, RwLockWriteGuard},
    time::interval,
};

use crate::{
    Mainstay, Result,
    engagement::KEPT_OUT_REASON,
    supervise::{OnPanic, REFUSALS},
};

/// How often rejected events are saved.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum number of rejected events saved per second; the rest is only counted.
const MAX_KEPT_PER_SECOND: usize = 20;
/// Maximum length of a saved event.
const MAX_CHARS: usize = 600;
/// Maximum length of a saved reason, which may repeat parts of the event.
const MAX_REASON_CHARS: usize = 400;
/// The replacement for a potential secret.
const HIDDEN: &str = "…";
/// Parts of field names whose values may be secret.
const SECRET_FIELD_PARTS: [&str; 7] =
    ["password", "passwd", "secret", "token", "authorization", "cookie", "key"];

/// A rejected message.
pub(crate) struct RefusedMessage<'a> {
    /// The field at fault.
    pub(crate) field: &'a str,
    /// What is wrong, the limit and the remedy.
    pub(crate) reason: &'a str,
    /// The message, as far as it could be parsed.
    pub(crate) sent: Option<&'a Value>,
}

/// Rejected events to be saved, by organization.
#[derive(Debug, Default)]
pub(super) struct RefusalBuffer {
    waiting: Mutex<HashMap<OrganizationId, Waiting>>,
    /// Read-locked while saving, so that a deletion can exclude concurrent saves.
    flush_lock: RwLock<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    refused: Vec<NewRefusal>,
    more: i64,
}

impl RefusalBuffer {
    /// Adds rejected events; returns whether the organization had no buffer yet.
    fn add<'a>(
        &self,
        organization: OrganizationId,
        refused: impl Iterator<Item = RefusedMessage<'a>>,
        at: Timestamp,
    ) -> bool {
        let mut all = self.lock();
        let first = !all.contains_key(&organization);
        let waiting = all.entry(organization).or_default();
        for refused in refused {
            if waiting.refused.len() < MAX_KEPT_PER_SECOND {
                waiting.refused.push(refused.to_new_refusal(at));
            } else {
                waiting.more += 1;
            }
        }
        first
    }

    /// Takes the buffered events; removes the organization if there are none.
    fn take(&self, organization: OrganizationId) -> Option<Vec<NewRefusal>> {
        let mut all = self.lock();
        let Waiting { mut refused, more } = std::mem::take(all.get_mut(&organization)?);
        if let Some(last) = refused.last_mut() {
            last.more = more;
            return Some(refused);
        }
        all.remove(&organization);
        None
    }

    /// Discards buffered events about a deleted client.
    fn forget(&self, organization: OrganizationId, names: &ErasedNames) {
        if let Some(waiting) = self.lock().get_mut(&organization) {
            waiting
                .refused
                .retain(|refused| !(names.are_in(&refused.body) || names.are_in(&refused.reason)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrganizationId, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mainstay {
    /// Records rejected events, as a help for integrators. They are saved once a second, and only
    /// the first of each second individually.
    pub(crate) fn record_refused<'a>(
        &self,
        organization: OrganizationId,
        refused: impl Iterator<Item = RefusedMessage<'a>>,
    ) {
        let mut refused = refused.peekable();
        if refused.peek().is_some() && self.hub().refusals.add(organization, refused, self.now()) {
            let mainstay = self.clone();
            self.supervisor().spawn(REFUSALS, OnPanic::Restart, move || {
                mainstay.clone().flush_refused(organization)
            });
        }
    }

    /// Waits for a running save of rejected events and blocks further ones while the guard is held,
    /// so that events of a deleted client are either saved before the deletion or discarded.
    pub(crate) async fn pause_refusals(&self) -> RwLockWriteGuard<'_, ()> {
        self.hub().refusals.flush_lock.write().await
    }

    /// Discards unsaved rejected events about a deleted client.
    pub(crate) fn discard_refused(&self, organization: OrganizationId, names: &ErasedNames) {
        self.hub().refusals.forget(organization, names);
    }

    async fn flush_refused(self, organization: OrganizationId) {
        let mut ticks = interval(FLUSH_INTERVAL);
        loop {
            ticks.tick().await;
            self.supervisor().fail_point(REFUSALS);
            let _flushing = self.hub().refusals.flush_lock.read().await;
            let Some(refused) = self.hub().refusals.take(organization) else { return };
            if let Err(error) = self.store_refused(organization, &refused).await {
                // Nothing is lost that counts: the sender was told.
                tracing::warn!(%error, "failed to save rejected events for the page of live events");
            }
        }
    }

    async fn store_refused(
        &self,
        organization: OrganizationId,
        refused: &[NewRefusal],
    ) -> Result<()> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        tx.record_refusals(refused).await?;
        Ok(tx.commit().await?)
    }
}

impl RefusedMessage<'_> {
    fn to_new_refusal(&self, at: Timestamp) -> NewRefusal {
        // Of a client that was deleted, nothing is to be kept here either.
        let sent = self.sent.filter(|_| self.reason != KEPT_OUT_REASON);
        let body = sent.map_or_else(String::new, |sent| {
            let mut sent = sent.clone();
            hide_secrets(&mut sent);
            truncate(&sent.to_string(), MAX_CHARS)
        });
        NewRefusal {
            at,
            field: self.field.to_owned(),
            reason: truncate(self.reason, MAX_REASON_CHARS),
            body,
            more: 0,
        }
    }
}

fn hide_secrets(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.to_lowercase();
                if SECRET_FIELD_PARTS.iter().any(|secret| name.contains(secret)) {
                    *value = Value::String(HIDDEN.to_owned());
                } else {
                    hide_secrets(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(hide_secrets),
        _ => {}
    }
}

/// The start of a text, up to a number of characters; without NUL, which PostgreSQL cannot store.
fn truncate(text: &str, max: usize) -> String {
    let mut chars = text.chars().filter(|c| *c != '\0');
    let mut short: String = chars.by_ref().take(max).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_be_secret_is_not_kept() {
        let sent = json!({
            "event": "login", "userId": "ada",
            "data": {"Password": "hunter2", "list": [{"apiKey": {"a": 1}}], "page": "/"},
        });
        let refused = RefusedMessage { field: "event", reason: "no", sent: Some(&sent) };
        let to_new_refusal: Value =
            serde_json::from_str(&refused.to_new_refusal(Timestamp::UNIX_EPOCH).body).unwrap();
        assert_eq!(
            to_new_refusal,
            json!({
                "event": "login", "userId": "ada",
                "data": {"Password": "…", "list": [{"apiKey": "…"}], "page": "/"},
            })
        );
    }

    #[test]
    fn only_the_beginning_is_kept_of_what_is_long() {
        assert_eq!(truncate("abc\0def", 6), "abcdef");
        assert_eq!(truncate("abcdefg", 6), "abcdef…");
    }
}
