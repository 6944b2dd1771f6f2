use std::collections::{BTreeMap, HashMap};

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    engagement::{Activity, EventType, Rhythm, Windows},
    id::ClientId,
    score::{LaunchKit, TaskCounts},
    time::{add_days, days_before},
};
use uuid::Uuid;

use super::ClientFacts;
use crate::{
    ClientChunk, Result, TaskStatus, Tx,
    client::ClientIds,
    db::{
        dialect::{Connection, Day, Instant, fetch_all, fetch_packed},
        lock::Lock,
        name,
    },
    engagement::{activity_on_days, instants},
};

/// What one client did, read once, from which its facts at any instant of some days follow without
/// asking the database again.
///
/// For thousands of clients at one instant, [`Tx::list_client_facts`] lets the database sum up; for a few
/// clients each at its own, or one client at many, this reads less.
#[derive(Clone, Debug)]
pub struct ClientHistory {
    client: ClientId,
    external_id: String,
    created_at: Timestamp,
    before: Before,
    days: BTreeMap<Date, Vec<DayOfType>>,
    tasks: Vec<TaskHistory>,
    launch_kit: (Option<Timestamp>, Option<Timestamp>),
    /// When each rating was given, and what it comes to.
    ratings: Vec<(Timestamp, i64)>,
}

/// What comes before the days that are told apart.
#[derive(Clone, Copy, Debug, Default)]
struct Before {
    content: i64,
    visuals: i64,
    last_at: Option<Timestamp>,
}

/// Events of one type on one day.
#[derive(Clone, Debug)]
struct DayOfType {
    event_type: EventType,
    count: i64,
    last_at: Timestamp,
    instants: String,
}

#[derive(Clone, Debug)]
struct TaskHistory {
    created_at: Timestamp,
    /// Every status it had and since when, the latest last.
    changes: Vec<(Timestamp, TaskStatus)>,
}

impl TaskHistory {
    /// The status just before an instant; `None` before the task was there.
    fn status_before(&self, at: Timestamp) -> Option<TaskStatus> {
        if self.created_at >= at {
            return None;
        }
        let change = self.changes.iter().rev().find(|(since, _)| *since < at);
        change.map(|(_, status)| *status)
    }
}

/// How many events of a day happened in `[from, to)`.
fn events_within(day: Date, events: &DayOfType, from: Timestamp, to: Timestamp) -> i64 {
    let within = instants::of(day, &events.instants).filter(|at| (from..to).contains(at)).count();
    i64::try_from(within).unwrap_or(i64::MAX)
}

impl ClientHistory {
    /// Owner.
    pub const fn client(&self) -> ClientId {
        self.client
    }

    /// The last event before an instant that lies on one of the days, or after them.
    pub fn last_event_before(&self, at: Timestamp) -> Option<Timestamp> {
        let within = self.days.iter().rev().find_map(|(day, events)| {
            let last_of = |events: &DayOfType| {
                if events.last_at < at {
                    return Some(events.last_at);
                }
                instants::of(*day, &events.instants).filter(|event| *event < at).max()
            };
            events.iter().filter_map(last_of).max()
        });
        within.or(self.before.last_at)
    }

    /// The last change of onboarding, launch kit or feedback before an instant.
    pub fn last_change_before(&self, at: Timestamp) -> Option<Timestamp> {
        self.changes().filter(|change| *change < at).max()
    }

