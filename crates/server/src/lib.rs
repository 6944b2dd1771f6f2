//! Mainstay as a library: the services behind the HTTP server, the command line and the jobs.
//!
//! [`Mainstay`] holds an open store and a clock; its methods are the services. They are written
//! beside what they are about, in folders named like the stages of an event's way:
//! [`engagement`] → [`score`] → [`insight`] → [`alert`] → [`email`] and [`notification`]; [`job`] makes them
//! happen, and [`playbook`] what else follows.

pub mod access;
pub mod alert;
pub mod api;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod demo;
pub mod email;
pub mod engagement;
pub mod error;
mod fresh;
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
pub mod site;
mod spreadsheet;
mod steps;
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

/// Clients that are worked on at a time: bounds memory, whatever the size of the organization.
pub(crate) const CHUNK: i64 = 5_000;

/// Keys that are kept in mind; about 150 bytes each.
const MOST_KEYS: usize = 10_000;
/// Organizations whose event names are kept in mind.
const MOST_NAMINGS: usize = 1_000;

/// The services of one running Mainstay. Cheap to clone.
#[derive(Clone)]
pub struct Mainstay {
    store: Store,
    clock: Arc<dyn Clock>,
    boards: Arc<portfolio::Boards>,
    hub: Arc<live::Hub>,
    mail_status: Arc<email::MailStatus>,
    lease: Option<Lease>,
    known: Arc<Known>,
    supervisor: Arc<supervise::Supervisor>,
    scrubbing: Arc<client::Scrubbing>,
}

/// What every request asks for, kept for a moment.
#[derive(Debug)]
struct Known {
    callers: fresh::Fresh<access::KeyHash, Option<access::Principal>>,
    namings: fresh::Fresh<OrganizationId, Arc<engagement::Naming>>,
    returned: alert::Returned,
    keys: engagement::KeysSeen,
    samples: fresh::Fresh<OrganizationId, bool>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            callers: fresh::Fresh::new(MOST_KEYS),
            namings: fresh::Fresh::new(MOST_NAMINGS),
            returned: alert::Returned::default(),
            keys: engagement::KeysSeen::default(),
            samples: fresh::Fresh::new(MOST_NAMINGS),
        }
    }
}

impl Mainstay {
    /// The services on an open store.
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            boards: Arc::default(),
            hub: Arc::default(),
            mail_status: Arc::default(),
            known: Arc::default(),
            scrubbing: Arc::default(),
            lease: None,
            supervisor: Arc::default(),
        }
    }

    /// The store below.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The same services as the work of a job's run: what they write is refused once somebody else
    /// has claimed the run.
    #[must_use]
    pub fn under(&self, lease: Lease) -> Self {
        Self { lease: Some(lease), ..self.clone() }
    }

    /// Starts a writing transaction; a job's only while its claim of the run counts.
    pub(crate) async fn begin_writing(&self, scope: Scope) -> Result<Tx> {
        let mut tx = self.store.begin(scope).await?;
        if let Some(lease) = self.lease {
            tx.hold_lease(lease, job::MOST_IDLE_SECONDS).await?;
        }
        Ok(tx)
    }

    /// Keys that were presented a moment ago, and whom they speak for.
    fn callers(&self) -> &fresh::Fresh<access::KeyHash, Option<access::Principal>> {
        &self.known.callers
    }

    /// What organizations' messages mean, looked up a moment ago.
    fn namings(&self) -> &fresh::Fresh<OrganizationId, Arc<engagement::Naming>> {
        &self.known.namings
    }

    fn scrubbing(&self) -> &client::Scrubbing {
        &self.scrubbing
    }

    /// The clients that something came from a moment ago.
    fn returned(&self) -> &alert::Returned {
        &self.known.returned
    }

    /// Whether an organization is sample data, looked up a moment ago.
    pub(crate) async fn is_sample(&self, organization: OrganizationId) -> Result<bool> {
        let now = self.now();
        if let Some(known) = self.known.samples.get(&organization, now) {
            return Ok(known);
        }
        let mut tx = self.store.read(Scope::Service(organization)).await?;
        let sample = tx.organization().await?.sample;
        self.known.samples.keep(organization, sample, now);
        Ok(sample)
    }

    /// With which keys events came a moment ago.
    fn keys_seen(&self) -> &engagement::KeysSeen {
        &self.known.keys
    }

    fn boards(&self) -> &portfolio::Boards {
        &self.boards
    }

    /// What tells pages that are open of what happens.
    pub fn hub(&self) -> &live::Hub {
        &self.hub
    }

    /// What starts background loops and knows which of them run.
    pub const fn supervisor(&self) -> &Arc<supervise::Supervisor> {
        &self.supervisor
    }

    /// Whether mails can leave, and what keeps them.
    pub fn mail_status(&self) -> &email::MailStatus {
        &self.mail_status
    }

    /// The instant it is, and the time that has passed, whatever the clock was set to.
    fn both_clocks(&self) -> (Timestamp, std::time::Duration) {
        (self.now(), self.clock.monotonic())
    }

    /// The instant it is, by this process's clock, to the microsecond.
    pub fn now(&self) -> Timestamp {
        mainstay_core::time::to_micros(self.clock.now())
    }
}
