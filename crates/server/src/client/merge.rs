//! Two ids of one client: anonymous ones and a visitor's, which a write key may join once, and known
//! clients that turn out to be one, which only the organization itself merges. A merge is work for the background: it is done a
//! few events at a time, each time in a transaction of its own, so that nobody waits for it.

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    engagement::{
        Authority, EventError, MAX_CLIENT_ID_CHARS, ProfileChange, ProfilePatch, check_required,
        segment::Said,
    },
    id::{ClientId, MemberId, MergeId, OrganizationId},
    time::time_zone,
};
use mainstay_store::{Client, Joined, Merge, MergeRequest, MergeState, NewMerge, Scope, new_id};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    Error, Mainstay, Result,
    engagement::{KEPT_OUT, Tries},
    steps,
    supervise::MERGES,
};

/// Merges that one request may ask for; joining ids that nothing is known of is not counted.
pub(crate) const MAX_MERGES_PER_REQUEST: usize = 10;
/// For how long a merge can be undone.
const UNDO_TTL: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Events that one step moves: some ten milliseconds, for which an event that comes has to wait.
const EVENTS_PER_STEP: usize = 500;
/// Steps that a request takes itself, so that a small merge is done when it answers.
const STEPS_PER_REQUEST: usize = 10;
/// What a sender is told to wait when too many merges wait, in seconds.
const RETRY_AFTER_SECONDS: u64 = 10;

/// Names of a client that are read at most, of each kind.
const MAX_NAMES: i64 = 20;

/// What else a client is called.
pub(crate) struct OtherNames {
    /// Ids that were merged into it.
    pub(crate) merged: Vec<String>,
    /// Anonymous ids that a write key joined.
    pub(crate) anonymous: Vec<String>,
}

/// Two ids that mean the same client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alias {
    /// The id that is given up.
    pub(crate) previous: String,
    /// The client that stays.
    pub(crate) client_id: String,
    /// When that was said.
    pub(crate) at: Timestamp,
    /// The message that said so.
    pub(crate) message_id: String,
}

impl Alias {
    /// What is to be stored of it once the ids are joined: that what a visitor did under the one id is
    /// the client's.
    pub(crate) fn said(self, authority: Authority) -> Said {
        let Self { previous, client_id, at, message_id } = self;
        if authority == Authority::Organization {
            return Said::Alias { previous, client_id, at, message_id };
        }
        let patch = ProfilePatch::default();
        let client = ProfileChange { client_id, at, message_id, patch };
        Said::Joined { person: previous, client }
    }
}

