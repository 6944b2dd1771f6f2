use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    Result, Tx,
    db::{
        dialect::{Instant, execute, fetch_all, insert_rows},
        id::new_id,
    },
};

/// Refused events that are kept of an organization.
const MAX_REFUSALS: i64 = 500;

/// An event that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRefusal {
    /// Time.
    pub at: Timestamp,
    /// The field at fault.
    pub field: String,
    /// The problem, its limit and the remedy.
    pub reason: String,
    /// The beginning of what was sent.
    pub body: String,
    /// How many more were refused in the same second and are not kept.
    pub more: i64,
}

/// An event that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedEvent {
    /// ID. Later rows have greater ids.
    pub id: Uuid,
    /// A refused event and the reason.
    pub refusal: NewRefusal,
}

impl Tx {
    /// Keeps refused events, and forgets all but the latest few hundred.
    pub async fn record_refusals(&mut self, refused: &[NewRefusal]) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let rows: Vec<(Uuid, &NewRefusal)> =
            refused.iter().map(|refusal| (new_id(refusal.at), refusal)).collect();
        insert_rows!(
            self,
            "INSERT INTO refused_events (organization_id, id, at, field, reason, body, more)",
            &rows,
            "",
            |row| [
                organization,
                row.0,
                Instant(row.1.at),
                &row.1.field,
                &row.1.reason,
                &row.1.body,
                row.1.more
            ]
        );
        execute!(
            self,
            "DELETE FROM refused_events WHERE organization_id = $1 AND id <= (SELECT id \
             FROM refused_events WHERE organization_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)",
            organization,
            MAX_REFUSALS
        )?;
        Ok(())
    }

    /// The latest refused events, the newest first; only those after one when it is given.
    pub async fn list_refused_events(
        &mut self,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<RefusedEvent>> {
        let rows = fetch_all!(
            self,
            (Uuid, Instant, String, String, String, i64),
            "SELECT id, at, field, reason, body, more FROM refused_events \
             WHERE organization_id = $1 AND id > $2 ORDER BY id DESC LIMIT $3",
            self.scope.organization_uuid(),
            after.unwrap_or(Uuid::nil()),
            limit
        )?;
        Ok(rows
            .into_iter()
            .map(|(id, at, field, reason, body, more)| RefusedEvent {
                id,
                refusal: NewRefusal { at: at.0, field, reason, body, more },
            })
            .collect())
    }
}
