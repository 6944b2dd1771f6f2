pub(super) mod anonymous;
pub(super) mod delete;
pub(super) mod erasure;
pub(super) mod membership;
pub(super) mod merge;
pub(super) mod note;
pub(super) mod onboarding;
pub(super) mod profile;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use mainstay_core::{
    engagement::{EventError, Profile, ProfileField, ProfilePatch, ProfileTimes, normalize_id},
    id::{ClientId, MemberId},
};
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use self::profile::{ProfileRow, profile_columns};
use crate::{
    ClientRange, Result, Tx,
    db::{
        dialect::{
            Connection, Instant, execute, fetch_all, fetch_for_rows, fetch_one, fetch_optional,
            fetch_packed, id_list, insert_rows,
        },
        id::new_id,
        lock::Lock,
    },
};

/// A customer of the organization.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// Our id.
    pub id: ClientId,
    /// The host app's id.
    pub external_id: String,
    /// Profile, as the host app reported it.
    pub profile: Profile,
    /// Its first event, or when it was created.
    pub created_at: Timestamp,
    /// Member who owns the client.
    pub owner: Option<MemberId>,
}

/// Changes to a client's profile; `None` leaves a field alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientPatch {
    /// Display name.
    pub name: Option<String>,
    /// Its address.
    pub email: Option<String>,
    /// Parts of the component that earn points.
    pub plan: Option<String>,
    /// The account it belongs to.
    pub group_id: Option<String>,
    /// Traits to add or replace, one by one; null takes one away.
    pub traits: Map<String, Value>,
    /// Fields to empty.
    pub clear: Vec<ProfileField>,
}

impl ClientPatch {
    /// What a field is changed to.
    pub const fn field_mut(&mut self, field: ProfileField) -> &mut Option<String> {
        match field {
            ProfileField::Name => &mut self.name,
            // The organization's word confirms an address.
            ProfileField::Email | ProfileField::UnconfirmedEmail => &mut self.email,
            ProfileField::Plan => &mut self.plan,
            ProfileField::Group => &mut self.group_id,
        }
    }
}

impl From<&ClientPatch> for ProfilePatch {
    fn from(patch: &ClientPatch) -> Self {
        let set = [
            (ProfileField::Name, &patch.name),
            (ProfileField::Email, &patch.email),
            (ProfileField::Plan, &patch.plan),
            (ProfileField::Group, &patch.group_id),
        ];
        let cleared = patch.clear.iter().map(|field| (*field, None));
        let set = set.into_iter().filter(|(_, value)| value.is_some());
        let fields = cleared.chain(set.map(|(field, value)| (field, value.clone()))).collect();
        Self { fields, traits: patch.traits.clone() }
    }
}

/// A client that is named by something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSighting<'a> {
    /// The host app's id.
    pub external_id: &'a str,
    /// The earliest of what happened: since when the client exists, should it be new.
    pub first_at: Timestamp,
}

/// A client's id and since when it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedClient {
    /// Our id.
    pub id: ClientId,
    /// Its first event, or when it was created.
    pub created_at: Timestamp,
}

/// A stretch of an organization's clients in the order of their ids, so that work on all of them
/// streams through in bounded memory.
#[derive(Clone, Debug)]
pub struct ClientChunk {
    /// Id, `external_id` and creation of each.
    pub clients: Vec<(ResolvedClient, String)>,
    /// Whether it leaves out clients between its first and its last.
    picked: bool,
}

impl ClientChunk {
    /// The chunk of a single client.
    pub fn of(client: &Client) -> Self {
        let resolved = ResolvedClient { id: client.id, created_at: client.created_at };
        Self { clients: vec![(resolved, client.external_id.clone())], picked: false }
    }

    /// A chunk of clients that follow each other, or nearly: those between are read for nothing.
    pub const fn from_range(clients: Vec<(ResolvedClient, String)>) -> Self {
        Self { clients, picked: false }
    }

    /// A chunk of a few clients from here and there.
    pub const fn from_selection(clients: Vec<(ResolvedClient, String)>) -> Self {
        Self { clients, picked: true }
    }

    /// How queries name these clients. `None` for an empty chunk.
    pub(crate) fn id_condition(&self, postgres: bool) -> Option<ClientIds> {
        let (low, high) = self.range()?;
        let only = self
            .picked
            .then(|| id_list(self.clients.iter().map(|(client, _)| client.id.uuid()), postgres));
        Some(ClientIds { low, high, only })
    }