impl Mainstay {
    /// Joins ids, each with its place in a request. Returns the places and reasons of those that the
    /// sender may not join.
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
        let mut tries = Tries::default();
        let joined = loop {
            let joined = self.try_join(organization, aliases).await;
            if !tries.again(&joined) {
                break joined?;
            }
        };
        let (clients, others): (Vec<_>, Vec<_>) =
            aliases.iter().zip(joined).partition(|(_, joined)| *joined == Joined::IsClient);
        let mut refused: Vec<(usize, EventError)> = others
            .into_iter()
            .filter_map(|((place, alias), joined)| Some((*place, refusal(alias, joined)?)))
            .collect();
        let clients: Vec<_> = clients.into_iter().map(|(alias, _)| alias).collect();
        refused.extend(self.merge_all(organization, &clients, true).await?);
        Ok(refused)
    }

    async fn try_join(
        &self,
        organization: OrganizationId,
        aliases: &[(usize, Alias)],
    ) -> Result<Vec<Joined>> {
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
                MergeRequest::Same | MergeRequest::Renamed => {}
                MergeRequest::Known => {
                    refused.extend(refusal(alias, Joined::IsClient).map(|reason| (*place, reason)));
                }
                MergeRequest::Busy => refused.push((*place, busy(&alias.previous))),
                MergeRequest::KeptOut => refused.push((*place, kept_out())),
                MergeRequest::Full => {
                    return Err(Error::TooFast {
                        of: "organization",
                        retry_after_seconds: RETRY_AFTER_SECONDS,
                    });
                }
            }
        }
        if queued > 0 {
            self.take_merge_steps(organization, STEPS_PER_REQUEST).await?;
        }
        Ok(refused)
    }

    async fn queue_merge(
        &self,
        organization: OrganizationId,
        alias: &Alias,
        requested: (bool, Option<MemberId>),
    ) -> Result<MergeRequest> {
        let mut tries = Tries::default();
        loop {
            let queued = self.try_queue_merge(organization, alias, requested).await;
            if !tries.again(&queued) {
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

    /// Merges a client into another one. A small merge is done when this returns, a large one goes on in
    /// the background.
    ///
    /// # Errors
    /// When one of them is not known, they are one already, or the one takes part in another merge.
    pub async fn merge_clients(
        &self,
        organization: OrganizationId,
        into: &str,
        previous: &str,
        requested_by: Option<MemberId>,
    ) -> Result<Merge> {
        check_required("previous_id", previous, MAX_CLIENT_ID_CHARS)?;
        let scope = Scope::Service(organization);
        let kept = self.client(scope, into).await?;
        let gone = self.find_client(scope, previous).await?.ok_or_else(|| {
            Error::invalid(
                "previous_id",
                format!("there is no client {previous:?}; GET /api/v1/clients lists them"),
            )
        })?;
        if gone.id == kept.id {
            return Err(Error::conflict_in(
                "previous_id",
                format!("{previous:?} and {into:?} are one client already"),
            ));
        }
        let alias = Alias {
            previous: gone.external_id,
            client_id: kept.external_id,
            at: self.now(),
            message_id: String::new(),
        };
        match self.queue_merge(organization, &alias, (false, requested_by)).await? {
            MergeRequest::Queued(merge) => {
                self.take_merge_steps(organization, STEPS_PER_REQUEST).await?;
                self.merge(scope, merge).await
            }
            MergeRequest::Full => {
                Err(Error::TooFast { of: "organization", retry_after_seconds: RETRY_AFTER_SECONDS })
            }
            MergeRequest::Same
            | MergeRequest::Renamed
            | MergeRequest::Known
            | MergeRequest::Busy
            | MergeRequest::KeptOut => {
                let EventError { reason, .. } = busy(previous);
                Err(Error::conflict_in("previous_id", reason))
            }
        }
    }

    /// A merge.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn merge(&self, scope: Scope, merge: MergeId) -> Result<Merge> {
        self.store().read(scope).await?.merge(merge).await?.ok_or_else(|| Error::NotFound {
            what: "merge",
            id: merge.to_string(),
            remedy: "GET /api/v1/merges lists the latest",
        })
    }

    /// The latest merges, newest first; of one client, those into it.
    pub async fn merges(
        &self,
        scope: Scope,
        into: Option<ClientId>,
        limit: i64,
    ) -> Result<Vec<Merge>> {
        Ok(self.store().read(scope).await?.merges(into, limit).await?)
    }

    /// Until when a merge can be undone; `None` when it cannot.
    pub fn undo_until(&self, merge: &Merge) -> Option<Timestamp> {
        let until = merge.finished_at?.saturating_add(UNDO_TTL).ok()?;
        (merge.state == MergeState::Done && self.now() < until).then_some(until)
    }

    /// Undoes a merge: each client gets back what was its own. What has come since under either id stays
    /// with the client that it came to.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it is not done, was done too long ago, or other merges rest on it.
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
        let asked = tx.request_undo(merge, undone_by).await?;
        tx.commit().await?;
        if !asked {
            return Err(Error::conflict(format!(
                "client {:?} was merged into another one since, or a merge of it is under way; undo that \
                 first, or wait for it",
                found.into_id
            )));
        }
        self.take_merge_steps(organization, STEPS_PER_REQUEST).await?;
        self.merge(scope, merge).await
    }

    /// Goes on with an organization's merges for some steps, each a transaction of its own. Returns
    /// whether there is more to do.
    pub async fn take_merge_steps(
        &self,
        organization: OrganizationId,
        steps: usize,
    ) -> Result<bool> {
        for _ in 0..steps {
            if !self.take_merge_step(organization).await? {
                return Ok(false);
            }
            // Those who wait for the database come first.
            tokio::task::yield_now().await;
        }
        Ok(true)
    }

    async fn take_merge_step(&self, organization: OrganizationId) -> Result<bool> {
        let mut tries = Tries::default();
        loop {
            let taken = self.try_merge_step(organization).await;
            if !tries.again(&taken) {
                return taken;
            }
        }
    }

    async fn try_merge_step(&self, organization: OrganizationId) -> Result<bool> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let Some(merge) = tx.next_merge().await? else { return Ok(false) };
        let organization = tx.organization().await?;
        if organization.zone_change_since.is_some() {
            // It goes on when everything lies on the days of one zone.
            return Ok(false);
        }
        let zone = time_zone(&organization.time_zone)
            .map_err(|reason| Error::invalid("time_zone", reason))?;
        tx.merge_step(merge, &zone, self.now(), EVENTS_PER_STEP).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Takes a step with a merge of every organization that has one, and settles those that can no longer
    /// be undone. Returns whether there is more to do.
    pub async fn run_merges(&self) -> Result<bool> {
        let done_before = self.now().saturating_sub(UNDO_TTL).unwrap_or(Timestamp::MIN);
        let mut tx = self.store().read(Scope::System).await?;
        let organizations = tx.organizations_with_merges(done_before).await?;
        drop(tx);
        let mut more = false;
        for organization in organizations {
            let step = async {
                let more = self.take_merge_steps(organization, 1).await?;
                let mut tx = self.store().begin(Scope::Service(organization)).await?;
                tx.settle_merges(done_before).await?;
                tx.commit().await?;
                Ok(more)
            };
            more |= self.take_isolated_step("merge", organization, step).await;
        }
        Ok(more)
    }

    /// What else a client is called: ids that were merged into it, and anonymous ones that a write key
    /// joined.
    pub(crate) async fn other_names(&self, scope: Scope, client: ClientId) -> Result<OtherNames> {
        let mut tx = self.store().read(scope).await?;
        Ok(OtherNames {
            merged: tx.other_names(client, MAX_NAMES).await?,
            anonymous: tx.anonymous_ids(client, MAX_NAMES).await?,
        })
    }

    /// The client that an anonymous id was joined to with a write key. Of no use to clients themselves:
    /// anybody can join an id to anybody's client.
    pub(crate) async fn find_by_anonymous_id(
        &self,
        scope: Scope,
        anonymous_id: &str,
    ) -> Result<Option<Client>> {
        Ok(self.store().read(scope).await?.client_of_anonymous_id(anonymous_id).await?)
    }
}

