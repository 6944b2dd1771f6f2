//! Merging two ids of one client: a write key can join a visitor's anonymous ids once; only the
//! organization itself can merge known clients. A merge runs in the background, a few events per
//! transaction, so that nobody waits for it.

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    engagement::{
        Authority, EventError, MAX_CLIENT_ID_CHARS, ProfileChange, ProfilePatch, check_required,
        segment::IncomingMessage,
    },
    id::{ClientId, MemberId, MergeId, OrganizationId},
    time::time_zone,
};
use mainstay_store::{
    Client, JoinOutcome, Merge, MergeRequest, MergeState, NewMerge, Scope, new_id,
};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    Error, Mainstay, Result, background_steps,
    engagement::{ConflictRetries, KEPT_OUT_REASON},
    supervise::MERGES,
};

/// Maximum number of merges per request; joining unknown ids does not count.
pub(crate) const MAX_MERGES_PER_REQUEST: usize = 10;
/// How long a merge can be undone.
const UNDO_TTL: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Events per step: some ten milliseconds during which new events wait.
const EVENTS_PER_STEP: usize = 500;
/// Steps that a request runs itself, so that a small merge is done when it returns.
const STEPS_PER_REQUEST: usize = 10;
/// The `Retry-After` if too many merges are queued, in seconds.
const RETRY_AFTER_SECONDS: u64 = 10;

/// Maximum number of names of each kind read per client.
const MAX_NAMES: i64 = 20;

/// The other ids of a client.
pub(crate) struct OtherNames {
    /// Ids that were merged into it.
    pub(crate) merged: Vec<String>,
    /// Anonymous ids that a write key joined.
    pub(crate) anonymous: Vec<String>,
}

/// Two ids that mean the same client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alias {
    /// The id to merge.
    pub(crate) previous: String,
    /// The client that remains.
    pub(crate) client_id: String,
    /// When the message was sent.
    pub(crate) at: Timestamp,
    /// The id of the message.
    pub(crate) message_id: String,
}

impl Alias {
    /// The message to store once the ids are joined: the visitor's events belong to the client.
    pub(crate) fn into_message(self, authority: Authority) -> IncomingMessage {
        let Self { previous, client_id, at, message_id } = self;
        if authority == Authority::Organization {
            return IncomingMessage::Alias { previous, client_id, at, message_id };
        }
        let patch = ProfilePatch::default();
        let client = ProfileChange { client_id, at, message_id, patch };
        IncomingMessage::Membership { person: previous, client }
    }
}

impl Mainstay {
    /// Joins ids, each with its index in a request. Returns the indexes and reasons of rejected
    /// ones.
    pub(crate) async fn join_ids(
        &self,
        organization: OrganizationId,
        authority: Authority,
        aliases: &[(usize, Alias)],
    ) -> Result<Vec<(usize, EventError)>> {
        if aliases.is_empty() {
            return Ok(Vec::new());
        }
        if authority == Authority::Organization {
            let aliases: Vec<_> = aliases.iter().collect();
            return self.merge_all(organization, &aliases, false).await;
        }
        let mut retries = ConflictRetries::default();
        let joined = loop {
            let joined = self.try_join(organization, aliases).await;
            if !retries.should_retry(&joined) {
                break joined?;
            }
        };
        let (clients, others): (Vec<_>, Vec<_>) =
            aliases.iter().zip(joined).partition(|(_, joined)| *joined == JoinOutcome::IdIsClient);
        let mut refused: Vec<(usize, EventError)> = others
            .into_iter()
            .filter_map(|((place, alias), joined)| Some((*place, merge_refusal(alias, joined)?)))
            .collect();
        let clients: Vec<_> = clients.into_iter().map(|(alias, _)| alias).collect();
        refused.extend(self.merge_all(organization, &clients, true).await?);
        Ok(refused)
    }

    async fn try_join(
        &self,
        organization: OrganizationId,
        aliases: &[(usize, Alias)],
    ) -> Result<Vec<JoinOutcome>> {
        let pairs: Vec<(&str, &str)> = aliases
            .iter()
            .map(|(_, alias)| (alias.previous.as_str(), alias.client_id.as_str()))
            .collect();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let joined = tx.join_anonymous_ids(&pairs, self.now()).await?;
        tx.commit().await?;
        Ok(joined)
    }

    async fn merge_all(
        &self,
        organization: OrganizationId,
        aliases: &[&(usize, Alias)],
        of_visitors: bool,
    ) -> Result<Vec<(usize, EventError)>> {
        let mut refused = Vec::new();
        let mut queued = 0;
        for (place, alias) in aliases {
            if queued == MAX_MERGES_PER_REQUEST {
                let reason = format!(
                    "a request merges at most {MAX_MERGES_PER_REQUEST} pairs of known clients; send this \
                     one in another request"
                );
                refused.push((*place, EventError::new("previousId", reason)));
                continue;
            }
            match self.queue_merge(organization, alias, (of_visitors, None)).await? {
                MergeRequest::Queued(_) => queued += 1,
                MergeRequest::SameClient | MergeRequest::Renamed => {}
                MergeRequest::PreviousIdKnown => {
                    refused.extend(
                        merge_refusal(alias, JoinOutcome::IdIsClient)
                            .map(|reason| (*place, reason)),
                    );
                }
                MergeRequest::Busy => refused.push((*place, busy_error(&alias.previous))),
                MergeRequest::Blocked => refused.push((*place, kept_out_error())),
                MergeRequest::Full => {
                    return Err(Error::TooFast {
                        sender: "organization",
                        retry_after_seconds: RETRY_AFTER_SECONDS,
                    });
                }
            }
        }
        if queued > 0 {
            self.run_merge_steps(organization, STEPS_PER_REQUEST).await?;
        }
        Ok(refused)
    }

