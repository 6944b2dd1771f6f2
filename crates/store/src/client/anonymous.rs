//! Ids from before a person was known. They name no client and no event: whoever sends as one of them, or
//! holds a token for it, gets nothing of the client that it was joined to.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use mainstay_core::id::ClientId;
use uuid::Uuid;

use crate::{
    Client, ClientSighting, Result, Tx,
    db::dialect::{Instant, fetch_all, fetch_for_rows, fetch_optional, insert_rows},
};

/// What became of an anonymous id that was to be joined to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinOutcome {
    /// It is joined to that client now, or was before.
    Joined,
    /// It is a client of its own, or another id of one.
    IdIsClient,
    /// It was joined to another client before.
    BelongsToOther,
    /// It, or the client, was deleted and is kept out.
    Blocked,
}

impl Tx {
    /// Joins anonymous ids to clients, each as `(anonymous id, external id of the client)`; creates the
    /// clients that are new. An id is joined once, and the id of a known client never is.
    pub async fn join_anonymous_ids(
        &mut self,
        pairs: &[(&str, &str)],
        now: Timestamp,
    ) -> Result<Vec<JoinOutcome>> {
        let organization = self.scope.organization_uuid();
        let mut ids: Vec<&str> = pairs.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        let named: Vec<(String,)> = fetch_for_rows!(
            self,
            (String,),
            "WITH wanted (organization_id, external_id) AS (",
            &ids,
            ") SELECT w.external_id FROM wanted w CROSS JOIN clients c \
             WHERE c.organization_id = w.organization_id AND c.external_id = w.external_id",
            |id| [organization, *id]
        );
        let mut known: HashSet<String> = named.into_iter().map(|(id,)| id).collect();
        known.extend(self.record_alias(&ids).await?.into_keys());
        let unknown: Vec<(&str, i64)> =
            ids.iter().filter(|id| !known.contains(**id)).map(|id| (*id, 1)).collect();
        let kept_out = self.list_blocked_ids(&unknown, now).await?;
        let wanted: Vec<(&str, &str)> = pairs
            .iter()
            .filter(|(id, _)| !known.contains(*id) && !kept_out.contains(*id))
            .copied()
            .collect();
        let seen: Vec<ClientSighting<'_>> = wanted
            .iter()
            .map(|(_, client)| ClientSighting { external_id: client, first_at: now })
            .collect();
        let clients = self.admit_clients(&seen, now).await?;
        // An `identify` joins too.
        let elsewhere = self.clients_joined_by(&ids).await?;
        let mut first: HashSet<&str> = HashSet::new();
        let mut rows: Vec<(&str, Uuid)> = wanted
            .iter()
            .zip(&clients)
            .filter_map(|((id, _), client)| Some((*id, client.as_ref()?.id)))
            .filter(|(id, client)| {
                elsewhere.iter().all(|(person, of)| person != id || of == client)
            })
            .filter(|(id, _)| first.insert(id))
            .map(|(id, client)| (id, client.uuid()))
            .collect();
        rows.sort_unstable();
        insert_rows!(
            self,
            "INSERT INTO anonymous_ids (organization_id, anonymous_id, client_id, joined_at)",
            &rows,
            "ON CONFLICT (organization_id, anonymous_id) DO NOTHING",
            |row| [organization, row.0, row.1, Instant(now)]
        );
        let joined: Vec<(String, Uuid)> = fetch_for_rows!(
            self,
            (String, Uuid),
            "WITH wanted (organization_id, anonymous_id) AS (",
            &ids,
            ") SELECT a.anonymous_id, a.client_id FROM wanted w CROSS JOIN anonymous_ids a \
             WHERE a.organization_id = w.organization_id AND a.anonymous_id = w.anonymous_id",
            |id| [organization, *id]
        );
        let joined: HashMap<String, Uuid> = joined.into_iter().collect();
        let mut clients = clients.into_iter();
        Ok(pairs
            .iter()
            .map(|(id, _)| {
                if known.contains(*id) {
                    return JoinOutcome::IdIsClient;
                }
                if kept_out.contains(*id) {
                    return JoinOutcome::Blocked;
                }
                match clients.next().flatten() {
                    None => JoinOutcome::Blocked,
                    Some(client) if joined.get(*id) == Some(&client.id.uuid()) => {
                        JoinOutcome::Joined
                    }
                    Some(_) => JoinOutcome::BelongsToOther,
                }
            })
            .collect())
    }

    /// The client that an anonymous id was joined to, or that a write key gave the name.
    pub async fn find_client_by_anonymous_id(
        &mut self,
        anonymous_id: &str,
    ) -> Result<Option<Client>> {
        let row = fetch_optional!(
            self,
            (String,),
            "SELECT c.external_id FROM (SELECT organization_id, client_id FROM client_aliases \
             WHERE organization_id = $1 AND external_id = $2 AND of_visitor UNION ALL \
             SELECT organization_id, client_id FROM anonymous_ids \
             WHERE organization_id = $1 AND anonymous_id = $2) a JOIN clients c \
             ON c.organization_id = a.organization_id AND c.id = a.client_id LIMIT 1",
            self.scope.organization_uuid(),
            anonymous_id
        )?;
        match row {
            Some((external_id,)) => self.find_client(&external_id).await,
            None => Ok(None),
        }
    }

    /// Ids that are another name of a client, the latest first.
    pub async fn list_other_ids(&mut self, client: ClientId, limit: i64) -> Result<Vec<String>> {
        let rows = fetch_all!(
            self,
            (String,),
            "SELECT external_id FROM client_aliases WHERE organization_id = $1 AND client_id = $2 \
             ORDER BY created_at DESC, external_id LIMIT $3",
            self.scope.organization_uuid(),
            client.uuid(),
            limit
        )?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// A client's anonymous ids, the last joined first.
    pub async fn list_anonymous_ids(
        &mut self,
        client: ClientId,
        limit: i64,
    ) -> Result<Vec<String>> {
        let rows = fetch_all!(
            self,
            (String,),
            "SELECT anonymous_id FROM anonymous_ids WHERE organization_id = $1 AND client_id = $2 \
             ORDER BY joined_at DESC, anonymous_id LIMIT $3",
            self.scope.organization_uuid(),
            client.uuid(),
            limit
        )?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }
}
