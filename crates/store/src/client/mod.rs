pub(super) mod anonymous;
pub(super) mod delete;
pub(super) mod erasure;
pub(super) mod membership;
pub(super) mod merge;
pub(super) mod note;
pub(super) mod onboarding;
pub(super) mod profile;

use std::collections::{BTreeMap, HashMap, HashSet};

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

impl Tx {
    /// The client with an `external_id`, or that it is another name of, however the id is spelled.
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
                 FROM client_aliases WHERE organization_id = $1 AND external_id = $2))"
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
        if seen.is_empty() {
            return Ok(Vec::new());
        }
        self.lock_organization(Lock::CacheClients).await?;
        let organization = self.scope.organization_uuid();
        let (_, deletions) = self.get_organization_and_deletions().await?;
        let known: Vec<Option<ResolvedClient>> = seen
            .iter()
            .map(|client| self.known.get(organization.into(), client.external_id, deletions))
            .collect();
        let unknown: Vec<&ClientSighting<'_>> = seen
            .iter()
            .zip(&known)
            .filter(|(_, known)| known.is_none())
            .map(|(seen, _)| seen)
            .collect();
        let (resolved, kept_out) = self.find_or_create(&unknown, now).await?;
        for (name, client) in &resolved {
            self.learned.client(organization.into(), name, *client, deletions);
        }
        seen.iter()
            .zip(known)
            .map(|(seen, known)| {
                let client = known.or_else(|| resolved.get(seen.external_id).copied());
                if client.is_none() && !kept_out.contains(seen.external_id) {
                    // Whoever was created by somebody else and deleted again within this
                    // transaction's sight has lost a race.
                    return Err(crate::StoreError::Conflict);
                }
                Ok(client)
            })
            .collect()
    }

    /// Finds or creates clients; the second of what it returns are those that are kept out.
    async fn find_or_create(
        &mut self,
        seen: &[&ClientSighting<'_>],
        now: Timestamp,
    ) -> Result<(HashMap<String, ResolvedClient>, HashSet<String>)> {
        let mut resolved = self.find_clients_by_external_id(seen).await?;
        let mut unknown: Vec<&str> = seen
            .iter()
            .map(|client| client.external_id)
            .filter(|name| !resolved.contains_key(*name))
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        resolved.extend(self.record_alias(&unknown).await?);
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
            return Ok((resolved, HashSet::new()));
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
            "INSERT INTO clients (organization_id, id, external_id, traits, created_at)",
            &missing,
            "ON CONFLICT (organization_id, external_id) DO NOTHING \
             RETURNING id, external_id, created_at",
            |row| [
                organization,
                new_id::<Uuid>(now),
                row.0,
                Json(Map::<String, Value>::new()),
                Instant(row.1)
            ]
        );
        let ids = || created.iter().map(|(id, ..)| ClientId::from(*id));
        if let Some((low, high)) = ids().min().zip(ids().max()) {
            self.mark_changed(ClientRange { low, high });
        }
        resolved.extend(created.into_iter().map(named_client));
        if missing.iter().any(|(name, _)| !resolved.contains_key(*name)) {
            // Another transaction created them in between; now they can be seen.
            resolved.extend(self.find_clients_by_external_id(seen).await?);
        }
        Ok((resolved, kept_out))
    }

    /// Finds clients by `external_id` or another name, creating none. The second of what it returns are
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
        let mut found = self.find_clients_by_external_id(&seen.iter().collect::<Vec<_>>()).await?;
        let mut unknown: Vec<&str> =
            external_ids.iter().copied().filter(|id| !found.contains_key(*id)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        found.extend(self.record_alias(&unknown).await?);
        unknown.retain(|id| !found.contains_key(*id));
        let kept_out = self.find_blocked_ids(&unknown, now).await?;
        Ok((found, kept_out))
    }

    async fn find_clients_by_external_id(
        &mut self,
        seen: &[&ClientSighting<'_>],
    ) -> Result<HashMap<String, ResolvedClient>> {
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
                let (Json(found),): (Json<Vec<(String, String, i64)>>,) = sqlx::query_as(
                    "SELECT json_group_array(json_array(c.external_id, hex(c.id), c.created_at)) \
                     FROM json_each($2) AS name \
                     CROSS JOIN clients c ON c.organization_id = $1 AND c.external_id = name.value",
                )
                .bind(organization)
                .bind(Json(&names))
                .fetch_one(&mut **connection)
                .await?;
                found
                    .into_iter()
                    .map(|(external_id, id, created_at)| {
                        let decode = |error: Box<dyn std::error::Error + Send + Sync>| {
                            sqlx::Error::Decode(error)
                        };
                        let id = Uuid::parse_str(&id).map_err(|error| decode(error.into()))?;
                        let created_at = Timestamp::from_microsecond(created_at)
                            .map_err(|error| decode(error.into()))?;
                        Ok((external_id, ResolvedClient { id: id.into(), created_at }))
                    })
                    .collect()
            }
            Connection::Postgres(connection) => {
                let rows: Vec<ResolvedRow> = sqlx::query_as(
                    "SELECT id, external_id, created_at FROM clients \
                     WHERE organization_id = $1 AND external_id = ANY($2)",
                )
                .bind(organization)
                .bind(&names)
                .fetch_all(&mut **connection)
                .await?;
                Ok(rows.into_iter().map(named_client).collect())
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
             traits, profile_times, created_at, told_at, owner_member_id, unconfirmed_email) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
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
