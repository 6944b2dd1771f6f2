//! Mainstay as a library: the services behind the HTTP server, the command line and the jobs.
//!
//! [`Mainstay`] holds an open store and a clock; its methods are the services. They are organized
//! in folders named like the stages of an event's processing:
//! [`engagement`] → [`score`] → [`insight`] → [`alert`] → [`email`] and [`notification`]; [`job`] schedules
//! them, and [`playbook`] runs follow-up actions.

pub mod access;
pub mod alert;
pub mod api;
mod background_steps;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod demo;
pub mod email;
pub mod engagement;
pub mod error;
pub mod http;
pub mod insight;
pub mod job;
mod limit;
pub mod live;
pub mod notification;
pub mod organization;
mod paging;
mod paths;
pub mod playbook;
pub mod portfolio;
mod private_file;
pub mod score;
pub mod secrets;
mod short_cache;
pub mod site;
mod spreadsheet;
pub mod supervise;
mod validate;
pub mod verify;
pub mod web;

use std::sync::Arc;

use jiff::Timestamp;
use mainstay_core::id::OrganizationId;
use mainstay_store::{Lease, Scope, Store, Tx};

pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{Error, Result};

/// Clients per chunk: limits memory, whatever the size of the organization.
pub(crate) const CHUNK: i64 = 5_000;

/// Maximum number of cached keys, about 150 bytes each.
const MAX_CACHED_KEYS: usize = 10_000;
/// Maximum number of organizations with cached settings.
const MAX_CACHED_SETTINGS: usize = 1_000;

/// The services of one running Mainstay. Cheap to clone.
#[derive(Clone)]
pub struct Mainstay {
    store: Store,
    clock: Arc<dyn Clock>,
    boards: Arc<portfolio::Boards>,
    hub: Arc<live::Hub>,
    mail_status: Arc<email::MailStatus>,
    lease: Option<Lease>,
    caches: Arc<Caches>,
    supervisor: Arc<supervise::Supervisor>,
    scrubbing: Arc<client::Scrubbing>,
}

/// Short-lived caches and buffers of all requests.
#[derive(Debug)]
struct Caches {
    callers: short_cache::ShortCache<access::KeyHash, Option<access::Principal>>,
    ingest_settings_cache: short_cache::ShortCache<OrganizationId, Arc<engagement::IngestSettings>>,
    returned_clients: alert::ReturnedClients,
    keys: engagement::KeyActivityBuffer,
    samples: short_cache::ShortCache<OrganizationId, bool>,
}

impl Default for Caches {
    fn default() -> Self {
        Self {
            callers: short_cache::ShortCache::new(MAX_CACHED_KEYS),
            ingest_settings_cache: short_cache::ShortCache::new(MAX_CACHED_SETTINGS),
            returned_clients: alert::ReturnedClients::default(),
            keys: engagement::KeyActivityBuffer::default(),
            samples: short_cache::ShortCache::new(MAX_CACHED_SETTINGS),
        }
    }
}

impl Mainstay {
    /// Creates the services on an open store.
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            boards: Arc::default(),
            hub: Arc::default(),
            mail_status: Arc::default(),
            caches: Arc::default(),
            scrubbing: Arc::default(),
            lease: None,
            supervisor: Arc::default(),
        }
    }

    /// The store.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The same services within a job's run: their writes fail once another process has claimed the
    /// run.
    #[must_use]
    pub fn with_lease(&self, lease: Lease) -> Self {
        Self { lease: Some(lease), ..self.clone() }
    }

    /// Starts a write transaction; within a job, only while its lease is valid.
    pub(crate) async fn begin_writing(&self, scope: Scope) -> Result<Tx> {
        let mut tx = self.store.begin(scope).await?;
        if let Some(lease) = self.lease {
            tx.hold_lease(lease, job::MAX_IDLE_SECONDS).await?;
        }
        Ok(tx)
    }

    /// The cache of authenticated keys.
    fn callers(&self) -> &short_cache::ShortCache<access::KeyHash, Option<access::Principal>> {
        &self.caches.callers
    }

    /// The cache of organizations' ingest settings.
    fn ingest_settings_cache(
        &self,
    ) -> &short_cache::ShortCache<OrganizationId, Arc<engagement::IngestSettings>> {
        &self.caches.ingest_settings_cache
    }

    fn scrubbing(&self) -> &client::Scrubbing {
        &self.scrubbing
    }

    /// The clients with recent events.
    fn returned_clients(&self) -> &alert::ReturnedClients {
        &self.caches.returned_clients
    }

    /// Whether an organization contains sample data, cached.
    pub(crate) async fn is_sample(&self, organization: OrganizationId) -> Result<bool> {
        let now = self.now();
        if let Some(sample) = self.caches.samples.get(&organization, now) {
            return Ok(sample);
        }
        let mut tx = self.store.read(Scope::Service(organization)).await?;
        let sample = tx.get_organization().await?.sample;
        self.caches.samples.insert(organization, sample, now);
        Ok(sample)
    }

    /// The buffer of key activity.
    fn key_activity(&self) -> &engagement::KeyActivityBuffer {
        &self.caches.keys
    }

    fn boards(&self) -> &portfolio::Boards {
        &self.boards
    }

    /// The hub of live updates.
    pub fn hub(&self) -> &live::Hub {
        &self.hub
    }

    /// The supervisor of background loops.
    pub const fn supervisor(&self) -> &Arc<supervise::Supervisor> {
        &self.supervisor
    }

    /// The state of email delivery.
    pub fn mail_status(&self) -> &email::MailStatus {
        &self.mail_status
    }

    /// The current time, and monotonic time.
    fn both_clocks(&self) -> (Timestamp, std::time::Duration) {
        (self.now(), self.clock.monotonic())
    }

    /// The current time of this process's clock, in microseconds.
    pub fn now(&self) -> Timestamp {
        mainstay_core::time::to_micros(self.clock.now())
    }
}