    /// The lowest and highest id. `None` for an empty chunk.
    pub(crate) fn range(&self) -> Option<(Uuid, Uuid)> {
        let ids = || self.clients.iter().map(|(client, _)| client.id.uuid());
        ids().min().zip(ids().max())
    }

    /// The last id, from which the next chunk goes on.
    pub fn last(&self) -> Option<ClientId> {
        self.clients.last().map(|(client, _)| client.id)
    }
}

/// The clients of a chunk in a query: a stretch of ids, and only these of it.
pub(crate) struct ClientIds {
    pub(crate) low: Uuid,
    pub(crate) high: Uuid,
    only: Option<String>,
}

impl ClientIds {
    /// Puts the clients into a query that says `{a.client_id}` where the ids are to be checked, and
    /// binds the first and the last id as `$2` and `$3`.
    pub(crate) fn apply_to(&self, sql: &str) -> String {
        let mut whole = String::with_capacity(sql.len() + 200);
        let mut rest = sql;
        while let Some((before, (column, after))) =
            rest.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
        {
            whole.push_str(before);
            whole.push_str(column);
            whole.push_str(" BETWEEN $2 AND $3");
            if let Some(only) = &self.only {
                whole.extend([" AND ", column, " IN (", only, ")"]);
            }
            rest = after;
        }
        whole.push_str(rest);
        whole
    }
}

#[derive(sqlx_macros::FromRow)]
struct ClientRow {
    id: Uuid,
    external_id: String,
    #[sqlx(flatten)]
    profile: ProfileRow,
    created_at: Instant,
    owner_member_id: Option<Uuid>,
}

impl From<ClientRow> for Client {
    fn from(row: ClientRow) -> Self {
        Self {
            id: row.id.into(),
            external_id: row.external_id,
            profile: row.profile.into(),
            created_at: row.created_at.0,
            owner: row.owner_member_id.map(Into::into),
        }
    }
}

type ResolvedRow = (Uuid, String, Instant);

/// What was found or created of the clients that are named.
struct Found {
    /// By name, and whether they are marked as known.
    clients: HashMap<String, (ResolvedClient, bool)>,
    /// The names that a write key gave.
    of_visitors: HashSet<String>,
    /// The ids that are kept out.
    kept_out: HashSet<String>,
}

impl Tx {
    /// The client with an `external_id`, or that it is another name of, however the id is spelled. A name that
    /// only a write key gave does not count: anybody can give anybody's client a name.
    pub async fn find_client(&mut self, external_id: &str) -> Result<Option<Client>> {
        let external_id = normalize_id(external_id);
        let row = fetch_optional!(
            self,
            ClientRow,
            concat!(
                "SELECT id, external_id, ",
                profile_columns!(),
                ", created_at, owner_member_id FROM clients \
                 WHERE organization_id = $1 AND (external_id = $2 OR id = (SELECT client_id \
                 FROM client_aliases WHERE organization_id = $1 AND external_id = $2 \
                 AND NOT of_visitor))"
            ),
            self.scope.organization_uuid(),
            &*external_id
        )?;
        Ok(row.map(Into::into))
    }

    /// How many clients the organization has.
    pub async fn count_clients(&mut self) -> Result<i64> {
        let (count,) = fetch_one!(
            self,
            (i64,),
            "SELECT COUNT(*) FROM clients WHERE organization_id = $1",
            self.scope.organization_uuid()
        )?;
        Ok(count)
    }

