//! Internal data about a client: notes and its owner.

use mainstay_core::{
    engagement::check_text,
    id::{ClientId, MemberId, NoteId},
};
use mainstay_store::{ClientEmail, ClientNote, Scope, new_id};

use crate::{Error, Mainstay, Result};

const MAX_NOTE_CHARS: usize = 4_000;

impl Mainstay {
    /// A client's latest notes, newest first.
    pub async fn notes(
        &self,
        scope: Scope,
        client: ClientId,
        limit: i64,
    ) -> Result<Vec<ClientNote>> {
        Ok(self.store().read(scope).await?.list_notes(client, limit).await?)
    }

    /// Adds a member's note to a client.
    ///
    /// # Errors
    /// If the text is invalid.
    pub async fn add_note(
        &self,
        scope: Scope,
        client: ClientId,
        member: MemberId,
        text: &str,
    ) -> Result<ClientNote> {
        if text.trim().is_empty() {
            return Err(Error::invalid(
                "text",
                format!("is empty; write 1 to {MAX_NOTE_CHARS} characters"),
            ));
        }
        check_text("text", text, MAX_NOTE_CHARS)?;
        let now = self.now();
        let note =
            ClientNote { id: new_id(now), member, text: text.trim().to_owned(), created_at: now };
        let mut tx = self.store().begin(scope).await?;
        tx.create_note(client, &note).await?;
        tx.commit().await?;
        Ok(note)
    }

    /// Deletes a note of the member's own.
    ///
    /// # Errors
    /// [`Error::NotFound`], even if it belongs to another member.
    pub async fn delete_note(
        &self,
        scope: Scope,
        client: ClientId,
        note: NoteId,
        member: MemberId,
    ) -> Result<()> {
        let mut tx = self.store().begin(scope).await?;
        if !tx.delete_note(client, note, member).await? {
            return Err(Error::NotFound {
                what: "note of yours",
                id: note.to_string(),
                remedy: "the client's page lists its notes; everybody deletes their own",
            });
        }
        tx.commit().await?;
        Ok(())
    }

    /// Sets or clears a client's owner.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such member.
    pub async fn set_client_owner(
        &self,
        scope: Scope,
        client: ClientId,
        owner: Option<MemberId>,
    ) -> Result<()> {
        let mut tx = self.store().begin(scope).await?;
        if let Some(owner) = owner
            && !tx.list_members().await?.iter().any(|member| member.id == owner)
        {
            return Err(Error::NotFound {
                what: "member",
                id: owner.to_string(),
                remedy: "choose one of the organization's members",
            });
        }
        tx.set_client_owner(client, owner).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The latest emails to a client, newest first.
    pub async fn client_emails(
        &self,
        scope: Scope,
        client: ClientId,
        limit: i64,
    ) -> Result<Vec<ClientEmail>> {
        Ok(self.store().read(scope).await?.list_client_emails(client, limit).await?)
    }
}
