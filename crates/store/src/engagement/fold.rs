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
    dialect::{Day, Instant, execute, fetch_all, fetch_one},
    pool::Lock,
};

/// One row of the daily activity.
pub(crate) struct DayOfType {
    pub(crate) day: Date,
    pub(crate) client: ClientId,
    pub(crate) event_type: EventType,
    pub(crate) count: i64,
    pub(crate) last_at: Timestamp,
}

/// What a client adds to its totals.
struct Addition {
    content_generated: i64,
    visuals_created: i64,
    last_at: Timestamp,
    days: Vec<Date>,
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
        let organization = self.organization().await?;
        if organization.folded_until.is_some_and(|folded| folded >= until) {
            return Ok(());
        }
        let mut day = match organization.folded_until {
            Some(folded) => Some(mainstay_core::time::add_days(folded, 1)),
            None => self.first_active_day().await?,
        };
        // Day by day: the memory of one day, however much there is to catch up on.
        while let Some(folding) = day.filter(|day| *day <= until) {
            let rows = self.activity_of_day(folding).await?;
            self.add_to_totals(&rows).await?;
            day = self.next_active_day(folding).await?;
        }
        execute!(
            self,
            "UPDATE organizations SET folded_until = $2 WHERE id = $1",
            self.scope.organization_uuid(),
            Day(until)
        )?;
        Ok(())
    }

    /// First local day with an event.
    pub(crate) async fn first_active_day(&mut self) -> Result<Option<Date>> {
        let (day,) = fetch_one!(
            self,
            (Option<Day>,),
            "SELECT MIN(day) FROM daily_activity WHERE organization_id = $1",
            self.scope.organization_uuid()
        )?;
        Ok(day.map(|day| day.0))
    }

    async fn next_active_day(&mut self, after: Date) -> Result<Option<Date>> {
        let (day,) = fetch_one!(
            self,
            (Option<Day>,),
            "SELECT MIN(day) FROM daily_activity WHERE organization_id = $1 AND day > $2",
            self.scope.organization_uuid(),
            Day(after)
        )?;
        Ok(day.map(|day| day.0))
    }

    async fn activity_of_day(&mut self, day: Date) -> Result<Vec<DayOfType>> {
        let rows = fetch_all!(
            self,
            (Uuid, String, i64, Instant),
            "SELECT client_id, event_type, event_count, last_at FROM daily_activity \
             WHERE organization_id = $1 AND day = $2",
            self.scope.organization_uuid(),
            Day(day)
        )?;
        Ok(rows
            .into_iter()
            .map(|(client, event_type, count, last_at)| DayOfType {
                day,
                client: client.into(),
                event_type: EventType::of_name(&event_type),
                count,
                last_at: last_at.0,
            })
            .collect())
    }

    /// Adds activity of folded days to the totals.
    pub(crate) async fn add_to_totals(&mut self, rows: &[DayOfType]) -> Result<()> {
        let mut additions: BTreeMap<ClientId, Addition> = BTreeMap::new();
        for row in rows {
            let addition = additions.entry(row.client).or_insert(Addition {
                content_generated: 0,
                visuals_created: 0,
                last_at: row.last_at,
                days: Vec::new(),
            });
            match row.event_type {
                EventType::ContentGenerated => addition.content_generated += row.count,
                EventType::VisualCreated => addition.visuals_created += row.count,
                _ => {}
            }
            addition.last_at = addition.last_at.max(row.last_at);
            addition.days.push(row.day);
        }
        for (client, addition) in additions {
            self.add_to_totals_of(client, &addition).await?;
        }
        Ok(())
    }

    async fn add_to_totals_of(&mut self, client: ClientId, addition: &Addition) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let fresh: Rhythm = addition.days.iter().copied().collect();
        // The upsert takes the row's lock, so that reading, merging and writing the days is safe.
        let (Json(days),) = fetch_one!(
            self,
            (Json<Vec<i32>>,),
            "INSERT INTO client_activity_totals \
             (organization_id, client_id, content_generated, visuals_created, last_at, active_days) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (organization_id, client_id) DO UPDATE SET \
             content_generated = client_activity_totals.content_generated + excluded.content_generated, \
             visuals_created = client_activity_totals.visuals_created + excluded.visuals_created, \
             last_at = CASE WHEN excluded.last_at > client_activity_totals.last_at \
             THEN excluded.last_at ELSE client_activity_totals.last_at END \
             RETURNING active_days",
            organization,
            client.uuid(),
            addition.content_generated,
            addition.visuals_created,
            Instant(addition.last_at),
            Json(packed(&fresh))
        )?;
        let mut merged = unpacked(&days);
        for day in &addition.days {
            merged.insert(*day);
        }
        let merged = packed(&merged);
        if merged != days {
            execute!(
                self,
                "UPDATE client_activity_totals SET active_days = $3 \
                 WHERE organization_id = $1 AND client_id = $2",
                organization,
                client.uuid(),
                Json(&merged)
            )?;
        }
        Ok(())
    }
}
