//! Two clients that turn out to be one: a queue of what was asked for, done a little at a time.
//!
//! Until the last step both ids go on working: each event is one client's or the other's, and figures
//! follow. The last step makes the id that is given up another name of the client that stays.

pub(crate) mod events;
pub(crate) mod records;
mod rename;
mod step;

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use mainstay_core::id::{ClientId, MemberId, MergeId, OrganizationId};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    ClientSighting, ResolvedClient, Result, StoreError, Tx,
    db::{
        dialect::{Instant, execute, fetch_all, fetch_one, fetch_optional},
        lock::Lock,
        name,
    },
    new_id,
};

/// Merges of an organization that may wait at a time.
const MAX_OPEN: i64 = 1_000;
/// Events that are moved at a time where all are to be moved at once: bounds memory.
const EVENTS_AT_ONCE: usize = 10_000;
/// How long after its first message an id can be a visitor's. Short, because whoever has the write key,
/// which may be public, can give what is known of such an id to any client.
const VISITOR_MAX_AGE: SignedDuration = SignedDuration::from_hours(1);
/// Events that a visitor has at most.
const VISITOR_EVENTS: i64 = 100;

/// How far a merge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeState {
    /// Nothing has happened yet.
    Waiting,
    /// Some events are moved.
    Merging,
    /// It is done, and can be undone.
    Done,
    /// It is being undone.
    Undoing,
    /// It was undone.
    Undone,
    /// It is done for good.
    Settled,
    /// One of the clients is gone.
    Failed,
}

impl MergeState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Merging,
        Self::Done,
        Self::Undoing,
        Self::Undone,
        Self::Settled,
        Self::Failed,
    ];

    /// The name used in every API and in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Merging => "merging",
            Self::Done => "done",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
            Self::Settled => "settled",
            Self::Failed => "failed",
        }
    }

    /// Whether there is something left to do.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Merging | Self::Undoing)
    }
}

impl fmt::Display for MergeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MergeState {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| format!("unknown state of a merge {text:?}"))
    }
}

/// A merge of two clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// Its id.
    pub id: MergeId,
    /// The id that is given up.
    pub previous_id: String,
    /// The id of the client that stays, as it was asked for.
    pub into_id: String,
    /// The client that is given up, since its first event was moved.
    pub previous_client: Option<ClientId>,
    /// The client that stays.
    pub client: ClientId,
    /// Progress.
    pub state: MergeState,
    /// Events that were moved.
    pub events: i64,
    /// Whether a write key asked: nothing but events was known of the id that is given up.
    pub of_visitor: bool,
    /// The member who asked; `None` is a key.
    pub requested_by: Option<MemberId>,
    /// Time.
    pub requested_at: Timestamp,
    /// When the task was completed.
    pub finished_at: Option<Timestamp>,
    /// The member who undid it; `None` is a secret key, if it was undone.
    pub undone_by: Option<MemberId>,
    /// When the merge was undone.
    pub undone_at: Option<Timestamp>,
}

/// A merge to ask for.
#[derive(Clone, Debug)]
pub struct NewMerge<'a> {
    /// Its id.
    pub id: MergeId,
    /// The id that is to be given up.
    pub previous_id: &'a str,
    /// The client that stays; created if it is new.
    pub into_id: &'a str,
    /// Whether it is to be done only if the id that is given up is a visitor's: since a short while, known
    /// by nothing but a few events, joined to nobody before, and the client has told who it is.
    pub of_visitor: bool,
    /// The member who asks; `None` is a key.
    pub requested_by: Option<MemberId>,
}

/// What became of the wish to merge two ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeRequest {
    /// They are one client already.
    SameClient,
    /// Nothing was known under the one id: it is another name of the client now.
    Renamed,
    /// It waits, or waited before.
    Queued(MergeId),
    /// The id is being merged into another client, or a merge of it undone.
    Busy,
    /// Too many wait.
    Full,
    /// One of them was deleted and is kept out.
    Blocked,
    /// The id is not a visitor's, but that of a known client.
    PreviousIdKnown,
}

