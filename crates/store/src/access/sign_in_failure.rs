use jiff::Timestamp;
use mainstay_core::id::MemberId;

use crate::{
    Result, Tx,
    db::dialect::{Instant, execute, fetch_one},
};

/// Wrong passwords that were tried for a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignInFailures {
    /// Count.
    pub count: i64,
    /// Time of the first one.
    pub since: Timestamp,
    /// Time of the last one.
    pub last_at: Timestamp,
}

impl SignInFailures {
    pub(crate) fn of(
        count: Option<i64>,
        since: Option<Instant>,
        last_at: Option<Instant>,
    ) -> Option<Self> {
        Some(Self { count: count?, since: since?.0, last_at: last_at?.0 })
    }
}

/// Wrong passwords that were tried for a member, with where they came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedFailures {
    /// How many, and when.
    pub failures: SignInFailures,
    /// The latest places, the last one first.
    pub places: Vec<String>,
}

/// Places that are remembered for a member.
const MAX_PLACES: usize = 5;

impl Tx {
    /// Counts a wrong password of a member from a place, whose name has no space; returns what was tried
    /// until the member confirms that it knows of it.
    pub async fn record_sign_in_failure(
        &mut self,
        member: MemberId,
        place: &str,
        now: Timestamp,
    ) -> Result<RecordedFailures> {
        let (count, since, last_at, before) = fetch_one!(
            self,
            (i64, Instant, Instant, String),
            "INSERT INTO sign_in_failures \
             (organization_id, member_id, failures, since, last_at, places) \
             VALUES ($1, $2, 1, $3, $3, '') ON CONFLICT (organization_id, member_id) DO UPDATE SET \
             failures = sign_in_failures.failures + 1, last_at = excluded.last_at \
             RETURNING failures, since, last_at, places",
            self.scope.organization_uuid(),
            member.uuid(),
            Instant(now)
        )?;
        let others = before.split_whitespace().filter(|other| *other != place);
        let places: Vec<String> =
            std::iter::once(place).chain(others).take(MAX_PLACES).map(str::to_owned).collect();
        let stored = places.join(" ");
        if stored != before {
            execute!(
                self,
                "UPDATE sign_in_failures SET places = $3 \
                 WHERE organization_id = $1 AND member_id = $2",
                self.scope.organization_uuid(),
                member.uuid(),
                stored
            )?;
        }
        let failures = SignInFailures { count, since: since.0, last_at: last_at.0 };
        Ok(RecordedFailures { failures, places })
    }

    /// Forgets the wrong passwords of a member: it knows of them.
    pub async fn delete_sign_in_failures(&mut self, member: MemberId) -> Result<()> {
        execute!(
            self,
            "DELETE FROM sign_in_failures WHERE organization_id = $1 AND member_id = $2",
            self.scope.organization_uuid(),
            member.uuid()
        )?;
        Ok(())
    }
}
