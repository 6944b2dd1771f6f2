//! Moving the events of a merge, a piece at a time and back again, with all that is rolled up from them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::{
    engagement::EventType,
    id::{ClientId, MergeId},
    time::{add_days, local_day},
};
use uuid::Uuid;

use crate::{
    Result, Tx,
    db::{
        dialect::{
            Connection, Day, Instant, delete_keyed, execute, fetch_all, fetch_day_by_day,
            fetch_for_rows, insert_rows,
        },
        name,
    },
    engagement::{Additions, activity_on_days, instants, roll_up_events},
};

/// Days on which a message without a timestamp is still known by its id, around today.
const UNTIMED_DAYS: std::ops::RangeInclusive<i32> = -9..=2;

/// No event is older.
const FIRST_DAY: Date = Date::constant(1999, 12, 30);

/// A message that is moved: when it happened, its id and its own timestamp, what it counts as, and
/// whether the client that stays has the same one.
#[derive(Clone, Debug, sqlx_macros::FromRow)]
struct MergedEvent {
    occurred_at: Instant,
    message_id: String,
    client_timestamp: Instant,
    event_type: String,
    shared: bool,
}

impl MergedEvent {
    fn is_corrected(&self) -> bool {
        self.occurred_at.0 != self.client_timestamp.0
    }
}

/// An event as daily activity remembers it.
type CountedKey = (Timestamp, Date, EventType);

impl Tx {
    /// Moves the first events of one client to another, about so many, in the days given. Answers how
    /// many there were and whether there are more.
    pub(crate) async fn move_events_on(
        &mut self,
        merge: MergeId,
        (source, target): (ClientId, ClientId),
        (first, last): (Date, Date),
        zone: &TimeZone,
        most: usize,
    ) -> Result<(i64, bool)> {
        let days = self.list_day_activity(source, first, last).await?;
        let mut counted = 0;
        let last_day = days.iter().find(|day| {
            counted += usize::try_from(day.events).unwrap_or(0);
            counted >= most
        });
        let last_day = last_day.or(days.last()).map(|day| day.day);
        let Some((first, last_day)) = days.first().map(|day| day.day).zip(last_day) else {
            return Ok((0, false));
        };
        let mut events = self.list_counted_events(source, first, last_day).await?;
        events.sort_unstable();
        // All events of an instant go together: they are found by it.
        let cut = match most.checked_sub(1).and_then(|at| events.get(at)) {
            Some((at, ..)) => events.partition_point(|(other, ..)| other <= at),
            None => events.len(),
        };
        let rest = events.split_off(cut);
        let more = !rest.is_empty() || days.last().is_some_and(|day| day.day > last_day);
        let instants: BTreeSet<Timestamp> = events.iter().map(|(at, ..)| *at).collect();
        let moved = self.find_moved(&instants, (source, target)).await?;
        self.remember_moved(merge, &moved).await?;
        self.copy_events(&moved, source, target).await?;
        // Now, while it is known when they were.
        self.delete_events(source, &instants).await?;
        self.subtract_counts(source, &events, &rest).await?;
        self.add_counts(target, moved.iter().filter(|event| !event.shared), zone).await?;
        self.recompute_totals(source, (first, last)).await?;
        if let Some(earliest) = instants.first() {
            self.mark_stale(&[(target, *earliest), (source, *earliest)]).await?;
        }
        Ok((i64::try_from(moved.len()).unwrap_or(i64::MAX), more))
    }

