//! The names of clients, of which a merge gives one to another client.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use mainstay_core::id::ClientId;
use uuid::Uuid;

use super::Merge;
use crate::{
    ResolvedClient, Result, Tx,
    db::{
        dialect::{Instant, execute, fetch_for_rows, fetch_optional},
        lock::Lock,
    },
};

impl Tx {
    /// Clients that these ids are another name of.
    pub(crate) async fn record_alias(
        &mut self,
        external_ids: &[&str],
    ) -> Result<HashMap<String, ResolvedClient>> {
        let organization = self.scope.organization_uuid();
        let rows: Vec<(String, Uuid, Instant)> = fetch_for_rows!(
            self,
            (String, Uuid, Instant),
            "WITH wanted (organization_id, external_id) AS (",
            external_ids,
            ") SELECT a.external_id, c.id, c.created_at FROM wanted w CROSS JOIN client_aliases a \
             CROSS JOIN clients c WHERE a.organization_id = w.organization_id \
             AND a.external_id = w.external_id AND c.organization_id = a.organization_id \
             AND c.id = a.client_id",
            |external_id| [organization, *external_id]
        );
        Ok(rows
            .into_iter()
            .map(|(external_id, id, created_at)| {
                (external_id, ResolvedClient { id: id.into(), created_at: created_at.0 })
            })
            .collect())
    }

    /// The client of this very `external_id`, by no other name.
    pub(super) async fn find_resolved_client(
        &mut self,
        external_id: &str,
    ) -> Result<Option<ResolvedClient>> {
        let row = fetch_optional!(
            self,
            (Uuid, Instant),
            "SELECT id, created_at FROM clients WHERE organization_id = $1 AND external_id = $2",
            self.scope.organization_uuid(),
            external_id
        )?;
        Ok(row.map(|(id, at)| ResolvedClient { id: id.into(), created_at: at.0 }))
    }

    /// The client that a merge is into: an earlier one may have made another client of it.
    pub(super) async fn find_surviving_client(
        &mut self,
        merge: &Merge,
    ) -> Result<Option<ResolvedClient>> {
        match self.find_resolved_client(&merge.into_id).await? {
            Some(client) => Ok(Some(client)),
            None => Ok(self.record_alias(&[&merge.into_id]).await?.remove(&merge.into_id)),
        }
    }

    pub(super) async fn assign_external_id(
        &mut self,
        name: &str,
        client: ClientId,
        of_visitor: bool,
        now: Timestamp,
    ) -> Result<()> {
        execute!(
            self,
            "INSERT INTO client_aliases (organization_id, external_id, client_id, of_visitor, \
             created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (organization_id, external_id) \
             DO UPDATE SET client_id = excluded.client_id, of_visitor = excluded.of_visitor",
            self.scope.organization_uuid(),
            name,
            client.uuid(),
            of_visitor,
            Instant(now)
        )?;
        Ok(())
    }

    /// Makes the organization's what a write key said: that a name is another one of its client.
    pub(super) async fn confirm_name(&mut self, name: &str) -> Result<()> {
        execute!(
            self,
            "UPDATE client_aliases SET of_visitor = FALSE \
             WHERE organization_id = $1 AND external_id = $2",
            self.scope.organization_uuid(),
            name
        )?;
        Ok(())
    }

    /// The names among these that a write key gave to clients.
    pub(crate) async fn visitor_names(&mut self, names: &[&str]) -> Result<HashSet<String>> {
        let organization = self.scope.organization_uuid();
        let rows: Vec<(String,)> = fetch_for_rows!(
            self,
            (String,),
            "WITH wanted (organization_id, external_id) AS (",
            names,
            ") SELECT a.external_id FROM wanted w CROSS JOIN client_aliases a \
             WHERE a.organization_id = w.organization_id AND a.external_id = w.external_id \
             AND a.of_visitor",
            |name| [organization, *name]
        );
        Ok(rows.into_iter().map(|(name,)| name).collect())
    }

    /// Ends a name that a write key gave to a client, because something else is said about the id, and has
    /// the merge undone that gave it. Returns the id that the visitor's client had.
    pub async fn free_name(&mut self, name: &str) -> Result<Option<ClientId>> {
        self.lock_organization(Lock::CacheClients).await?;
        let organization = self.scope.organization_uuid();
        let freed = execute!(
            self,
            "DELETE FROM client_aliases \
             WHERE organization_id = $1 AND external_id = $2 AND of_visitor",
            organization,
            name
        )?;
        if freed == 0 {
            return Ok(None);
        }
        let merge = fetch_optional!(
            self,
            (Uuid, Option<Uuid>),
            "SELECT id, previous_client FROM client_merges \
             WHERE organization_id = $1 AND previous_id = $2 AND of_visitor \
             AND state IN ('done', 'settled') ORDER BY number DESC LIMIT 1",
            organization,
            name
        )?;
        let Some((merge, client)) = merge else { return Ok(None) };
        self.mark_undoing(merge.into(), None).await?;
        Ok(client.map(Into::into))
    }

    pub(super) async fn release_external_id(&mut self, name: &str, client: ClientId) -> Result<()> {
        execute!(
            self,
            "DELETE FROM client_aliases \
             WHERE organization_id = $1 AND external_id = $2 AND client_id = $3",
            self.scope.organization_uuid(),
            name,
            client.uuid()
        )?;
        Ok(())
    }
}