#[derive(sqlx_macros::FromRow)]
struct MergeRow {
    id: Uuid,
    previous_id: String,
    into_id: String,
    previous_client: Option<Uuid>,
    client_id: Uuid,
    state: String,
    events: i64,
    of_visitor: bool,
    requested_by: Option<Uuid>,
    requested_at: Instant,
    finished_at: Option<Instant>,
    undone_by: Option<Uuid>,
    undone_at: Option<Instant>,
}

impl TryFrom<MergeRow> for Merge {
    type Error = StoreError;
    fn try_from(row: MergeRow) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            previous_id: row.previous_id,
            into_id: row.into_id,
            previous_client: row.previous_client.map(Into::into),
            client: row.client_id.into(),
            state: name::MERGE_STATE.read(&row.state)?,
            events: row.events,
            of_visitor: row.of_visitor,
            requested_by: row.requested_by.map(Into::into),
            requested_at: row.requested_at.0,
            finished_at: row.finished_at.map(|at| at.0),
            undone_by: row.undone_by.map(Into::into),
            undone_at: row.undone_at.map(|at| at.0),
        })
    }
}

macro_rules! select_merges {
    ($rest:literal) => {
        concat!(
            "SELECT id, previous_id, into_id, previous_client, client_id, state, events, \
             of_visitor, requested_by, requested_at, finished_at, undone_by, undone_at FROM client_merges \
             WHERE organization_id = $1 ",
            $rest
        )
    };
}

impl Tx {
    /// Asks for two ids to become one client. An id that nothing is known of becomes another name of the
    /// client at once.
    pub async fn request_merge(
        &mut self,
        new: &NewMerge<'_>,
        now: Timestamp,
    ) -> Result<MergeRequest> {
        // So that nobody creates the client meanwhile that is not there.
        self.lock_organization(Lock::DeleteClients).await?;
        // Nor does a deleted client come back under another name, or as one.
        if !self.list_blocked_ids(&[(new.previous_id, 1), (new.into_id, 1)], now).await?.is_empty()
        {
            return Ok(MergeRequest::Blocked);
        }
        let seen = [ClientSighting { external_id: new.into_id, first_at: now }];
        let target = if new.of_visitor {
            self.admit_clients(&seen, now).await?
        } else {
            self.admit_known_clients(&seen, now).await?
        };
        let Some(target) = target.into_iter().next().flatten() else {
            return Ok(MergeRequest::Blocked);
        };
        match self.record_alias(&[new.previous_id]).await?.get(new.previous_id) {
            Some(known) if known.id == target.id => {
                if !new.of_visitor {
                    self.confirm_name(new.previous_id).await?;
                }
                return Ok(MergeRequest::SameClient);
            }
            Some(_) if new.of_visitor => return Ok(MergeRequest::PreviousIdKnown),
            // What is kept in mind of the name is wrong from here on.
            Some(_) => self.invalidate_known_clients().await?,
            None => {}
        }
        let organization = self.scope.organization_uuid();
        let Some(source) = self.find_resolved_client(new.previous_id).await? else {
            self.assign_external_id(new.previous_id, target.id, new.of_visitor, now).await?;
            return Ok(MergeRequest::Renamed);
        };
        if source.id == target.id {
            return Ok(MergeRequest::SameClient);
        }
        if new.of_visitor && !self.is_visitor_of(&source, &target, now).await? {
            return Ok(MergeRequest::PreviousIdKnown);
        }
        let open = fetch_all!(
            self,
            MergeRow,
            select_merges!("AND previous_id = $2 AND state IN ('waiting', 'merging', 'undoing')"),
            organization,
            new.previous_id
        )?;
        if let Some(open) = open.into_iter().map(Merge::try_from).next().transpose()? {
            let same = open.client == target.id && open.state != MergeState::Undoing;
            return Ok(if same { MergeRequest::Queued(open.id) } else { MergeRequest::Busy });
        }
        let (waiting,) = fetch_one!(
            self,
            (i64,),
            "SELECT COUNT(*) FROM client_merges \
             WHERE organization_id = $1 AND state IN ('waiting', 'merging', 'undoing')",
            organization
        )?;
        if waiting >= MAX_OPEN {
            return Ok(MergeRequest::Full);
        }
        execute!(
            self,
            "INSERT INTO client_merges (organization_id, id, number, previous_id, into_id, client_id, \
             state, events, of_visitor, requested_by, requested_at) \
             SELECT $1, $2, COALESCE(MAX(number), 0) + 1, $3, $4, $5, 'waiting', 0, $6, $7, $8 \
             FROM client_merges WHERE organization_id = $1",
            organization,
            new.id.uuid(),
            new.previous_id,
            new.into_id,
            target.id.uuid(),
            new.of_visitor,
            new.requested_by.map(MemberId::uuid),
            Instant(now)
        )?;
        Ok(MergeRequest::Queued(new.id))
    }

