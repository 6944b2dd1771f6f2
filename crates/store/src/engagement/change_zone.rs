//! Moving what is rolled up to the days of another zone, a few rows at a time.
//!
//! Events are stored by the days of the new zone from the change on. A row of the daily activity keeps
//! when each of its events happened, so an event under another day than that of the new zone shows by
//! itself that it is yet to be moved: a step may be repeated, and another change may begin meanwhile.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::{
    engagement::EventType,
    id::OrganizationId,
    time::{add_days, local_day},
};
use uuid::Uuid;

use super::{
    fold::Additions,
    instants,
    roll_up::{DayKey, roll_up_events},
};
use crate::{
    Organization, Result, Tx,
    db::{
        dialect::{
            Connection, Day, Instant, delete_keys, execute, fetch_all, fetch_one, fetch_packed,
            insert_rows,
        },
        lock::Lock,
        name,
    },
};

/// Event types that a client may have on a day: so many rows, in one part, belong together.
const MAX_ROWS_OF_CLIENT: usize = EventType::ALL.len();

/// How much one step of a change of the zone does.
#[derive(Clone, Copy, Debug)]
pub struct ZoneStep {
    /// Rows that are read; a client's day is never cut.
    pub rows: usize,
    /// Events that these rows may have. A client's day that has more is a step of its own.
    pub events: i64,
}

/// Behind which row the next step begins.
#[derive(Clone, Copy)]
struct Cursor {
    day: Date,
    part: i32,
    client: Uuid,
}

impl Cursor {
    const fn before(day: Date) -> Self {
        Self { day, part: 0, client: Uuid::nil() }
    }
}

/// A row of the daily activity, but for its day.
type Row = (i32, Uuid, String, String);

/// The key of a row, and the events that it keeps: how many, when the last one happened, and when each.
type RemainingRow = (Day, i32, Uuid, String, i64, Instant, String);

impl Tx {
    /// Begins to move what is rolled up to the days of the organization's zone, in the transaction that
    /// has changed it; [`Tx::run_zone_step`] goes on. In the scope of the service, since nobody else
    /// may write what is rolled up.
    pub async fn begin_zone_change(&mut self, now: Timestamp) -> Result<()> {
        self.lock_organization(Lock::SettleEvents).await?;
        // What lies beside its place is by the old days, and would get there behind the cursor.
        self.gather_activity().await?;
        if self.find_first_active_day().await?.is_none() {
            return Ok(());
        }
        execute!(
            self,
            "UPDATE organizations SET zone_change_since = COALESCE(zone_change_since, $2), \
             zone_change_phase = 'totals', \
             zone_change_folded = COALESCE(zone_change_folded, folded_until), \
             folded_until = NULL WHERE id = $1",
            self.scope.organization_uuid(),
            Instant(now)
        )?;
        Ok(())
    }

    /// Goes on with a change of the zone; returns whether there is more to do. Nobody stores events of
    /// the organization meanwhile.
    pub async fn run_zone_step(&mut self, step: ZoneStep) -> Result<bool> {
        self.lock_organization(Lock::SettleEvents).await?;
        let organization = self.get_organization().await?;
        let Some(since) = organization.zone_change_since else { return Ok(false) };
        let (phase,) = fetch_one!(
            self,
            (Option<String>,),
            "SELECT zone_change_phase FROM organizations WHERE id = $1",
            organization.id.uuid()
        )?;
        match phase.as_deref() {
            Some("totals") => self.delete_some_totals(step).await?,
            Some("days") => self.move_some_days(&organization, step).await?,
            None | Some("folding") => {
                if !self.fold_some_days(&organization, step).await? {
                    self.end_zone_change(since).await?;
                    return Ok(false);
                }
            }
            Some(unknown) => return Err(name::ZONE_CHANGE_PHASE.corrupt(unknown)),
        }
        Ok(true)
    }