/// Goes on with merges in the background until it is told to stop.
pub(crate) fn start(mainstay: &Mainstay, stop: watch::Receiver<bool>) -> JoinHandle<()> {
    steps::start(
        mainstay,
        MERGES,
        stop,
        |mainstay: Mainstay| async move { mainstay.run_merges().await },
    )
}

fn busy(previous: &str) -> EventError {
    let previous: String = previous.chars().take(60).collect();
    let reason = format!(
        "{previous:?} takes part in another merge that is under way; see GET /api/v1/merges and send this \
         again when it is done"
    );
    EventError::new("previousId", reason)
}

fn kept_out() -> EventError {
    EventError::new("previousId", KEPT_OUT)
}

fn refusal(alias: &Alias, joined: Joined) -> Option<EventError> {
    let previous: String = alias.previous.chars().take(60).collect();
    let reason = match joined {
        Joined::ToClient => return None,
        Joined::KeptOut => return Some(kept_out()),
        Joined::IsClient => format!(
            "{previous:?} is a client of its own, and a write key merges only what a visitor did within \
             the last hour into a client that was identified; merge these with a secret key: POST /api/v1/clients/{{the client that stays}}/merge"
        ),
        Joined::ToAnother => format!(
            "{previous:?} was joined to another client before, and a write key joins an id once; merge \
             the clients with a secret key: POST /api/v1/clients/{{the client that stays}}/merge"
        ),
    };
    Some(EventError::new("previousId", reason))
}
