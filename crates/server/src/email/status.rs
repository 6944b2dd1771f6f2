//! Whether mails can leave, as this process knows it, and what keeps them.
//!
//! Two things can: the mail server cannot be reached, which keeps everybody's mails, and it refuses what
//! an organization sends by no fault of the recipients, which stops the queue of that organization after
//! three refusals. Both end by themselves: a trial is made after 5 s, 30 s, 5 min and then every half
//! hour. Kept in memory only: a server that is started again, most likely with other settings, tries
//! at once.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use mainstay_core::{email::next_trial, id::OrganizationId};

/// The sender's refusals after which a queue stops.
const MAX_REFUSALS: u32 = 3;
/// Mails that are accepted one after another until earlier refusals count no more.
const FORGIVEN_AFTER: u32 = 10;

/// Why mails do not leave, and when it is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Since when.
    pub since: Timestamp,
    /// What the mail server said, or why it cannot be reached.
    pub reason: String,
    /// When it is tried next.
    pub next_try: Timestamp,
    tries: i64,
}

impl Outage {
    fn begin(reason: &str, now: Timestamp) -> Self {
        let mut outage = Self { since: now, reason: String::new(), next_try: now, tries: 0 };
        outage.go_on(reason, now);
        outage
    }

    fn go_on(&mut self, reason: &str, now: Timestamp) {
        self.tries += 1;
        reason.clone_into(&mut self.reason);
        let wait = next_trial(self.tries, fastrand::u16(0..=1_000));
        self.next_try = now.checked_add(wait).unwrap_or(now);
    }
}

/// What keeps an organization's mails from being sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailTrouble {
    /// No mail server is set.
    NoServer,
    /// The mail server cannot be reached, or does not let us in.
    Unreachable(Outage),
    /// It refuses what this organization sends.
    Refused(Outage),
}

/// What changed by the outcome of one mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum QueueChange {
    None,
    /// The organization's queue stopped.
    Stopped(Outage),
    /// It goes on after it had stopped.
    Resumed(Outage),
}

/// What an attempt says about the mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence<'a> {
    /// It takes the organization's mails.
    Accepted,
    /// It does not, by the sender's fault.
    Refused {
        /// What it said.
        reason: &'a str,
        /// Whether it was asked to take that mail for the first time: one mail that it does not like,
        /// refused again and again, does not stop the others.
        first: bool,
    },
    /// Neither: a mailbox's own refusal, or a passing one.
    Neither,
}

/// Whether mails can leave.
#[derive(Debug, Default)]
pub struct MailStatus(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    configured: bool,
    /// Whether the mail server was connected to since the start.
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

    /// Whether this process sends mails.
    pub fn is_configured(&self) -> bool {
        self.inner().configured
    }

    pub(super) fn set_configured(&self) {
        self.inner().configured = true;
    }

    /// What keeps an organization's mails, if anything does.
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

    /// Tries again at once, for somebody who has mended something.
    pub fn try_now(&self, organization: OrganizationId, now: Timestamp) {
        let mut inner = self.inner();
        if let Some(outage) = &mut inner.outage {
            outage.next_try = now;
        }
        if let Some(stopped) =
            inner.queues.get_mut(&organization).and_then(|one| one.stopped.as_mut())
        {
            stopped.next_try = now;
        }
    }

    /// Whether it is known that the mail server can be used.
    pub(super) fn is_reached(&self) -> bool {
        let inner = self.inner();
        inner.reached && inner.outage.is_none()
    }

    /// Whether the mail server may be connected to.
    pub(super) fn may_connect(&self, now: Timestamp) -> bool {
        self.inner().outage.as_ref().is_none_or(|outage| outage.next_try <= now)
    }

    /// Records that the mail server could not be reached; returns when it is tried again.
    pub(super) fn record_unreachable(&self, reason: &str, now: Timestamp) -> Timestamp {
        let mut inner = self.inner();
        match &mut inner.outage {
            Some(outage) => outage.go_on(reason, now),
            none => *none = Some(Outage::begin(reason, now)),
        }
        inner.outage.as_ref().map_or(now, |outage| outage.next_try)
    }

    pub(super) fn record_reached(&self) {
        let mut inner = self.inner();
        inner.reached = true;
        inner.outage = None;
    }

    /// Whether a mail of an organization may be tried: its queue goes on, or a trial is due.
    pub(super) fn may_send(&self, organization: OrganizationId, now: Timestamp) -> bool {
        let inner = self.inner();
        let stopped = inner.queues.get(&organization).and_then(|queue| queue.stopped.as_ref());
        stopped.is_none_or(|outage| outage.next_try <= now)
    }

    /// Records what came of one mail of an organization.
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
                if resumed.is_some() || queue.accepted >= FORGIVEN_AFTER {
                    inner.queues.remove(&organization);
                }
                resumed.map_or(QueueChange::None, QueueChange::Resumed)
            }
            (Evidence::Refused { reason, .. }, Some(outage)) => {
                outage.go_on(reason, now);
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
        let later = outage.next_try;
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
            for _ in 0..FORGIVEN_AFTER {
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
