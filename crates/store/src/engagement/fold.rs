use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    engagement::{EventType, Rhythm},
    id::ClientId,
    time::{epoch_day, from_epoch_day},
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Result, Tx,
    db::{
        dialect::{Day, Instant, execute, fetch_all, fetch_for_rows, insert_rows},
        lock::Lock,
        name,
    },
};

/// How many clients' additions are gathered before they are written.
const MAX_GATHERED_ROWS: usize = 100_000;

/// Additions to the totals of clients.
#[derive(Default)]
pub(crate) struct Additions(pub(crate) BTreeMap<ClientId, Addition>);

/// Additions to one client's totals.
pub(crate) struct Addition {
    pub(crate) content_generated: i64,
    pub(crate) visuals_created: i64,
    pub(crate) last_at: Timestamp,
    pub(crate) days: Rhythm,
}

impl Additions {
    /// Adds a client's events of one type on one day.
    pub(crate) fn add(
        &mut self,
        client: ClientId,
        day: Date,
        event_type: EventType,
        count: i64,
        last_at: Timestamp,
    ) {
        let addition = self.0.entry(client).or_insert_with(|| Addition {
            content_generated: 0,
            visuals_created: 0,
            last_at,
            days: Rhythm::default(),
        });
        match event_type {
            EventType::ContentGenerated => addition.content_generated += count,
            EventType::VisualCreated => addition.visuals_created += count,
            _ => {}
        }
        addition.last_at = addition.last_at.max(last_at);
        addition.days.insert(day);
    }
}

/// The stored form of a [`Rhythm`].
pub(crate) fn packed(rhythm: &Rhythm) -> Vec<i32> {
    rhythm.days().map(epoch_day).collect()
}

/// The inverse of [`packed`].
pub(crate) fn unpacked(days: &[i32]) -> Rhythm {
    days.iter().copied().map(from_epoch_day).collect()
}

impl Tx {
    /// Folds the daily activity up to a day into the totals, so that scores after it need not read
    /// that far back. Waits until events under way are stored. Later events of folded days go into
    /// the totals as they are stored.
    pub async fn fold_activity(&mut self, until: Date) -> Result<()> {
        self.lock_organization(Lock::SettleEvents).await?;
        self.gather_activity().await?;
        let organization = self.get_organization().await?;
        // A change of the zone folds in steps when it has moved all days.
        let changing_zone = organization.zone_change_since.is_some();
        if changing_zone || organization.folded_until.is_some_and(|folded| folded >= until) {
            return Ok(());
        }
        let mut day = match organization.folded_until {
            Some(folded) => self.find_next_active_day(folded).await?,
            None => self.find_first_active_day().await?,
        };
        // Day by day, and written when many clients have come together: a client's row is touched
        // once however many days there are to catch up on, in bounded memory.
        let mut additions = Additions::default();
        while let Some(folding) = day.filter(|day| *day <= until) {
            self.gather_day(folding, &mut additions).await?;
            if additions.0.len() >= MAX_GATHERED_ROWS {
                self.add_to_totals(&std::mem::take(&mut additions)).await?;
            }
            day = self.find_next_active_day(folding).await?;
        }
        self.add_to_totals(&additions).await?;
        // Days that are folded are more than a week old, and with them the ids kept for a week.
        execute!(
            self,
            "DELETE FROM untimed_messages WHERE organization_id = $1 AND day < $2",
            self.scope.organization_uuid(),
            Day(until)
        )?;
        execute!(
            self,
            "UPDATE organizations SET folded_until = $2 WHERE id = $1",
            self.scope.organization_uuid(),
            Day(until)
        )?;
        Ok(())
    }

    /// Adds one local day of the daily activity.
    pub(crate) async fn gather_day(&mut self, day: Date, additions: &mut Additions) -> Result<()> {
        let rows = fetch_all!(
            self,
            (Uuid, String, i64, Instant),
            "SELECT client_id, event_type, event_count, last_at FROM daily_activity \
             WHERE organization_id = $1 AND day = $2 \
             UNION ALL SELECT client_id, event_type, event_count, last_at FROM pending_activity \
             WHERE organization_id = $1 AND day = $2",
            self.scope.organization_uuid(),
            Day(day)
        )?;
        for (client, event_type, count, last_at) in rows {
            let event_type = name::ACTIVITY_TYPE.read(&event_type)?;
            additions.add(client.into(), day, event_type, count, last_at.0);
        }
        Ok(())
    }

    /// Adds activity of folded days to the totals.
    pub(crate) async fn add_to_totals(&mut self, additions: &Additions) -> Result<()> {
        let organization = self.scope.organization_uuid();
        // In the order of the clients' ids, so that two transactions take their locks in the same.
        let rows: Vec<(&ClientId, &Addition)> = additions.0.iter().collect();
        let before: Vec<(Uuid, Json<Vec<i32>>)> = fetch_for_rows!(
            self,
            (Uuid, Json<Vec<i32>>),
            "INSERT INTO client_activity_totals \
             (organization_id, client_id, content_generated, visuals_created, last_at, active_days)",
            &rows,
            "ON CONFLICT (organization_id, client_id) DO UPDATE SET \
             content_generated = client_activity_totals.content_generated + excluded.content_generated, \
             visuals_created = client_activity_totals.visuals_created + excluded.visuals_created, \
             last_at = CASE WHEN excluded.last_at > client_activity_totals.last_at \
             THEN excluded.last_at ELSE client_activity_totals.last_at END \
             RETURNING client_id, active_days",
            |row| [
                organization,
                row.0.uuid(),
                row.1.content_generated,
                row.1.visuals_created,
                Instant(row.1.last_at),
                Json(packed(&row.1.days))
            ]
        );
        // The upsert took the rows' locks, so that merging the days here is safe.
        let merged: Vec<(Uuid, Vec<i32>, Timestamp)> = before
            .into_iter()
            .filter_map(|(client, Json(before))| {
                let addition = additions.0.get(&client.into())?;
                let mut days = unpacked(&before);
                for day in addition.days.days() {
                    days.insert(day);
                }
                let days = packed(&days);
                (days != before).then_some((client, days, addition.last_at))
            })
            .collect();
        // An upsert, because that takes many rows at once; each of these is there already.
        insert_rows!(
            self,
            "INSERT INTO client_activity_totals \
             (organization_id, client_id, content_generated, visuals_created, last_at, active_days)",
            &merged,
            "ON CONFLICT (organization_id, client_id) DO UPDATE SET active_days = excluded.active_days",
            |row| [organization, row.0, 0_i64, 0_i64, Instant(row.2), Json(&row.1)]
        );
        Ok(())
    }
}
