//! The state of email delivery in this process.
//!
//! Delivery stops for everyone if the mail server is unreachable, and for one organization after
//! three rejections that are not the recipients' fault. Both are retried after 5 s, 30 s, 5 min and
//! then every half hour. The state is only in memory: a restarted server, probably with new
//! settings, retries immediately.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use mainstay_core::{email::probe_delay, id::OrganizationId};

/// Number of rejections of the sender after which a queue is paused.
const MAX_REFUSALS: u32 = 3;
/// Number of consecutively accepted emails after which earlier rejections are reset.
const RESET_AFTER_ACCEPTED: u32 = 10;

/// Why emails are not sent, and when delivery is retried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Since when.
    pub since: Timestamp,
    /// The mail server's reply, or why it is unreachable.
    pub reason: String,
    /// The time of the next attempt.
    pub retry_delay: Timestamp,
    tries: i64,
}

impl Outage {
    fn begin(reason: &str, now: Timestamp) -> Self {
        let mut outage = Self { since: now, reason: String::new(), retry_delay: now, tries: 0 };
        outage.extend(reason, now);
        outage
    }

    fn extend(&mut self, reason: &str, now: Timestamp) {
        self.tries += 1;
        reason.clone_into(&mut self.reason);
        let wait = probe_delay(self.tries, fastrand::u16(0..=1_000));
        self.retry_delay = now.checked_add(wait).unwrap_or(now);
    }
}

/// The reason why an organization's emails are not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailTrouble {
    /// No mail server is configured.
    NoServer,
    /// The mail server is unreachable or rejects the sign-in.
    Unreachable(Outage),
    /// It rejects this organization's emails.
    Refused(Outage),
}

/// A change of an organization's queue after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum QueueChange {
    None,
    /// The queue was paused.
    Stopped(Outage),
    /// The queue was resumed.
    Resumed(Outage),
}

/// The evidence of an attempt about the mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence<'a> {
    /// It accepts the organization's emails.
    Accepted,
    /// It rejects them because of the sender.
    Refused {
        /// Its reply.
        reason: &'a str,
        /// Whether this was the email's first attempt: a single email that is rejected repeatedly
        /// must not pause the queue.
        first: bool,
    },
    /// Inconclusive: a rejection for a mailbox, or a temporary one.
    Neither,
}

/// The state of email delivery.
#[derive(Debug, Default)]
pub struct MailStatus(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    configured: bool,
    /// Whether a connection to the mail server has succeeded since the start.
    reached: bool,
    outage: Option<Outage>,
    queues: HashMap<OrganizationId, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    refusals: u32,
    accepted: u32,
    stopped: Option<Outage>,
}

impl MailStatus {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every change of it is whole, so that a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this process sends emails.
    pub fn is_configured(&self) -> bool {
        self.inner().configured
    }

    pub(super) fn set_configured(&self) {
        self.inner().configured = true;
    }

    /// Why an organization's emails are not sent, if so.
    pub fn trouble(&self, organization: OrganizationId) -> Option<MailTrouble> {
        let inner = self.inner();
        if !inner.configured {
            return Some(MailTrouble::NoServer);
        }
        if let Some(outage) = &inner.outage {
            return Some(MailTrouble::Unreachable(outage.clone()));
        }
        let stopped = inner.queues.get(&organization)?.stopped.clone();
        stopped.map(MailTrouble::Refused)
    }

    /// Retries immediately, for a user who has fixed a problem.
    pub fn try_now(&self, organization: OrganizationId, now: Timestamp) {
        let mut inner = self.inner();
        if let Some(outage) = &mut inner.outage {
            outage.retry_delay = now;
        }
        if let Some(stopped) =
            inner.queues.get_mut(&organization).and_then(|one| one.stopped.as_mut())
        {
            stopped.retry_delay = now;
        }
    }

    /// Whether the mail server is known to be reachable.
    pub(super) fn is_reached(&self) -> bool {
        let inner = self.inner();
        inner.reached && inner.outage.is_none()
    }

    /// Whether the mail server may be connected to.
    pub(super) fn may_connect(&self, now: Timestamp) -> bool {
        self.inner().outage.as_ref().is_none_or(|outage| outage.retry_delay <= now)
    }

    /// Records that the mail server is unreachable; returns the time of the next attempt.
    pub(super) fn record_unreachable(&self, reason: &str, now: Timestamp) -> Timestamp {
        let mut inner = self.inner();
        match &mut inner.outage {
            Some(outage) => outage.extend(reason, now),
            none => *none = Some(Outage::begin(reason, now)),
        }
        inner.outage.as_ref().map_or(now, |outage| outage.retry_delay)
    }

