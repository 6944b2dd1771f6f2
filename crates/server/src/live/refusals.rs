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
    engagement::KEPT_OUT,
    supervise::{OnPanic, REFUSALS},
};

/// How often what was refused is written down.
const EVERY: Duration = Duration::from_secs(1);
/// Refused events that are kept a second; more of them are counted.
const KEPT_A_SECOND: usize = 20;
/// Characters that are kept of a refused event.
const MOST_CHARS: usize = 600;
/// Characters that are kept of a reason, which may repeat what was sent.
const MOST_REASON_CHARS: usize = 400;
/// What stands for a value that may be secret.
const HIDDEN: &str = "…";
/// Parts of the names of fields whose values may be secret.
const SECRET: [&str; 7] =
    ["password", "passwd", "secret", "token", "authorization", "cookie", "key"];

/// Why something was refused.
pub(crate) struct Refused<'a> {
    /// The field at fault.
    pub(crate) field: &'a str,
    /// What is wrong with it, its limit and what to do.
    pub(crate) reason: &'a str,
    /// What was sent, as far as it could be read.
    pub(crate) sent: Option<&'a Value>,
}

/// Refused events that wait to be kept, of each organization.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    waiting: Mutex<HashMap<OrganizationId, Waiting>>,
    /// Read by those who write them down, so that a deletion can see to it that nobody does meanwhile.
    written: RwLock<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    refused: Vec<NewRefusal>,
    more: i64,
}

impl Refusals {
    /// Adds refused events; answers whether nothing of the organization is being kept yet.
    fn add<'a>(
        &self,
        organization: OrganizationId,
        refused: impl Iterator<Item = Refused<'a>>,
        at: Timestamp,
    ) -> bool {
        let mut all = self.lock();
        let first = !all.contains_key(&organization);
        let waiting = all.entry(organization).or_default();
        for refused in refused {
            if waiting.refused.len() < KEPT_A_SECOND {
                waiting.refused.push(refused.kept(at));
            } else {
                waiting.more += 1;
            }
        }
        first
    }

    /// Takes what waits; forgets the organization when nothing does.
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

    /// Forgets what waits and speaks of a client that was deleted.
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
    /// Remembers refused events for whoever is wiring them up. However many are sent, they are written
    /// once a second, and only the first of a second one by one.
    pub(crate) fn note_refused<'a>(
        &self,
        organization: OrganizationId,
        refused: impl Iterator<Item = Refused<'a>>,
    ) {
        let mut refused = refused.peekable();
        if refused.peek().is_some() && self.hub().refusals.add(organization, refused, self.now()) {
            let mainstay = self.clone();
            self.supervisor().spawn(REFUSALS, OnPanic::Restart, move || {
                mainstay.clone().keep_refused(organization)
            });
        }
    }

    /// Waits until what is being written down of refused events is, and keeps the rest from it for as long
    /// as the answer is held: what speaks of a client is written before it is deleted, or forgotten.
    pub(crate) async fn hold_refused(&self) -> RwLockWriteGuard<'_, ()> {
        self.hub().refusals.written.write().await
    }

    /// Forgets refused events that speak of a client that was deleted and are not written down yet.
    pub(crate) fn forget_refused(&self, organization: OrganizationId, names: &ErasedNames) {
        self.hub().refusals.forget(organization, names);
    }

    async fn keep_refused(self, organization: OrganizationId) {
        let mut ticks = interval(EVERY);
        loop {
            ticks.tick().await;
            self.supervisor().pass(REFUSALS);
            let _written = self.hub().refusals.written.read().await;
            let Some(refused) = self.hub().refusals.take(organization) else { return };
            if let Err(error) = self.store_refused(organization, &refused).await {
                // Nothing is lost that counts: the sender was told.
                tracing::warn!(%error, "refused events were not kept for the page of live events");
            }
        }
    }

    async fn store_refused(
        &self,
        organization: OrganizationId,
        refused: &[NewRefusal],
    ) -> Result<()> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        tx.keep_refused(refused).await?;
        Ok(tx.commit().await?)
    }
}

impl Refused<'_> {
    fn kept(&self, at: Timestamp) -> NewRefusal {
        // Of a client that was deleted, nothing is to be kept here either.
        let sent = self.sent.filter(|_| self.reason != KEPT_OUT);
        let body = sent.map_or_else(String::new, |sent| {
            let mut sent = sent.clone();
            hide_secrets(&mut sent);
            shortened(&sent.to_string(), MOST_CHARS)
        });
        NewRefusal {
            at,
            field: self.field.to_owned(),
            reason: shortened(self.reason, MOST_REASON_CHARS),
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
                if SECRET.iter().any(|secret| name.contains(secret)) {
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

/// The beginning of a text, of so many characters; PostgreSQL keeps no NUL.
fn shortened(text: &str, most: usize) -> String {
    let mut chars = text.chars().filter(|c| *c != '\0');
    let mut short: String = chars.by_ref().take(most).collect();
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
        let refused = Refused { field: "event", reason: "no", sent: Some(&sent) };
        let kept: Value = serde_json::from_str(&refused.kept(Timestamp::UNIX_EPOCH).body).unwrap();
        assert_eq!(
            kept,
            json!({
                "event": "login", "userId": "ada",
                "data": {"Password": "…", "list": [{"apiKey": "…"}], "page": "/"},
            })
        );
    }

    #[test]
    fn only_the_beginning_is_kept_of_what_is_long() {
        assert_eq!(shortened("abc\0def", 6), "abcdef");
        assert_eq!(shortened("abcdefg", 6), "abcdef…");
    }
}