    fn changes(&self) -> impl Iterator<Item = Timestamp> + '_ {
        let of_tasks = self.tasks.iter().flat_map(|task| {
            [task.created_at].into_iter().chain(task.changes.iter().map(|(since, _)| *since))
        });
        let (viewed_at, completed_at) = self.launch_kit;
        of_tasks
            .chain(viewed_at)
            .chain(completed_at)
            .chain(self.ratings.iter().map(|(given_at, _)| *given_at))
    }

    /// The first event from `as_of` on that lies on one of the days, or change of onboarding, launch kit
    /// or feedback from `known_until` on: what a score that ends there does not count.
    pub fn first_from(&self, as_of: Timestamp, known_until: Timestamp) -> Option<Timestamp> {
        let events = self.days.iter().flat_map(move |(day, events)| {
            events
                .iter()
                .filter(move |of_type| of_type.last_at >= as_of)
                .flat_map(move |of_type| instants::of(*day, &of_type.instants))
                .filter(move |at| *at >= as_of)
        });
        events.chain(self.changes().filter(|change| *change >= known_until)).min()
    }

    /// The client's facts at an instant whose two weeks lie on the days that were read. Onboarding,
    /// launch kit and feedback count before `known_at`, if that is given, and feedback of so many days
    /// before the instant. The rhythm and the score it is compared with are left out.
    pub fn facts(
        &self,
        windows: &Windows,
        known_at: Option<Timestamp>,
        feedback_days: i32,
    ) -> ClientFacts {
        let until = known_at.unwrap_or(windows.as_of);
        let since = days_before(windows.as_of, feedback_days, &windows.zone);
        let mut ratings = (0, 0);
        for (given_at, normalised) in &self.ratings {
            if (since..until).contains(given_at) {
                ratings = (ratings.0 + 1, ratings.1 + normalised);
            }
        }
        let statuses = || self.tasks.iter().filter_map(|task| task.status_before(until));
        let count = |statuses: usize| i64::try_from(statuses).unwrap_or(i64::MAX);
        let tasks = TaskCounts {
            total: count(statuses().filter(|status| *status != TaskStatus::Deleted).count()),
            settled: count(
                statuses()
                    .filter(|status| matches!(status, TaskStatus::Completed | TaskStatus::Skipped))
                    .count(),
            ),
        };
        let (viewed_at, completed_at) = self.launch_kit;
        let before = |at: Option<Timestamp>| at.is_some_and(|at| at < until);
        let launch_kit = if before(completed_at) {
            LaunchKit::Completed
        } else if before(viewed_at) {
            LaunchKit::Viewed
        } else {
            LaunchKit::Unopened
        };
        let (activity, made_today) = self.activity(windows);
        ClientFacts {
            client: self.client,
            external_id: self.external_id.clone(),
            created_at: self.created_at,
            as_of: windows.as_of,
            known_at,
            activity,
            made_today,
            tasks,
            launch_kit,
            ratings,
            previous: None,
        }
    }

    fn activity(&self, windows: &Windows) -> (Activity, (i64, i64)) {
        let today = windows.day_of(windows.as_of);
        let mut activity = Activity {
            content_generated: self.before.content,
            visuals_created: self.before.visuals,
            last_event_at: self.last_event_before(windows.as_of),
            rhythm: Rhythm::default(),
            ..Activity::default()
        };
        let mut made_today = (0, 0);
        let cut = windows.partial_days();
        let (week_day, last_week_day) =
            (windows.day_of(windows.this_week), windows.day_of(windows.last_week));
        for (day, events) in self.days.range(..=today) {
            let mut this_week_of_day = 0;
            for of_type in events {
                // A day that no edge cuts counts whole, without looking at its instants.
                let is_cut = cut.contains(day);
                let within = |from, to| events_within(*day, of_type, from, to);
                let (ever, this_week, last_week) = if is_cut {
                    (
                        within(Timestamp::MIN, windows.as_of),
                        within(windows.this_week, windows.as_of),
                        within(windows.last_week, windows.this_week),
                    )
                } else if *day >= today {
                    // The day that begins with the instant.
                    (0, 0, 0)
                } else if *day >= week_day {
                    (of_type.count, of_type.count, 0)
                } else if *day >= last_week_day {
                    (of_type.count, 0, of_type.count)
                } else {
                    (of_type.count, 0, 0)
                };
                activity.events_this_week += this_week;
                activity.events_last_week += last_week;
                this_week_of_day += this_week;
                if of_type.event_type.is_high_value() {
                    activity.high_value_this_week += this_week;
                }
                match of_type.event_type {
                    EventType::ContentGenerated => {
                        activity.content_generated += ever;
                        made_today.0 += if *day == today { ever } else { 0 };
                    }
                    EventType::VisualCreated => {
                        activity.visuals_created += ever;
                        made_today.1 += if *day == today { ever } else { 0 };
                    }
                    _ => {}
                }
            }
            activity.active_days += i64::from(this_week_of_day > 0);
        }
        (activity, made_today)
    }
}

#[derive(serde::Deserialize, sqlx_macros::FromRow)]
struct DayRow {
    client_id: Uuid,
    day: Day,
    event_type: String,
    event_count: i64,
    last_at: Instant,
    instants: String,
}