    /// Gives events back that a merge moved, about so many. Answers whether there are more.
    pub(crate) async fn move_events_back(
        &mut self,
        merge: MergeId,
        (source, target): (ClientId, ClientId),
        zone: &TimeZone,
        now: Timestamp,
        most: usize,
    ) -> Result<bool> {
        let organization = self.scope.organization_uuid();
        let limit = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
        let mut keys = fetch_all!(
            self,
            (Instant, String, Instant, bool),
            "SELECT occurred_at, message_id, client_timestamp, shared FROM client_merge_events \
             WHERE organization_id = $1 AND merge_id = $2 \
             ORDER BY occurred_at, message_id, client_timestamp LIMIT $3",
            organization,
            merge.uuid(),
            limit
        )?;
        let more = keys.len() > most;
        keys.truncate(most);
        let Some((earliest, ..)) = keys.first() else { return Ok(false) };
        let earliest = earliest.0;
        // A client that got its id back with a later event exists since then.
        self.move_clients_back(&[(source, earliest)]).await?;
        // Those that are still there.
        let moved: Vec<MergedEvent> = fetch_for_rows!(
            self,
            MergedEvent,
            "WITH wanted (organization_id, client_id, occurred_at, message_id, client_timestamp, \
             shared) AS (",
            &keys,
            ") SELECT e.occurred_at, e.message_id, e.client_timestamp, e.event_type, w.shared \
             FROM wanted w CROSS JOIN [client_engagement_events e \
             WHERE e.organization_id = w.organization_id AND e.occurred_at = w.occurred_at \
             AND e.client_id = w.client_id AND e.message_id = w.message_id \
             AND e.client_timestamp = w.client_timestamp]",
            |key| [organization, target.uuid(), key.0, &key.1, key.2, key.3]
        );
        self.copy_events(&moved, target, source).await?;
        let own: Vec<&MergedEvent> = moved.iter().filter(|event| !event.shared).collect();
        self.delete_merged(target, &own).await?;
        self.add_counts(source, moved.iter(), zone).await?;
        let day_of = |event: &&MergedEvent| local_day(event.occurred_at.0, zone);
        if let Some((first, last)) = own.iter().map(day_of).min().zip(own.iter().map(day_of).max())
        {
            let mut rest = self.list_counted_events(target, first, last).await?;
            let mut away: BTreeMap<CountedKey, usize> = BTreeMap::new();
            for event in &own {
                let event_type = name::EVENT_TYPE.read(&event.event_type)?;
                *away.entry((event.occurred_at.0, day_of(event), event_type)).or_default() += 1;
            }
            let taken: Vec<CountedKey> = away.keys().copied().collect();
            rest.retain(|event| match away.get_mut(event) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    false
                }
                _ => true,
            });
            self.subtract_counts(target, &taken, &rest).await?;
        }
        let days = (add_days(local_day(earliest, zone), -1), add_days(local_day(now, zone), 2));
        let totals = (FIRST_DAY, days.1);
        self.recompute_totals(target, totals).await?;
        self.mark_stale(&[(target, earliest), (source, earliest)]).await?;
        let postgres = matches!(self.connection, Connection::Postgres(_));
        let key = ["merge_id", "occurred_at", "message_id", "client_timestamp"];
        insert_rows!(
            self,
            "WITH wanted (organization_id, merge_id, occurred_at, message_id, client_timestamp) AS (",
            &keys,
            &delete_keyed("client_merge_events", &key, postgres),
            |key| [organization, merge.uuid(), key.0, &key.1, key.2]
        );
        Ok(more)
    }

    /// When the events of a client were in a stretch of days, and what each counts as.
    async fn list_counted_events(
        &mut self,
        client: ClientId,
        first: Date,
        last: Date,
    ) -> Result<Vec<CountedKey>> {
        let rows = fetch_day_by_day!(
            self,
            (Day, String, String),
            concat!(
                "WITH RECURSIVE days (day) AS (SELECT CAST($3 AS DATE) WHERE $3 <= $4 UNION ALL \
                 SELECT day + 1 FROM days WHERE day < $4) \
                 SELECT a.day, a.event_type, a.instants FROM ",
                activity_on_days!("a.client_id = $2")
            ),
            self.scope.organization_uuid(),
            client.uuid(),
            Day(first),
            Day(last)
        )?;
        let mut counted = Vec::new();
        for (day, event_type, at) in &rows {
            let event_type = name::ACTIVITY_TYPE.read(event_type)?;
            counted.extend(instants::of(day.0, at).map(|at| (at, day.0, event_type)));
        }
        Ok(counted)
    }

    /// The events of one client at these instants. In brackets also what asks for the other's: else
    /// PostgreSQL, without statistics, reads the whole organization's once and keeps them in a hash.
    async fn find_moved(
        &mut self,
        instants: &BTreeSet<Timestamp>,
        (source, target): (ClientId, ClientId),
    ) -> Result<Vec<MergedEvent>> {
        let organization = self.scope.organization_uuid();
        let instants: Vec<Timestamp> = instants.iter().copied().collect();
        Ok(fetch_for_rows!(
            self,
            MergedEvent,
            "WITH wanted (organization_id, client_id, kept, occurred_at) AS (",
            &instants,
            ") SELECT e.occurred_at, e.message_id, e.client_timestamp, e.event_type, \
             EXISTS (SELECT 1 FROM [client_engagement_events k \
             WHERE k.organization_id = w.organization_id AND k.occurred_at = w.occurred_at \
             AND k.client_id = w.kept AND k.message_id = e.message_id \
             AND k.client_timestamp = e.client_timestamp]) AS shared \
             FROM wanted w CROSS JOIN [client_engagement_events e \
             WHERE e.organization_id = w.organization_id AND e.occurred_at = w.occurred_at \
             AND e.client_id = w.client_id]",
            |at| [organization, source.uuid(), target.uuid(), Instant(*at)]
        ))
    }

    async fn remember_moved(&mut self, merge: MergeId, moved: &[MergedEvent]) -> Result<()> {
        let organization = self.scope.organization_uuid();
        insert_rows!(
            self,
            "INSERT INTO client_merge_events (organization_id, merge_id, occurred_at, message_id, \
             client_timestamp, shared)",
            moved,
            "ON CONFLICT DO NOTHING",
            |event| [
                organization,
                merge.uuid(),
                event.occurred_at,
                &event.message_id,
                event.client_timestamp,
                event.shared
            ]
        );
        Ok(())
    }

    /// Gives one client the messages that another has; one that both have counts once.
    async fn copy_events(
        &mut self,
        moved: &[MergedEvent],
        from: ClientId,
        to: ClientId,
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        insert_rows!(
            self,
            "WITH wanted (organization_id, client_id, other, occurred_at, message_id, \
             client_timestamp) AS (",
            moved,
            ") INSERT INTO client_engagement_events (organization_id, occurred_at, client_id, \
             message_id, client_timestamp, event_type, name, received_at, session_id, page_path, \
             duration_seconds, data, self_told) \
             SELECT e.organization_id, e.occurred_at, w.other, e.message_id, e.client_timestamp, \
             e.event_type, e.name, e.received_at, e.session_id, e.page_path, e.duration_seconds, \
             e.data, e.self_told FROM wanted w CROSS JOIN [client_engagement_events e \
             WHERE e.organization_id = w.organization_id AND e.occurred_at = w.occurred_at \
             AND e.client_id = w.client_id AND e.message_id = w.message_id \
             AND e.client_timestamp = w.client_timestamp] ON CONFLICT DO NOTHING",
            |event| [
                organization,
                from.uuid(),
                to.uuid(),
                event.occurred_at,
                &event.message_id,
                event.client_timestamp
            ]
        );
        let corrected: Vec<&MergedEvent> =
            moved.iter().filter(|event| event.is_corrected()).collect();
        insert_rows!(
            self,
            "INSERT INTO event_moves (organization_id, client_timestamp, client_id, message_id)",
            &corrected,
            "ON CONFLICT DO NOTHING",
            |event| [organization, event.client_timestamp, to.uuid(), &event.message_id]
        );
        Ok(())
    }

    async fn delete_merged(&mut self, client: ClientId, moved: &[&MergedEvent]) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let postgres = matches!(self.connection, Connection::Postgres(_));
        let key = ["occurred_at", "client_id", "message_id", "client_timestamp"];
        insert_rows!(
            self,
            "WITH wanted (organization_id, client_id, occurred_at, message_id, client_timestamp) AS (",
            moved,
            &delete_keyed("client_engagement_events", &key, postgres),
            |event| [
                organization,
                client.uuid(),
                event.occurred_at,
                &event.message_id,
                event.client_timestamp
            ]
        );
        let corrected: Vec<&&MergedEvent> =
            moved.iter().filter(|event| event.is_corrected()).collect();
        let key = ["client_timestamp", "client_id", "message_id"];
        insert_rows!(
            self,
            "WITH wanted (organization_id, client_id, message_id, client_timestamp) AS (",
            &corrected,
            &delete_keyed("event_moves", &key, postgres),
            |event| [organization, client.uuid(), &event.message_id, event.client_timestamp]
        );
        Ok(())
    }

    /// Counts messages as a client's.
    async fn add_counts<'a>(
        &mut self,
        client: ClientId,
        moved: impl Iterator<Item = &'a MergedEvent>,
        zone: &TimeZone,
    ) -> Result<()> {
        let key = |event: &MergedEvent| {
            let at = event.occurred_at.0;
            Ok(((local_day(at, zone), client, name::EVENT_TYPE.read(&event.event_type)?), at))
        };
        let rolled = roll_up_events(moved.map(key).collect::<Result<_>>()?);
        self.add_to_days(&rolled).await?;
        let Some(folded_until) = self.get_organization().await?.folded_until else { return Ok(()) };
        let mut additions = Additions::default();
        for ((day, client, event_type), rolled) in rolled {
            if day <= folded_until {
                additions.add(client, day, event_type, rolled.count, rolled.last_at);
            }
        }
        self.add_to_totals(&additions).await
    }

    /// Counts events as a client's no more: of their days, `rest` is what is left.
    async fn subtract_counts(
        &mut self,
        client: ClientId,
        away: &[CountedKey],
        rest: &[CountedKey],
    ) -> Result<()> {
        let days: BTreeSet<Date> = away.iter().map(|(_, day, _)| *day).collect();
        for day in &days {
            self.delete_day(client, *day).await?;
        }
        let rest = rest.iter().filter(|(_, day, _)| days.contains(day));
        let rest = rest.map(|(at, day, event_type)| ((*day, client, *event_type), *at));
        self.add_to_days(&roll_up_events(rest.collect())).await
    }

    /// Adds up a client's folded days again.
    pub(crate) async fn recompute_totals(
        &mut self,
        client: ClientId,
        (first, _): (Date, Date),
    ) -> Result<()> {
        let organization = self.get_organization().await?;
        let Some(folded_until) = organization.folded_until else { return Ok(()) };
        execute!(
            self,
            "DELETE FROM client_activity_totals WHERE organization_id = $1 AND client_id = $2",
            organization.id.uuid(),
            client.uuid()
        )?;
        let rows = fetch_day_by_day!(
            self,
            (Day, String, i64, Instant),
            concat!(
                "WITH RECURSIVE days (day) AS (SELECT CAST($3 AS DATE) WHERE $3 <= $4 UNION ALL \
                 SELECT day + 1 FROM days WHERE day < $4) \
                 SELECT a.day, a.event_type, a.event_count, a.last_at FROM ",
                activity_on_days!("a.client_id = $2")
            ),
            organization.id.uuid(),
            client.uuid(),
            Day(first),
            Day(folded_until)
        )?;
        let mut additions = Additions::default();
        for (day, event_type, count, last_at) in rows {
            let event_type = name::ACTIVITY_TYPE.read(&event_type)?;
            additions.add(client, day.0, event_type, count, last_at.0);
        }
        self.add_to_totals(&additions).await
    }

    /// Lets messages without a timestamp be known by their ids as the other client's; called when all
    /// events are moved, so that until then one that is sent again is known as the first one's.
    pub(crate) async fn move_untimed_messages(
        &mut self,
        (source, target): (ClientId, ClientId),
        now: Timestamp,
    ) -> Result<()> {
        let today = local_day(now, &TimeZone::UTC);
        let organization: Uuid = self.scope.organization_uuid();
        for days in UNTIMED_DAYS {
            execute!(
                self,
                "INSERT INTO untimed_messages \
                 (organization_id, day, client_id, message_id, received_at) \
                 SELECT organization_id, day, $4, message_id, received_at FROM untimed_messages \
                 WHERE organization_id = $1 AND day = $2 AND client_id = $3 ON CONFLICT DO NOTHING",
                organization,
                Day(add_days(today, days)),
                source.uuid(),
                target.uuid()
            )?;
            execute!(
                self,
                "DELETE FROM untimed_messages \
                 WHERE organization_id = $1 AND day = $2 AND client_id = $3",
                organization,
                Day(add_days(today, days)),
                source.uuid()
            )?;
        }
        Ok(())
    }

    /// The same for what a merge moved, in the other direction; called before its events are.
    pub(crate) async fn move_untimed_messages_back(
        &mut self,
        merge: MergeId,
        (source, target): (ClientId, ClientId),
        now: Timestamp,
    ) -> Result<()> {
        let today = local_day(now, &TimeZone::UTC);
        let organization: Uuid = self.scope.organization_uuid();
        for days in UNTIMED_DAYS {
            execute!(
                self,
                "INSERT INTO untimed_messages \
                 (organization_id, day, client_id, message_id, received_at) \
                 SELECT organization_id, day, $4, message_id, received_at FROM untimed_messages \
                 WHERE organization_id = $1 AND day = $2 AND client_id = $3 AND message_id IN \
                 (SELECT message_id FROM client_merge_events \
                 WHERE organization_id = $1 AND merge_id = $5) ON CONFLICT DO NOTHING",
                organization,
                Day(add_days(today, days)),
                target.uuid(),
                source.uuid(),
                merge.uuid()
            )?;
            execute!(
                self,
                "DELETE FROM untimed_messages \
                 WHERE organization_id = $1 AND day = $2 AND client_id = $3 AND EXISTS \
                 (SELECT 1 FROM client_merge_events m WHERE m.organization_id = $1 \
                 AND m.merge_id = $4 AND m.occurred_at = untimed_messages.received_at \
                 AND m.message_id = untimed_messages.message_id AND NOT m.shared)",
                organization,
                Day(add_days(today, days)),
                target.uuid(),
                merge.uuid()
            )?;
        }
        Ok(())
    }
}
