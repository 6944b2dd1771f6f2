//! Mails to members: who wants them, and an outbox like that of the mails to clients.

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    email::{EmailContent, EmailState},
    id::{MemberId, StaffEmailId},
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Result, SendEnd, Tx,
    db::{
        dialect::{Day, Instant, execute, fetch_all, fetch_one, fetch_optional, insert_rows},
        name,
    },
};

/// A mail to be sent to a member.
#[derive(Clone, Debug)]
pub struct NewStaffEmail {
    /// Its id.
    pub id: StaffEmailId,
    /// Recipient.
    pub member: MemberId,
    /// The local day that it speaks of; a member gets one a day.
    pub day: Date,
    /// Until when it tells what happened.
    pub told_until: Timestamp,
    /// Its subject.
    pub subject: String,
    /// Text.
    pub content: EmailContent,
    /// Not before this time.
    pub due_at: Timestamp,
}

/// A mail to a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaffEmail {
    /// Its id.
    pub id: StaffEmailId,
    /// Recipient.
    pub member: MemberId,
    /// Where to: the member's address as it is now.
    pub address: String,
    /// Whether the member still wants it.
    pub wanted: bool,
    /// The local day that it speaks of.
    pub day: Date,
    /// Its subject.
    pub subject: String,
    /// Text.
    pub content: EmailContent,
    /// State.
    pub state: EmailState,
    /// Why it is not sent.
    pub reason: Option<String>,
    /// Number of attempts.
    pub attempts: i64,
}

#[derive(sqlx_macros::FromRow)]
struct Row {
    id: Uuid,
    member_id: Uuid,
    email: String,
    daily_digest: bool,
    day: Day,
    subject: String,
    content: Json<EmailContent>,
    state: String,
    reason: Option<String>,
    attempts: i64,
}

impl Tx {
    /// The members who want a mail a day.
    pub async fn list_digest_members(&mut self) -> Result<Vec<MemberId>> {
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT id FROM members WHERE organization_id = $1 AND daily_digest ORDER BY id",
            self.scope.organization_uuid()
        )?;
        Ok(rows.into_iter().map(|(id,)| id.into()).collect())
    }

    /// Keeps whether a member wants a mail a day; false when there is no such member.
    pub async fn set_daily_digest(&mut self, member: MemberId, wanted: bool) -> Result<bool> {
        let updated = execute!(
            self,
            "UPDATE members SET daily_digest = $3 WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            member.uuid(),
            wanted
        )?;
        Ok(updated == 1)
    }

    /// Keeps mails to members; of those who have one of the day already, nothing. Answers how many
    /// were new.
    pub async fn enqueue_staff_emails(
        &mut self,
        emails: &[NewStaffEmail],
        now: Timestamp,
    ) -> Result<u64> {
        let organization = self.scope.organization_uuid();
        let queued = insert_rows!(
            self,
            "INSERT INTO staff_emails (organization_id, id, member_id, day, told_until, subject, content, \
             state, attempts, due_at, created_at)",
            emails,
            "ON CONFLICT (organization_id, member_id, day) DO NOTHING",
            |row| [
                organization,
                row.id.uuid(),
                row.member.uuid(),
                Day(row.day),
                Instant(row.told_until),
                &row.subject,
                Json(&row.content),
                EmailState::Queued.as_str(),
                0_i64,
                Instant(row.due_at),
                Instant(now)
            ]
        );
        Ok(queued)
    }

    /// Until when the latest mail to a member tells what happened.
    pub async fn find_staff_notified_until(&mut self) -> Result<Option<Timestamp>> {
        let (until,) = fetch_one!(
            self,
            (Option<Instant>,),
            "SELECT MAX(told_until) FROM staff_emails WHERE organization_id = $1",
            self.scope.organization_uuid()
        )?;
        Ok(until.map(|at| at.0))
    }

    /// The mails to members whose time has come, the longest waiting first.
    pub async fn list_due_staff_emails(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<StaffEmailId>> {
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT id FROM staff_emails WHERE organization_id = $1 \
             AND state IN ('queued', 'sending') AND due_at <= $2 AND state = 'queued' \
             ORDER BY due_at, id LIMIT $3",
            self.scope.organization_uuid(),
            Instant(now),
            limit
        )?;
        Ok(rows.into_iter().map(|(id,)| id.into()).collect())
    }

    /// One mail to a member.
    pub async fn find_staff_email(&mut self, id: StaffEmailId) -> Result<Option<StaffEmail>> {
        let row = fetch_optional!(
            self,
            Row,
            "SELECT e.id, e.member_id, m.email, m.daily_digest, e.day, e.subject, e.content, e.state, \
             e.reason, e.attempts FROM staff_emails e \
             JOIN members m ON m.organization_id = e.organization_id AND m.id = e.member_id \
             WHERE e.organization_id = $1 AND e.id = $2",
            self.scope.organization_uuid(),
            id.uuid()
        )?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(StaffEmail {
            id: row.id.into(),
            member: row.member_id.into(),
            address: row.email,
            wanted: row.daily_digest,
            day: row.day.0,
            subject: row.subject,
            content: row.content.0,
            state: name::STAFF_EMAIL_STATE.read(&row.state)?,
            reason: row.reason,
            attempts: row.attempts,
        }))
    }

    /// Takes a mail to a member to send it; false when somebody else has. Once this is committed, it is
    /// not sent by anybody else, whatever happens.
    pub async fn claim_staff_email(&mut self, id: StaffEmailId, now: Timestamp) -> Result<bool> {
        let claimed = execute!(
            self,
            "UPDATE staff_emails SET state = 'sending', sending_since = $3 \
             WHERE organization_id = $1 AND id = $2 AND state = 'queued'",
            self.scope.organization_uuid(),
            id.uuid(),
            Instant(now)
        )?;
        Ok(claimed == 1)
    }

    /// Records how sending a mail to a member ended.
    pub async fn complete_staff_email(
        &mut self,
        id: StaffEmailId,
        end: &SendEnd,
        now: Timestamp,
    ) -> Result<()> {
        execute!(
            self,
            "UPDATE staff_emails SET state = $3, reason = $4, due_at = COALESCE($5, due_at), \
             sent_at = $6, attempts = attempts + $7, sending_since = NULL \
             WHERE organization_id = $1 AND id = $2 AND state = 'sending'",
            self.scope.organization_uuid(),
            id.uuid(),
            end.state.as_str(),
            &end.reason,
            end.due_at.map(Instant),
            (end.state == EmailState::Sent).then_some(Instant(now)),
            i64::from(end.tried)
        )?;
        Ok(())
    }

    /// Gives up on mails to members whose sender has been gone since before an instant: they may have
    /// been sent. Answers how many.
    pub async fn expire_stuck_staff_emails(
        &mut self,
        before: Timestamp,
        reason: &str,
    ) -> Result<u64> {
        execute!(
            self,
            "UPDATE staff_emails SET state = 'unknown', reason = $3, sending_since = NULL \
             WHERE organization_id = $1 AND state IN ('queued', 'sending') AND state = 'sending' \
             AND sending_since < $2",
            self.scope.organization_uuid(),
            Instant(before),
            reason
        )
    }

    /// Forgets mails to members that were written before an instant; answers how many.
    pub async fn delete_staff_emails(&mut self, before: Timestamp) -> Result<u64> {
        execute!(
            self,
            "DELETE FROM staff_emails WHERE organization_id = $1 AND created_at < $2",
            self.scope.organization_uuid(),
            Instant(before)
        )
    }
}
