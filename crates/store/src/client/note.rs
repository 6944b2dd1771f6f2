//! What staff keep of a client for themselves: notes, and who looks after it.

use std::collections::HashMap;

use jiff::Timestamp;
use mainstay_core::id::{ClientId, MemberId, NoteId};
use uuid::Uuid;

use crate::{
    ClientRange, Result, Tx,
    db::dialect::{Instant, execute, fetch_all, fetch_for_rows},
};

/// Something that a member wrote down about a client. No client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientNote {
    /// Its id.
    pub id: NoteId,
    /// Author, who may have left the organization.
    pub member: MemberId,
    /// Text.
    pub text: String,
    /// Time.
    pub created_at: Timestamp,
}

impl Tx {
    /// Keeps a note on a client.
    pub async fn create_note(&mut self, client: ClientId, note: &ClientNote) -> Result<()> {
        execute!(
            self,
            "INSERT INTO client_notes \
             (organization_id, client_id, id, member_id, text, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            self.scope.organization_uuid(),
            client.uuid(),
            note.id.uuid(),
            note.member.uuid(),
            &note.text,
            Instant(note.created_at)
        )?;
        self.mark_known(&[client]).await
    }

    /// A client's latest notes, newest first.
    pub async fn list_notes(&mut self, client: ClientId, limit: i64) -> Result<Vec<ClientNote>> {
        let rows = fetch_all!(
            self,
            (Uuid, Uuid, String, Instant),
            "SELECT id, member_id, text, created_at FROM client_notes \
             WHERE organization_id = $1 AND client_id = $2 ORDER BY id DESC LIMIT $3",
            self.scope.organization_uuid(),
            client.uuid(),
            limit
        )?;
        Ok(rows
            .into_iter()
            .map(|(id, member, text, created_at)| ClientNote {
                id: id.into(),
                member: member.into(),
                text,
                created_at: created_at.0,
            })
            .collect())
    }

    /// Deletes a member's own note; false when it has no such note on the client.
    pub async fn delete_note(
        &mut self,
        client: ClientId,
        note: NoteId,
        member: MemberId,
    ) -> Result<bool> {
        let deleted = execute!(
            self,
            "DELETE FROM client_notes \
             WHERE organization_id = $1 AND client_id = $2 AND id = $3 AND member_id = $4",
            self.scope.organization_uuid(),
            client.uuid(),
            note.uuid(),
            member.uuid()
        )?;
        Ok(deleted > 0)
    }

    /// Says who looks after a client: a member of its organization, or nobody.
    pub async fn set_client_owner(
        &mut self,
        client: ClientId,
        owner: Option<MemberId>,
    ) -> Result<()> {
        execute!(
            self,
            "UPDATE clients SET owner_member_id = $3 WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            client.uuid(),
            owner.map(MemberId::uuid)
        )?;
        self.mark_changed(ClientRange::of(client));
        self.mark_known(&[client]).await
    }

    /// Who looks after these clients; one that nobody looks after is left out.
    pub async fn list_owners_of(
        &mut self,
        clients: &[ClientId],
    ) -> Result<HashMap<ClientId, MemberId>> {
        let organization = self.scope.organization_uuid();
        let rows: Vec<(Uuid, Uuid)> = fetch_for_rows!(
            self,
            (Uuid, Uuid),
            "WITH wanted (organization_id, client_id) AS (",
            clients,
            ") SELECT c.id, c.owner_member_id FROM wanted w CROSS JOIN clients c \
             WHERE c.organization_id = w.organization_id AND c.id = w.client_id \
             AND c.owner_member_id IS NOT NULL",
            |client| [organization, client.uuid()]
        );
        Ok(rows.into_iter().map(|(client, owner)| (client.into(), owner.into())).collect())
    }

    /// Takes a member's clients and open tasks from it, before it is removed.
    pub(crate) async fn release_clients(&mut self, member: MemberId) -> Result<()> {
        self.mark_owned_changed(member).await?;
        execute!(
            self,
            "UPDATE clients SET owner_member_id = NULL \
             WHERE organization_id = $1 AND owner_member_id = $2",
            self.scope.organization_uuid(),
            member.uuid()
        )?;
        execute!(
            self,
            "UPDATE staff_tasks SET owner_member_id = NULL \
             WHERE organization_id = $1 AND owner_member_id = $2 AND state = 'open'",
            self.scope.organization_uuid(),
            member.uuid()
        )?;
        Ok(())
    }
}