    async fn queue_merge(
        &self,
        organization: OrganizationId,
        alias: &Alias,
        requested: (bool, Option<MemberId>),
    ) -> Result<MergeRequest> {
        let mut retries = ConflictRetries::default();
        loop {
            let queued = self.try_queue_merge(organization, alias, requested).await;
            if !retries.should_retry(&queued) {
                return queued;
            }
        }
    }

    async fn try_queue_merge(
        &self,
        organization: OrganizationId,
        alias: &Alias,
        (of_visitor, requested_by): (bool, Option<MemberId>),
    ) -> Result<MergeRequest> {
        let now = self.now();
        let new = NewMerge {
            id: new_id(now),
            previous_id: &alias.previous,
            into_id: &alias.client_id,
            of_visitor,
            requested_by,
        };
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let request = tx.request_merge(&new, now).await?;
        tx.commit().await?;
        Ok(request)
    }

    /// Merges a client into another one. A small merge is done when this returns, a large one
    /// continues in the background.
    ///
    /// # Errors
    /// If one of them is unknown, they are already merged, or one takes part in another merge.
    pub async fn merge_clients(
        &self,
        organization: OrganizationId,
        into: &str,
        previous: &str,
        requested_by: Option<MemberId>,
    ) -> Result<Merge> {
        check_required("previous_id", previous, MAX_CLIENT_ID_CHARS)?;
        let scope = Scope::Service(organization);
        let target = self.client(scope, into).await?;
        let source = self.find_client(scope, previous).await?.ok_or_else(|| {
            Error::invalid(
                "previous_id",
                format!("there is no client {previous:?}; GET /api/v1/clients lists them"),
            )
        })?;
        if source.id == target.id {
            return Err(Error::conflict_in(
                "previous_id",
                format!("{previous:?} and {into:?} are one client already"),
            ));
        }
        let alias = Alias {
            previous: source.external_id,
            client_id: target.external_id,
            at: self.now(),
            message_id: String::new(),
        };
        match self.queue_merge(organization, &alias, (false, requested_by)).await? {
            MergeRequest::Queued(merge) => {
                self.run_merge_steps(organization, STEPS_PER_REQUEST).await?;
                self.merge(scope, merge).await
            }
            MergeRequest::Full => Err(Error::TooFast {
                sender: "organization",
                retry_after_seconds: RETRY_AFTER_SECONDS,
            }),
            MergeRequest::SameClient
            | MergeRequest::Renamed
            | MergeRequest::PreviousIdKnown
            | MergeRequest::Busy
            | MergeRequest::Blocked => {
                let EventError { reason, .. } = busy_error(previous);
                Err(Error::conflict_in("previous_id", reason))
            }
        }
    }