impl Tx {
    /// Reads what clients did on the days `[first, last]`, in the order of the chunk, and all of their
    /// onboarding, launch kits and feedback. Start fourteen days before the first instant that is asked
    /// for, and a day more where its clocks may have changed.
    ///
    /// Costs clients × those days while they begin after what is folded, and else the clients' whole
    /// history, once.
    pub async fn list_client_histories(
        &mut self,
        chunk: &ClientChunk,
        (first, last): (Date, Date),
    ) -> Result<Vec<ClientHistory>> {
        let postgres = matches!(self.connection, Connection::Postgres(_));
        let Some(ids) = chunk.id_condition(postgres) else { return Ok(Vec::new()) };
        if self.writes {
            // Nobody folds a day between reading the totals and reading the days after them.
            self.lock_organization(Lock::StoreEvents).await?;
        }
        let mut histories: HashMap<ClientId, ClientHistory> = chunk
            .clients
            .iter()
            .map(|(client, external_id)| {
                let history = ClientHistory {
                    client: client.id,
                    external_id: external_id.clone(),
                    created_at: client.created_at,
                    before: Before::default(),
                    days: BTreeMap::new(),
                    tasks: Vec::new(),
                    launch_kit: (None, None),
                    ratings: Vec::new(),
                };
                (client.id, history)
            })
            .collect();
        let folded_until = self.get_organization().await?.folded_until;
        let first_day = match folded_until.filter(|folded| *folded < first) {
            Some(folded) => {
                self.add_folded(&ids, &mut histories).await?;
                Some(add_days(folded, 1))
            }
            None => self.find_first_active_day().await?,
        };
        if let Some(first_day) = first_day {
            self.add_days_before(&ids, (first_day, add_days(first, -1)), &mut histories).await?;
            self.add_days(&ids, (first_day.max(first), last), &mut histories).await?;
        }
        self.add_task_histories(&ids, &mut histories).await?;
        self.add_kits_and_ratings(&ids, &mut histories).await?;
        Ok(chunk.clients.iter().filter_map(|(client, _)| histories.remove(&client.id)).collect())
    }

    async fn add_folded(
        &mut self,
        ids: &ClientIds,
        histories: &mut HashMap<ClientId, ClientHistory>,
    ) -> Result<()> {
        let rows = fetch_all!(
            self,
            (Uuid, i64, i64, Instant),
            sqlx::AssertSqlSafe(ids.apply_to(
                "SELECT client_id, content_generated, visuals_created, last_at \
                 FROM client_activity_totals WHERE organization_id = $1 AND {client_id}"
            )),
            self.scope.organization_uuid(),
            ids.low,
            ids.high
        )?;
        for (client, content, visuals, last_at) in rows {
            let Some(history) = histories.get_mut(&client.into()) else { continue };
            history.before = Before { content, visuals, last_at: Some(last_at.0) };
        }
        Ok(())
    }

    /// Sums up the days before those that are told apart.
    async fn add_days_before(
        &mut self,
        ids: &ClientIds,
        (first, last): (Date, Date),
        histories: &mut HashMap<ClientId, ClientHistory>,
    ) -> Result<()> {
        if last < first {
            return Ok(());
        }
        let rows = fetch_packed!(
            self,
            (Uuid, i64, i64, Instant),
            "hex(client_id), content, visuals, last_at",
            &ids.apply_to(concat!(
                "WITH RECURSIVE days (day) AS (SELECT CAST($4 AS DATE) WHERE $4 <= $5 UNION ALL \
                 SELECT day + 1 FROM days WHERE day < $5) SELECT a.client_id, \
                 CAST(COALESCE(SUM(a.event_count) FILTER \
                 (WHERE a.event_type = 'content_generated'), 0) AS BIGINT) AS content, \
                 CAST(COALESCE(SUM(a.event_count) FILTER \
                 (WHERE a.event_type = 'visual_created'), 0) AS BIGINT) AS visuals, \
                 MAX(a.last_at) AS last_at FROM ",
                activity_on_days!("{a.client_id}"),
                " GROUP BY a.client_id"
            )),
            self.scope.organization_uuid(),
            ids.low,
            ids.high,
            Day(first),
            Day(last)
        )?;
        for (client, content, visuals, last_at) in rows {
            let Some(history) = histories.get_mut(&client.into()) else { continue };
            let before = &mut history.before;
            before.content += content;
            before.visuals += visuals;
            before.last_at = before.last_at.max(Some(last_at.0));
        }
        Ok(())
    }