    pub(super) fn record_reached(&self) {
        let mut inner = self.inner();
        inner.reached = true;
        inner.outage = None;
    }

    /// Whether an email of an organization may be sent: its queue is active, or a trial is due.
    pub(super) fn may_send(&self, organization: OrganizationId, now: Timestamp) -> bool {
        let inner = self.inner();
        let stopped = inner.queues.get(&organization).and_then(|queue| queue.stopped.as_ref());
        stopped.is_none_or(|outage| outage.retry_delay <= now)
    }

    /// Records the outcome of an email of an organization.
    pub(super) fn record(
        &self,
        organization: OrganizationId,
        evidence: Evidence<'_>,
        now: Timestamp,
    ) -> QueueChange {
        let mut inner = self.inner();
        if evidence == Evidence::Accepted && !inner.queues.contains_key(&organization) {
            return QueueChange::None;
        }
        let queue = inner.queues.entry(organization).or_default();
        match (evidence, &mut queue.stopped) {
            (Evidence::Accepted, stopped) => {
                queue.accepted += 1;
                let resumed = stopped.take();
                if resumed.is_some() || queue.accepted >= RESET_AFTER_ACCEPTED {
                    inner.queues.remove(&organization);
                }
                resumed.map_or(QueueChange::None, QueueChange::Resumed)
            }
            (Evidence::Refused { reason, .. }, Some(outage)) => {
                outage.extend(reason, now);
                QueueChange::None
            }
            (Evidence::Refused { reason, first: true }, stopped) => {
                queue.accepted = 0;
                queue.refusals += 1;
                if queue.refusals < MAX_REFUSALS {
                    return QueueChange::None;
                }
                let outage = Outage::begin(reason, now);
                *stopped = Some(outage.clone());
                QueueChange::Stopped(outage)
            }
            (Evidence::Refused { first: false, .. } | Evidence::Neither, _) => QueueChange::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use mainstay_store::new_id;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_queue_stops_after_three_refusals_and_goes_on_when_a_mail_is_taken() {
        let (status, ours, theirs) = (MailStatus::default(), new_id(NOW), new_id(NOW));
        let refused = Evidence::Refused { reason: "550 5.7.1 no", first: true };
        let again = Evidence::Refused { reason: "550 5.7.1 no", first: false };
        for _ in 0..2 {
            assert_eq!(status.record(ours, refused, NOW), QueueChange::None);
            assert_eq!(status.record(ours, again, NOW), QueueChange::None);
            assert_eq!(status.record(ours, Evidence::Neither, NOW), QueueChange::None);
        }
        let QueueChange::Stopped(outage) = status.record(ours, refused, NOW) else {
            panic!("it goes on")
        };
        assert_eq!((outage.since, outage.reason.as_str()), (NOW, "550 5.7.1 no"));
        assert!(!status.may_send(ours, NOW));
        assert!(status.may_send(theirs, NOW), "another organization's mails leave");
        let later = outage.retry_delay;
        assert!(status.may_send(ours, later));
        assert_eq!(status.record(ours, again, later), QueueChange::None);
        assert!(!status.may_send(ours, later), "the trial failed");
        status.try_now(ours, NOW);
        assert!(status.may_send(ours, NOW));
        let QueueChange::Resumed(outage) = status.record(ours, Evidence::Accepted, later) else {
            panic!("it stands still")
        };
        assert_eq!(outage.since, NOW);
        assert_eq!(status.record(ours, refused, later), QueueChange::None, "it counts anew");
    }

    #[test]
    fn refusals_now_and_then_among_accepted_mails_stop_nothing() {
        let (status, ours) = (MailStatus::default(), new_id(NOW));
        for _ in 0..20 {
            let refused = Evidence::Refused { reason: "554 spam", first: true };
            assert_eq!(status.record(ours, refused, NOW), QueueChange::None);
            for _ in 0..RESET_AFTER_ACCEPTED {
                status.record(ours, Evidence::Accepted, NOW);
            }
        }
        assert!(status.may_send(ours, NOW));
    }

    #[test]
    fn trouble_names_what_keeps_mails() {
        let (status, ours) = (MailStatus::default(), new_id(NOW));
        assert_eq!(status.trouble(ours), Some(MailTrouble::NoServer));
        status.set_configured();
        assert_eq!(status.trouble(ours), None);
        let next = status.record_unreachable("connection refused", NOW);
        assert!(!status.may_connect(NOW) && status.may_connect(next));
        assert!(matches!(status.trouble(ours), Some(MailTrouble::Unreachable(_))));
        assert!(!status.is_reached());
        status.record_reached();
        assert!(status.is_reached());
        assert_eq!(status.trouble(ours), None);
    }
}