    /// A merge.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn merge(&self, scope: Scope, merge: MergeId) -> Result<Merge> {
        self.store().read(scope).await?.find_merge(merge).await?.ok_or_else(|| Error::NotFound {
            what: "merge",
            id: merge.to_string(),
            remedy: "GET /api/v1/merges lists the latest",
        })
    }

    /// The latest merges, newest first; for one client, only merges into it.
    pub async fn merges(
        &self,
        scope: Scope,
        into: Option<ClientId>,
        limit: i64,
    ) -> Result<Vec<Merge>> {
        Ok(self.store().read(scope).await?.list_merges(into, limit).await?)
    }

    /// Until when a merge can be undone; `None` if it cannot.
    pub fn undo_until(&self, merge: &Merge) -> Option<Timestamp> {
        let until = merge.finished_at?.saturating_add(UNDO_TTL).ok()?;
        (merge.state == MergeState::Done && self.now() < until).then_some(until)
    }

    /// Undoes a merge: each client gets its own data back. Data that arrived since stays with the
    /// client it arrived for.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it is not done, is too old, or later merges depend on it.
    pub async fn undo_merge(
        &self,
        organization: OrganizationId,
        merge: MergeId,
        undone_by: Option<MemberId>,
    ) -> Result<Merge> {
        let scope = Scope::Service(organization);
        let found = self.merge(scope, merge).await?;
        if self.undo_until(&found).is_none() {
            return Err(Error::conflict(match found.state {
                MergeState::Done | MergeState::Settled => {
                    "this merge was done more than 30 days ago and cannot be undone any more"
                        .to_owned()
                }
                state => format!("this merge is {state}; only one that is done can be undone"),
            }));
        }
        let mut tx = self.store().begin(scope).await?;
        let accepted = tx.request_undo(merge, undone_by).await?;
        tx.commit().await?;
        if !accepted {
            return Err(Error::conflict(format!(
                "client {:?} was merged into another one since, or a merge of it is under way; undo that \
                 first, or wait for it",
                found.into_id
            )));
        }
        self.run_merge_steps(organization, STEPS_PER_REQUEST).await?;
        self.merge(scope, merge).await
    }

    /// Runs some steps of an organization's merges, each in its own transaction. Returns whether
    /// there is more to do.
    pub async fn run_merge_steps(
        &self,
        organization: OrganizationId,
        steps: usize,
    ) -> Result<bool> {
        for _ in 0..steps {
            if !self.run_merge_step(organization).await? {
                return Ok(false);
            }
            // Those who wait for the database come first.
            tokio::task::yield_now().await;
        }
        Ok(true)
    }

    async fn run_merge_step(&self, organization: OrganizationId) -> Result<bool> {
        let mut retries = ConflictRetries::default();
        loop {
            let taken = self.try_merge_step(organization).await;
            if !retries.should_retry(&taken) {
                return taken;
            }
        }
    }

    async fn try_merge_step(&self, organization: OrganizationId) -> Result<bool> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let Some(merge) = tx.find_next_merge().await? else { return Ok(false) };
        let organization = tx.get_organization().await?;
        if organization.zone_change_since.is_some() {
            // It continues when everything lies on the days of one zone.
            return Ok(false);
        }
        let zone = time_zone(&organization.time_zone)
            .map_err(|reason| Error::invalid("time_zone", reason))?;
        tx.merge_step(merge, &zone, self.now(), EVENTS_PER_STEP).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Runs one merge step for every organization with a merge, and finalizes merges that can no
    /// longer be undone. Returns whether there is more to do.
    pub async fn run_merges(&self) -> Result<bool> {
        let done_before = self.now().saturating_sub(UNDO_TTL).unwrap_or(Timestamp::MIN);
        let mut tx = self.store().read(Scope::System).await?;
        let organizations = tx.list_organizations_with_merges(done_before).await?;
        drop(tx);
        let mut more = false;
        for organization in organizations {
            let step = async {
                let more = self.run_merge_steps(organization, 1).await?;
                let mut tx = self.store().begin(Scope::Service(organization)).await?;
                tx.settle_merges(done_before).await?;
                tx.commit().await?;
                Ok(more)
            };
            more |= self.take_isolated_step("merge", organization, step).await;
        }
        Ok(more)
    }

    /// The other ids of a client: merged ones, and anonymous ones joined with a write key.
    pub(crate) async fn other_names(&self, scope: Scope, client: ClientId) -> Result<OtherNames> {
        let mut tx = self.store().read(scope).await?;
        Ok(OtherNames {
            merged: tx.list_other_ids(client, MAX_NAMES).await?,
            anonymous: tx.list_anonymous_ids(client, MAX_NAMES).await?,
        })
    }

    /// The client that an anonymous id was joined to with a write key. Must not be used to
    /// authenticate clients: anyone can join an id to any client.
    pub(crate) async fn find_by_anonymous_id(
        &self,
        scope: Scope,
        anonymous_id: &str,
    ) -> Result<Option<Client>> {
        Ok(self.store().read(scope).await?.find_client_by_anonymous_id(anonymous_id).await?)
    }
}

/// Runs merges in the background until it is asked to stop.
pub(crate) fn start(mainstay: &Mainstay, stop: watch::Receiver<bool>) -> JoinHandle<()> {
    background_steps::start(mainstay, MERGES, stop, |mainstay: Mainstay| async move {
        mainstay.run_merges().await
    })
}

fn busy_error(previous: &str) -> EventError {
    let previous: String = previous.chars().take(60).collect();
    let reason = format!(
        "{previous:?} takes part in another merge that is under way; see GET /api/v1/merges and send this \
         again when it is done"
    );
    EventError::new("previousId", reason)
}

fn kept_out_error() -> EventError {
    EventError::new("previousId", KEPT_OUT_REASON)
}

fn merge_refusal(alias: &Alias, joined: JoinOutcome) -> Option<EventError> {
    let previous: String = alias.previous.chars().take(60).collect();
    let reason = match joined {
        JoinOutcome::Joined => return None,
        JoinOutcome::Blocked => return Some(kept_out_error()),
        JoinOutcome::IdIsClient => format!(
            "{previous:?} is a client of its own, and a write key merges only what a visitor did within \
             the last hour, and nobody but a write key spoke of, into a client that was identified; merge these \
             with a secret key: POST /api/v1/clients/{{the client that stays}}/merge"
        ),
        JoinOutcome::BelongsToOther => format!(
            "{previous:?} was joined to another client before, and a write key joins an id once; merge \
             the clients with a secret key: POST /api/v1/clients/{{the client that stays}}/merge"
        ),
    };
    Some(EventError::new("previousId", reason))
}