    async fn add_days(
        &mut self,
        ids: &ClientIds,
        (first, last): (Date, Date),
        histories: &mut HashMap<ClientId, ClientHistory>,
    ) -> Result<()> {
        let rows = fetch_packed!(
            self,
            DayRow,
            "hex(client_id), day, event_type, event_count, last_at, instants",
            &ids.apply_to(concat!(
                "WITH RECURSIVE days (day) AS (SELECT CAST($4 AS DATE) WHERE $4 <= $5 UNION ALL \
                 SELECT day + 1 FROM days WHERE day < $5) SELECT a.client_id, a.day, a.event_type, \
                 a.event_count, a.last_at, a.instants FROM ",
                activity_on_days!("{a.client_id}")
            )),
            self.scope.organization_uuid(),
            ids.low,
            ids.high,
            Day(first),
            Day(last)
        )?;
        for row in rows {
            let Some(history) = histories.get_mut(&row.client_id.into()) else { continue };
            history.days.entry(row.day.0).or_default().push(DayOfType {
                event_type: name::ACTIVITY_TYPE.read(&row.event_type)?,
                count: row.event_count,
                last_at: row.last_at.0,
                instants: row.instants,
            });
        }
        Ok(())
    }

    async fn add_task_histories(
        &mut self,
        ids: &ClientIds,
        histories: &mut HashMap<ClientId, ClientHistory>,
    ) -> Result<()> {
        let rows = fetch_all!(
            self,
            (Uuid, Uuid, Instant, Instant, String),
            sqlx::AssertSqlSafe(ids.apply_to(
                "SELECT t.client_id, t.id, t.created_at, c.changed_at, c.status \
                 FROM onboarding_tasks t JOIN onboarding_task_changes c \
                 ON c.organization_id = t.organization_id AND c.client_id = t.client_id \
                 AND c.task_id = t.id WHERE t.organization_id = $1 AND {t.client_id} \
                 ORDER BY t.client_id, t.id, c.changed_at"
            )),
            self.scope.organization_uuid(),
            ids.low,
            ids.high
        )?;
        let mut latest = None;
        for (client, task, created_at, changed_at, status) in rows {
            let Some(history) = histories.get_mut(&client.into()) else { continue };
            if latest != Some((client, task)) {
                latest = Some((client, task));
                history.tasks.push(TaskHistory { created_at: created_at.0, changes: Vec::new() });
            }
            if let Some(task) = history.tasks.last_mut() {
                task.changes.push((changed_at.0, name::TASK_CHANGE_STATUS.read(&status)?));
            }
        }
        Ok(())
    }

    async fn add_kits_and_ratings(
        &mut self,
        ids: &ClientIds,
        histories: &mut HashMap<ClientId, ClientHistory>,
    ) -> Result<()> {
        let kits = fetch_all!(
            self,
            (Uuid, Option<Instant>, Option<Instant>),
            sqlx::AssertSqlSafe(ids.apply_to(
                "SELECT client_id, viewed_at, completed_at FROM launch_kits \
                 WHERE organization_id = $1 AND {client_id}"
            )),
            self.scope.organization_uuid(),
            ids.low,
            ids.high
        )?;
        for (client, viewed_at, completed_at) in kits {
            if let Some(history) = histories.get_mut(&client.into()) {
                history.launch_kit = (viewed_at.map(|at| at.0), completed_at.map(|at| at.0));
            }
        }
        let ratings = fetch_all!(
            self,
            (Uuid, Instant, i64),
            sqlx::AssertSqlSafe(ids.apply_to(
                "SELECT client_id, given_at, normalised FROM client_feedback \
                 WHERE organization_id = $1 AND {client_id}"
            )),
            self.scope.organization_uuid(),
            ids.low,
            ids.high
        )?;
        for (client, given_at, normalised) in ratings {
            if let Some(history) = histories.get_mut(&client.into()) {
                history.ratings.push((given_at.0, normalised));
            }
        }
        Ok(())
    }
}