    /// Clients in the order of their `external_id`, from the one after `after`.
    pub async fn list_clients(&mut self, after: Option<&str>, limit: i64) -> Result<Vec<Client>> {
        let rows = fetch_all!(
            self,
            ClientRow,
            concat!(
                "SELECT id, external_id, ",
                profile_columns!(),
                ", created_at, owner_member_id FROM clients \
                 WHERE organization_id = $1 AND external_id > $2 ORDER BY external_id LIMIT $3"
            ),
            self.scope.organization_uuid(),
            after.unwrap_or_default(),
            limit
        )?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Keeps every client from being deleted until this transaction ends.
    pub async fn lock_known_clients(&mut self) -> Result<()> {
        self.lock_organization(Lock::CacheClients).await
    }

    /// The next clients in the order of their ids that existed before `as_of`. Empty at the end. In
    /// a transaction that writes, none of them is deleted before it ends.
    pub async fn client_chunk(
        &mut self,
        after: Option<ClientId>,
        as_of: Timestamp,
        limit: i64,
    ) -> Result<ClientChunk> {
        if self.writes {
            self.lock_organization(Lock::CacheClients).await?;
        }
        let mut rows = fetch_packed!(
            self,
            ResolvedRow,
            "hex(id), external_id, created_at",
            "SELECT id, external_id, created_at FROM clients \
             WHERE organization_id = $1 AND id > $2 AND created_at < $3 ORDER BY id LIMIT $4",
            self.scope.organization_uuid(),
            after.map_or(Uuid::nil(), ClientId::uuid),
            Instant(as_of),
            limit
        )?;
        rows.sort_unstable_by_key(|(id, ..)| *id);
        let clients = rows
            .into_iter()
            .map(|(id, external_id, created_at)| {
                (ResolvedClient { id: id.into(), created_at: created_at.0 }, external_id)
            })
            .collect();
        Ok(ClientChunk { clients, picked: false })
    }

    /// Finds clients by `external_id`, creating those that are new; answers in the order of `seen`.
    ///
    /// # Errors
    /// [`crate::StoreError::IdBlocked`] when one of them was deleted and is kept out; see
    /// [`Tx::admit_clients`].
    pub async fn resolve_clients(
        &mut self,
        seen: &[ClientSighting<'_>],
        now: Timestamp,
    ) -> Result<Vec<ResolvedClient>> {
        let admitted = self.admit_clients(seen, now).await?;
        admitted.into_iter().map(|client| client.ok_or(crate::StoreError::IdBlocked)).collect()
    }

    /// Finds clients by `external_id`, creating those that are new; answers in the order of `seen`, with
    /// `None` for those that were deleted and are kept out.
    ///
    /// `created_at` of an existing client is left alone here: only an event that is really stored
    /// may move it, see [`Tx::store_events`]. None of them is deleted before this transaction ends.
    pub async fn admit_clients(
        &mut self,
        seen: &[ClientSighting<'_>],
        now: Timestamp,
    ) -> Result<Vec<Option<ResolvedClient>>> {
        self.admit(seen, false, now).await
    }

    /// The same where not only a write key names them: they are known from here on, and a name that a write
    /// key gave to another client is theirs again.
    pub async fn admit_known_clients(
        &mut self,
        seen: &[ClientSighting<'_>],
        now: Timestamp,
    ) -> Result<Vec<Option<ResolvedClient>>> {
        self.admit(seen, true, now).await
    }

    async fn admit(
        &mut self,
        seen: &[ClientSighting<'_>],
        known_now: bool,
        now: Timestamp,
    ) -> Result<Vec<Option<ResolvedClient>>> {
        if seen.is_empty() {
            return Ok(Vec::new());
        }
        self.lock_organization(Lock::CacheClients).await?;
        let organization = self.scope.organization_uuid();
        let (_, deletions) = self.get_organization_and_deletions().await?;
        let known: Vec<Option<(ResolvedClient, bool)>> = seen
            .iter()
            .map(|client| self.known.get(organization.into(), client.external_id, deletions))
            .collect();
        let unknown: Vec<&ClientSighting<'_>> = seen
            .iter()
            .zip(&known)
            .filter(|(_, known)| known.is_none())
            .map(|(seen, _)| seen)
            .collect();
        let found = self.find_or_create(&unknown, known_now, now).await?;
        let Found { clients: resolved, of_visitors, kept_out } = found;
        if known_now {
            let in_mind = seen.iter().zip(&known).filter_map(|(seen, known)| {
                let (client, marked) = (*known)?;
                (!marked).then_some((seen.external_id, client))
            });
            let in_mind: Vec<(&str, ResolvedClient)> = in_mind.collect();
            let unmarked = resolved.values().filter(|(_, marked)| !marked);
            let unmarked = unmarked.map(|(client, _)| client.id);
            let ids: Vec<ClientId> =
                unmarked.chain(in_mind.iter().map(|(_, client)| client.id)).collect();
            self.mark_known(&ids).await?;
            for (name, client) in in_mind {
                self.learned.client(organization.into(), name, (client, true), deletions);
            }
        }
        for (name, (client, marked)) in &resolved {
            // Not a name that ends when another sender says it.
            if !of_visitors.contains(name) {
                let found = (*client, *marked || known_now);
                self.learned.client(organization.into(), name, found, deletions);
            }
        }
        seen.iter()
            .zip(known)
            .map(|(seen, known)| {
                let client = known.or_else(|| resolved.get(seen.external_id).copied());
                let client = client.map(|(client, _)| client);
                if client.is_none() && !kept_out.contains(seen.external_id) {
                    // Whoever was created by somebody else and deleted again within this
                    // transaction's sight has lost a race.
                    return Err(crate::StoreError::Conflict);
                }
                Ok(client)
            })
            .collect()
    }

    /// Remembers that something other than a write key has said something about clients.
    pub async fn mark_known(&mut self, clients: &[ClientId]) -> Result<()> {
        // In one order for everybody, so that nobody waits in a circle.
        for client in clients.iter().copied().collect::<BTreeSet<_>>() {
            execute!(
                self,
                "UPDATE clients SET known = TRUE WHERE organization_id = $1 AND id = $2 AND NOT known",
                self.scope.organization_uuid(),
                client.uuid()
            )?;
        }
        Ok(())
    }

    /// Whether something other than a write key has said something about a client.
    pub async fn is_known(&mut self, client: ClientId) -> Result<bool> {
        let row = fetch_optional!(
            self,
            (bool,),
            "SELECT known FROM clients WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            client.uuid()
        )?;
        Ok(row.is_some_and(|(known,)| known))
    }

    /// Finds or creates clients. Names that a write key gave are freed where `known_now`.
    async fn find_or_create(
        &mut self,
        seen: &[&ClientSighting<'_>],
        known_now: bool,
        now: Timestamp,
    ) -> Result<Found> {
        let mut resolved = self.find_clients_by_external_id(seen).await?;
        let mut unknown: Vec<&str> = seen
            .iter()
            .map(|client| client.external_id)
            .filter(|name| !resolved.contains_key(*name))
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        let record_alias = self.record_alias(&unknown).await?;
        let mut of_visitors = HashSet::new();
        let mut freed: HashMap<String, ClientId> = HashMap::new();
        if !record_alias.is_empty() {
            let names: Vec<&str> = record_alias.keys().map(String::as_str).collect();
            of_visitors = self.visitor_names(&names).await?;
        }
        if known_now {
            for name in std::mem::take(&mut of_visitors).into_iter().collect::<BTreeSet<_>>() {
                // Another transaction may have freed it in between; then the client is there.
                let id = self.free_name(&name).await?;
                freed.insert(name, id.unwrap_or_else(|| new_id(now)));
            }
        }
        let record_alias = record_alias.into_iter().filter(|(name, _)| !freed.contains_key(name));
        // Whether a client is marked is not asked for another name of it: that costs a statement each time.
        resolved.extend(record_alias.map(|(name, client)| (name, (client, false))));
        // Since when each has existed, and how often it is named.
        let mut missing: BTreeMap<&str, (Timestamp, i64)> = BTreeMap::new();
        for client in seen {
            if !resolved.contains_key(client.external_id) {
                missing
                    .entry(client.external_id)
                    .and_modify(|(first, times)| {
                        *first = (*first).min(client.first_at);
                        *times += 1;
                    })
                    .or_insert((client.first_at, 1));
            }
        }
        if missing.is_empty() {
            return Ok(Found { clients: resolved, of_visitors, kept_out: HashSet::new() });
        }
        let named: Vec<(&str, i64)> =
            missing.iter().map(|(name, (_, times))| (*name, *times)).collect();
        let kept_out = self.list_blocked_ids(&named, now).await?;
        // Ids are handed out in this order; and two transactions that create the same clients
        // must take their locks in the same one.
        let missing: Vec<(&str, Timestamp)> = missing
            .into_iter()
            .filter(|(name, _)| !kept_out.contains(*name))
            .map(|(name, (first, _))| (name, first))
            .collect();
        let organization = self.scope.organization_uuid();
        let created: Vec<ResolvedRow> = fetch_for_rows!(
            self,
            ResolvedRow,
            "INSERT INTO clients (organization_id, id, external_id, traits, known, created_at)",
            &missing,
            "ON CONFLICT (organization_id, external_id) DO NOTHING \
             RETURNING id, external_id, created_at",
            |row| [
                organization,
                freed.get(row.0).map_or_else(|| new_id::<Uuid>(now), |id| id.uuid()),
                row.0,
                Json(Map::<String, Value>::new()),
                known_now,
                Instant(row.1)
            ]
        );
        let ids = || created.iter().map(|(id, ..)| ClientId::from(*id));
        if let Some((low, high)) = ids().min().zip(ids().max()) {
            self.mark_changed(ClientRange { low, high });
        }
        resolved.extend(created.into_iter().map(|row| {
            let (name, client) = named_client(row);
            (name, (client, known_now))
        }));
        if missing.iter().any(|(name, _)| !resolved.contains_key(*name)) {
            // Another transaction created them in between; now they can be seen.
            resolved.extend(self.find_clients_by_external_id(seen).await?);
        }
        Ok(Found { clients: resolved, of_visitors, kept_out })
    }

    /// Finds clients by `external_id` or another name, creating none, as [`Tx::admit_known_clients`] would. The second of what it returns are
    /// those ids that nobody has and that are kept out. Writes and locks nothing.
    pub async fn find_clients(
        &mut self,
        external_ids: &[&str],
        now: Timestamp,
    ) -> Result<(HashMap<String, ResolvedClient>, HashSet<String>)> {
        let seen: Vec<ClientSighting<'_>> = external_ids
            .iter()
            .map(|id| ClientSighting { external_id: id, first_at: now })
            .collect();
        let named = self.find_clients_by_external_id(&seen.iter().collect::<Vec<_>>()).await?;
        let named = named.into_iter().map(|(name, (client, _))| (name, client));
        let mut found: HashMap<String, ResolvedClient> = named.collect();
        let mut unknown: Vec<&str> =
            external_ids.iter().copied().filter(|id| !found.contains_key(*id)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        let of_visitors = self.visitor_names(&unknown).await?;
        let record_alias = self.record_alias(&unknown).await?.into_iter();
        found.extend(record_alias.filter(|(name, _)| !of_visitors.contains(name)));
        unknown.retain(|id| !found.contains_key(*id));
        let kept_out = self.find_blocked_ids(&unknown, now).await?;
        Ok((found, kept_out))
    }

    async fn find_clients_by_external_id(
        &mut self,
        seen: &[&ClientSighting<'_>],
    ) -> Result<HashMap<String, (ResolvedClient, bool)>> {
        if seen.is_empty() {
            return Ok(HashMap::new());
        }
        let mut names: Vec<&str> = seen.iter().map(|client| client.external_id).collect();
        names.sort_unstable();
        names.dedup();
        let organization = self.scope.organization_uuid();
        // One bound value for all names: binding each costs more than finding it. And on SQLite, one
        // row for all that is found: each row wakes a thread.
        match &mut self.connection {
            Connection::Sqlite(connection) => {
                let (Json(found),): (Json<Vec<(String, String, i64, i64)>>,) = sqlx::query_as(
                    "SELECT json_group_array(json_array(c.external_id, hex(c.id), c.created_at, c.known)) \
                     FROM json_each($2) AS name \
                     CROSS JOIN clients c ON c.organization_id = $1 AND c.external_id = name.value",
                )
                .bind(organization)
                .bind(Json(&names))
                .fetch_one(&mut **connection)
                .await?;
                found
                    .into_iter()
                    .map(|(external_id, id, created_at, known)| {
                        let decode = |error: Box<dyn std::error::Error + Send + Sync>| {
                            sqlx::Error::Decode(error)
                        };
                        let id = Uuid::parse_str(&id).map_err(|error| decode(error.into()))?;
                        let created_at = Timestamp::from_microsecond(created_at)
                            .map_err(|error| decode(error.into()))?;
                        let client = ResolvedClient { id: id.into(), created_at };
                        Ok((external_id, (client, known != 0)))
                    })
                    .collect()
            }
            Connection::Postgres(connection) => {
                let rows: Vec<(Uuid, String, Instant, bool)> = sqlx::query_as(
                    "SELECT id, external_id, created_at, known FROM clients \
                     WHERE organization_id = $1 AND external_id = ANY($2)",
                )
                .bind(organization)
                .bind(&names)
                .fetch_all(&mut **connection)
                .await?;
                Ok(rows
                    .into_iter()
                    .map(|(id, external_id, created_at, known)| {
                        let (name, client) = named_client((id, external_id, created_at));
                        (name, (client, known))
                    })
                    .collect())
            }
        }
    }

    /// Changes a client's profile; the given traits are added to those it has. It counts whatever was
    /// told until now. Returns why it is refused, if it is.
    pub async fn update_client(
        &mut self,
        client: ClientId,
        patch: &ClientPatch,
        now: Timestamp,
    ) -> Result<Option<EventError>> {
        self.mark_changed(ClientRange::of(client));
        let (mut profile, mut times) = self.locked_profile(client).await?.into_parts();
        if let Err(refused) = profile.set(&patch.into(), now, &mut times) {
            return Ok(Some(refused));
        }
        self.save_profile(client, &profile, &times).await?;
        self.mark_known(&[client]).await?;
        Ok(None)
    }

    /// Moves clients' `created_at` back to an earlier event.
    pub(crate) async fn move_clients_back(
        &mut self,
        first: &[(ClientId, Timestamp)],
    ) -> Result<()> {
        for (client, at) in first {
            execute!(
                self,
                "UPDATE clients SET created_at = $3 \
                 WHERE organization_id = $1 AND id = $2 AND created_at > $3",
                self.scope.organization_uuid(),
                client.uuid(),
                Instant(*at)
            )?;
        }
        for (client, _) in first {
            self.mark_changed(ClientRange::of(*client));
        }
        self.learned.invalidate(first.iter().map(|(client, _)| *client));
        Ok(())
    }

    /// Creates a client with a profile.
    ///
    /// # Errors
    /// [`crate::StoreError::Taken`] when the organization has the `external_id` already, or it is
    /// another name of a client.
    pub async fn create_client(&mut self, client: &Client) -> Result<()> {
        if !self.record_alias(&[&client.external_id]).await?.is_empty() {
            return Err(crate::StoreError::Taken("client_id"));
        }
        let organization = self.scope.organization_uuid();
        let profile = &client.profile;
        execute!(
            self,
            "INSERT INTO clients (organization_id, id, external_id, name, email, plan, group_id, \
             traits, profile_times, created_at, told_at, owner_member_id, unconfirmed_email, known) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, TRUE)",
            organization,
            client.id.uuid(),
            &client.external_id,
            &profile.name,
            &profile.email,
            &profile.plan,
            &profile.group_id,
            Json(&profile.traits),
            Json(ProfileTimes::all_at(profile, client.created_at)),
            Instant(client.created_at),
            Instant(client.created_at),
            client.owner.map(MemberId::uuid),
            &profile.unconfirmed_email
        )
        .map_err(|error| error.or_taken("client_id"))?;
        self.mark_changed(ClientRange::of(client.id));
        Ok(())
    }

    /// Remembers that something about clients came late, so that their stored scores after it are
    /// computed again. Nothing to do for what is later than every stored score.
    pub(crate) async fn mark_late(
        &mut self,
        scored_until: Option<Timestamp>,
        changes: &[(ClientId, Timestamp)],
    ) -> Result<()> {
        let Some(scored_until) = scored_until else { return Ok(()) };
        let late: Vec<_> = changes.iter().filter(|(_, at)| *at < scored_until).copied().collect();
        self.mark_stale(&late).await
    }

    /// Remembers that clients' scores after an instant are to be computed again.
    pub(crate) async fn mark_stale(&mut self, changes: &[(ClientId, Timestamp)]) -> Result<()> {
        let organization = self.scope.organization_uuid();
        insert_rows!(
            self,
            "INSERT INTO stale_scores (organization_id, client_id, since)",
            changes,
            "ON CONFLICT (organization_id, client_id) DO UPDATE SET since = CASE \
             WHEN excluded.since < stale_scores.since THEN excluded.since ELSE stale_scores.since END",
            |row| [organization, row.0.uuid(), Instant(row.1)]
        );
        Ok(())
    }
}

fn named_client((id, external_id, created_at): ResolvedRow) -> (String, ResolvedClient) {
    (external_id, ResolvedClient { id: id.into(), created_at: created_at.0 })
}