    /// The organizations whose zone is being changed; for [`crate::Scope::System`].
    pub async fn list_organizations_with_zone_changes(&mut self) -> Result<Vec<OrganizationId>> {
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT id FROM organizations WHERE zone_change_since IS NOT NULL ORDER BY id"
        )?;
        Ok(rows.into_iter().map(|(id,)| id.into()).collect())
    }

    /// Deletes some of the totals of the old days, which count for nothing while no day is folded.
    async fn delete_some_totals(&mut self, step: ZoneStep) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let limit = i64::try_from(step.rows).unwrap_or(i64::MAX);
        let deleted = execute!(
            self,
            "DELETE FROM client_activity_totals WHERE organization_id = $1 AND client_id IN \
             (SELECT client_id FROM client_activity_totals WHERE organization_id = $1 LIMIT $2)",
            organization,
            limit
        )?;
        if usize::try_from(deleted).is_ok_and(|deleted| deleted < step.rows) {
            let first = self.find_first_active_day().await?;
            self.set_zone_change("days", first.map(Cursor::before)).await?;
        }
        Ok(())
    }

    async fn set_zone_change(&mut self, phase: &str, cursor: Option<Cursor>) -> Result<()> {
        execute!(
            self,
            "UPDATE organizations SET zone_change_phase = $2, zone_change_day = $3, \
             zone_change_part = $4, zone_change_client = $5 WHERE id = $1",
            self.scope.organization_uuid(),
            phase,
            cursor.map(|cursor| Day(cursor.day)),
            cursor.map(|cursor| cursor.part),
            cursor.map(|cursor| cursor.client)
        )?;
        Ok(())
    }

    async fn move_some_days(&mut self, organization: &Organization, step: ZoneStep) -> Result<()> {
        let zone = organization.zone()?;
        let (day, part, client) = fetch_one!(
            self,
            (Option<Day>, Option<i32>, Option<Uuid>),
            "SELECT zone_change_day, zone_change_part, zone_change_client FROM organizations \
             WHERE id = $1",
            organization.id.uuid()
        )?;
        let mut cursor = day.map(|day| Cursor {
            day: day.0,
            part: part.unwrap_or_default(),
            client: client.unwrap_or_default(),
        });
        let mut left = step;
        while let Some(at) = cursor {
            if left.rows < 2 * MAX_ROWS_OF_CLIENT || left.events <= 0 {
                return self.set_zone_change("days", cursor).await;
            }
            cursor = if let Some((end, rows, events)) = self.next_rows(at, left).await? {
                self.move_rows_to_their_days(at, end, &zone).await?;
                left.rows -= rows.min(left.rows);
                left.events -= events;
                Some(end)
            } else {
                // Looking for the next day costs about as much as a row.
                left.rows -= 1;
                self.find_next_active_day(at.day).await?.map(Cursor::before)
            };
        }
        self.set_zone_change("folding", None).await
    }

    /// The last of the rows behind a cursor that a step may move, with their number and their events;
    /// `None` at the end of the day.
    async fn next_rows(
        &mut self,
        after: Cursor,
        step: ZoneStep,
    ) -> Result<Option<(Cursor, usize, i64)>> {
        let mut rows = fetch_packed!(
            self,
            (i32, Uuid, i64),
            "part, hex(client_id), event_count",
            "SELECT part, client_id, event_count FROM daily_activity \
             WHERE organization_id = $1 AND day = $2 AND (part, client_id) > ($3, $4) \
             ORDER BY part, client_id LIMIT $5",
            self.scope.organization_uuid(),
            Day(after.day),
            after.part,
            after.client,
            i64::try_from(step.rows).unwrap_or(i64::MAX)
        )?;
        rows.sort_unstable();
        let cut = rows.len() == step.rows;
        let clients: Vec<&[(i32, Uuid, i64)]> =
            rows.chunk_by(|one, next| (one.0, one.1) == (next.0, next.1)).collect();
        let whole = clients.len() - usize::from(cut);
        let (mut end, mut taken, mut events) = (None, 0, 0);
        for client in &clients[..whole] {
            let more: i64 = client.iter().map(|(.., count)| count).sum();
            if end.is_some() && events + more > step.events {
                break;
            }
            let (part, id, _) = client[0];
            end = Some(Cursor { day: after.day, part, client: id });
            taken += client.len();
            events += more;
        }
        Ok(end.map(|end| (end, taken, events)))
    }

    /// Moves the events of a stretch of a day's rows that happened on another day.
    async fn move_rows_to_their_days(
        &mut self,
        after: Cursor,
        end: Cursor,
        zone: &TimeZone,
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let day = after.day;
        let rows = fetch_packed!(
            self,
            Row,
            "part, hex(client_id), event_type, instants",
            "SELECT part, client_id, event_type, instants FROM daily_activity \
             WHERE organization_id = $1 AND day = $2 AND (part, client_id) > ($3, $4) \
             AND (part, client_id) <= ($5, $6)",
            organization,
            Day(day),
            after.part,
            after.client,
            end.part,
            end.client
        )?;
        let mut emptied: Vec<(Day, i32, Uuid, String)> = Vec::new();
        let mut kept: Vec<RemainingRow> = Vec::new();
        let mut moved: Vec<(DayKey, Timestamp)> = Vec::new();
        for (part, client, event_type, text) in rows {
            let (stay, go): (Vec<Timestamp>, Vec<Timestamp>) =
                instants::of(day, &text).partition(|at| local_day(*at, zone) == day);
            if go.is_empty() {
                continue;
            }
            let of = name::ACTIVITY_TYPE.read(&event_type)?;
            moved.extend(go.iter().map(|at| ((local_day(*at, zone), client.into(), of), *at)));
            let Some(last_at) = stay.iter().max() else {
                emptied.push((Day(day), part, client, event_type));
                continue;
            };
            let mut text = String::with_capacity(stay.len() * instants::DIGITS);
            for at in &stay {
                instants::push(&mut text, day, *at);
            }
            let count = i64::try_from(stay.len()).unwrap_or(i64::MAX);
            kept.push((Day(day), part, client, event_type, count, Instant(*last_at), text));
        }
        let postgres = matches!(self.connection, Connection::Postgres(_));
        insert_rows!(
            self,
            "WITH wanted (organization_id, day, part, client_id, event_type) AS (",
            &emptied,
            &delete_keys("daily_activity", &["day", "part", "client_id", "event_type"], postgres),
            |row| [organization, row.0, row.1, row.2, &row.3]
        );
        insert_rows!(
            self,
            "INSERT INTO daily_activity \
             (organization_id, day, part, client_id, event_type, event_count, last_at, instants)",
            &kept,
            "ON CONFLICT (organization_id, day, part, client_id, event_type) DO UPDATE SET \
             event_count = excluded.event_count, last_at = excluded.last_at, \
             instants = excluded.instants",
            |row| [organization, row.0, row.1, row.2, &row.3, row.4, row.5, &row.6]
        );
        self.add_to_days(&roll_up_events(moved)).await
    }

    /// Folds some of the days that were folded before the change; returns whether there are more.
    async fn fold_some_days(
        &mut self,
        organization: &Organization,
        step: ZoneStep,
    ) -> Result<bool> {
        let (until,) = fetch_one!(
            self,
            (Option<Day>,),
            "SELECT zone_change_folded FROM organizations WHERE id = $1",
            organization.id.uuid()
        )?;
        let Some(Day(until)) = until else { return Ok(false) };
        let mut folded = organization.folded_until;
        let mut additions = Additions::default();
        let more = loop {
            let day = self.find_next_active_day(folded.unwrap_or(Date::MIN)).await?;
            let Some(day) = day.filter(|day| *day <= until) else { break false };
            self.gather_day(day, &mut additions).await?;
            folded = Some(day);
            if additions.0.len() >= step.rows / MAX_ROWS_OF_CLIENT {
                break true;
            }
        };
        self.add_to_totals(&additions).await?;
        let folded = if more { folded } else { Some(until) };
        execute!(
            self,
            "UPDATE organizations SET folded_until = $2 WHERE id = $1",
            organization.id.uuid(),
            folded.map(Day)
        )?;
        Ok(more)
    }

    /// Ends a change of the zone. Scores that were stored meanwhile may rest on days of both zones.
    async fn end_zone_change(&mut self, since: Timestamp) -> Result<()> {
        let organization = self.scope.organization_uuid();
        execute!(
            self,
            "INSERT INTO stale_scores (organization_id, client_id, since) \
             SELECT DISTINCT organization_id, client_id, $2 FROM client_success_scores \
             WHERE organization_id = $1 AND day >= $3 AND as_of >= $2 \
             ON CONFLICT (organization_id, client_id) DO UPDATE SET since = CASE \
             WHEN excluded.since < stale_scores.since THEN excluded.since \
             ELSE stale_scores.since END",
            organization,
            Instant(since),
            // A zone's day is at most one off.
            Day(add_days(local_day(since, &TimeZone::UTC), -1))
        )?;
        execute!(
            self,
            "UPDATE organizations SET zone_change_since = NULL, zone_change_phase = NULL, \
             zone_change_day = NULL, zone_change_part = NULL, zone_change_client = NULL, \
             zone_change_folded = NULL WHERE id = $1",
            organization
        )?;
        Ok(())
    }
}