    /// Whether nothing but a visitor's events is known of a client, and the other one told who it is.
    async fn is_visitor_of(
        &mut self,
        client: &ResolvedClient,
        known: &ResolvedClient,
        now: Timestamp,
    ) -> Result<bool> {
        let first = now.saturating_sub(VISITOR_MAX_AGE).unwrap_or(Timestamp::MIN);
        // When its row was made, which an event's own time cannot move.
        let (made, _) = client.id.uuid().get_timestamp().map_or((0, 0), |at| at.to_unix());
        if i64::try_from(made).unwrap_or(0) < first.as_second() {
            return Ok(false);
        }
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT c.id FROM clients c WHERE c.organization_id = $1 AND c.id = $2 \
             AND NOT c.known AND c.told_at IS NULL AND c.owner_member_id IS NULL \
             AND EXISTS (SELECT 1 FROM clients k \
             WHERE k.organization_id = $1 AND k.id = $4 AND k.told_at IS NOT NULL) \
             AND NOT EXISTS (SELECT 1 FROM client_aliases a \
             WHERE a.organization_id = $1 AND a.client_id = $2) \
             AND NOT EXISTS (SELECT 1 FROM anonymous_ids a \
             WHERE a.organization_id = $1 AND (a.client_id = $2 OR a.anonymous_id = c.external_id)) \
             AND NOT EXISTS (SELECT 1 FROM memberships m \
             WHERE m.organization_id = $1 AND m.client_id = $2) \
             AND NOT EXISTS (SELECT 1 FROM onboarding_tasks t \
             WHERE t.organization_id = $1 AND t.client_id = $2) \
             AND NOT EXISTS (SELECT 1 FROM client_feedback f \
             WHERE f.organization_id = $1 AND f.client_id = $2) \
             AND NOT EXISTS (SELECT 1 FROM client_notes n \
             WHERE n.organization_id = $1 AND n.client_id = $2) \
             AND NOT EXISTS (SELECT 1 FROM email_subscriptions s \
             WHERE s.organization_id = $1 AND s.client_id = $2) \
             AND (SELECT COUNT(*) FROM (SELECT 1 FROM client_engagement_events e \
             WHERE e.organization_id = $1 AND e.client_id = $2 LIMIT $3) AS first) < $3",
            self.scope.organization_uuid(),
            client.id.uuid(),
            VISITOR_EVENTS + 1,
            known.id.uuid()
        )?;
        Ok(!rows.is_empty())
    }

    /// Merges two ids at once, however many events there are: for an import, which nobody waits behind.
    ///
    /// # Errors
    /// [`crate::StoreError::IdBlocked`] when one of them was deleted and is kept out, and
    /// [`crate::StoreError::Conflict`] when one takes part in another merge.
    pub async fn merge_client(
        &mut self,
        previous: &str,
        into: &str,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<()> {
        let id = new_id(now);
        let new = NewMerge {
            id,
            previous_id: previous,
            into_id: into,
            of_visitor: false,
            requested_by: None,
        };
        match self.request_merge(&new, now).await? {
            MergeRequest::SameClient | MergeRequest::Renamed => Ok(()),
            MergeRequest::Blocked => Err(StoreError::IdBlocked),
            MergeRequest::Busy | MergeRequest::Full | MergeRequest::PreviousIdKnown => {
                Err(StoreError::Conflict)
            }
            MergeRequest::Queued(merge) => {
                while self.merge_step(merge, zone, now, EVENTS_AT_ONCE).await?.is_open() {}
                Ok(())
            }
        }
    }

    /// A merge.
    pub async fn find_merge(&mut self, merge: MergeId) -> Result<Option<Merge>> {
        let row = fetch_optional!(
            self,
            MergeRow,
            select_merges!("AND id = $2"),
            self.scope.organization_uuid(),
            merge.uuid()
        )?;
        row.map(TryInto::try_into).transpose()
    }

    /// The latest merges, newest first; of one client, those into it.
    pub async fn list_merges(&mut self, into: Option<ClientId>, limit: i64) -> Result<Vec<Merge>> {
        let rows = fetch_all!(
            self,
            MergeRow,
            select_merges!("AND ($2 IS NULL OR client_id = $2) ORDER BY number DESC LIMIT $3"),
            self.scope.organization_uuid(),
            into.map(ClientId::uuid),
            limit
        )?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// The merge to go on with: the oldest, so that what it makes is there for those after it.
    pub async fn find_next_merge(&mut self) -> Result<Option<MergeId>> {
        let row = fetch_optional!(
            self,
            (Uuid,),
            "SELECT id FROM client_merges WHERE organization_id = $1 \
             AND state IN ('waiting', 'merging', 'undoing') ORDER BY number LIMIT 1",
            self.scope.organization_uuid()
        )?;
        Ok(row.map(|(id,)| id.into()))
    }

    /// The organizations that have a merge to go on with, or to settle because it was done before an
    /// instant; for [`crate::Scope::System`].
    pub async fn list_organizations_with_merges(
        &mut self,
        done_before: Timestamp,
    ) -> Result<Vec<OrganizationId>> {
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT DISTINCT organization_id FROM client_merges \
             WHERE state IN ('waiting', 'merging', 'undoing') \
             OR (state = 'done' AND finished_at < $1) ORDER BY organization_id",
            Instant(done_before)
        )?;
        Ok(rows.into_iter().map(|(id,)| id.into()).collect())
    }

    /// Deletes what it takes to undo merges that were done before an instant.
    pub async fn settle_merges(&mut self, done_before: Timestamp) -> Result<()> {
        for sql in [
            "DELETE FROM client_merge_rows WHERE organization_id = $1 AND merge_id IN (SELECT id \
             FROM client_merges WHERE organization_id = $1 AND state = 'done' AND finished_at < $2)",
            "DELETE FROM client_merge_events WHERE organization_id = $1 AND merge_id IN (SELECT id \
             FROM client_merges WHERE organization_id = $1 AND state = 'done' AND finished_at < $2)",
            "UPDATE client_merges SET state = 'settled' \
             WHERE organization_id = $1 AND state = 'done' AND finished_at < $2",
        ] {
            execute!(self, sql, self.scope.organization_uuid(), Instant(done_before))?;
        }
        Ok(())
    }

    /// Asks for a merge to be undone that is done; false when it is not, or when the client that stayed
    /// is gone or takes part in a merge that is open.
    pub async fn request_undo(
        &mut self,
        merge: MergeId,
        undone_by: Option<MemberId>,
    ) -> Result<bool> {
        self.lock_organization(Lock::DeleteClients).await?;
        self.mark_undoing(merge, undone_by).await
    }

    /// Needs a lock that keeps merges from going on meanwhile.
    async fn mark_undoing(&mut self, merge: MergeId, undone_by: Option<MemberId>) -> Result<bool> {
        let marked = execute!(
            self,
            "UPDATE client_merges SET state = 'undoing', undone_by = $3 \
             WHERE organization_id = $1 AND id = $2 AND state = 'done' \
             AND EXISTS (SELECT 1 FROM clients c WHERE c.organization_id = $1 \
             AND c.id = client_merges.client_id) \
             AND NOT EXISTS (SELECT 1 FROM client_merges o JOIN clients c \
             ON c.organization_id = o.organization_id AND c.id = client_merges.client_id \
             WHERE o.organization_id = $1 AND o.state IN ('waiting', 'merging', 'undoing') \
             AND ((o.client_id = c.id AND o.state <> 'undoing') OR o.previous_id = c.external_id))",
            self.scope.organization_uuid(),
            merge.uuid(),
            undone_by.map(MemberId::uuid)
        )?;
        Ok(marked == 1)
    }
}
