//! What the portfolio shows of each client, and which clients it has changed for.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    id::{ClientId, MemberId},
    portfolio::{OpenAlert, Standing, StandingScore},
    score::ScoreModel,
    time::add_days,
};
use serde::Deserialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Result, Scope, StoredModel, Tx,
    db::{
        dialect::{
            Day, Instant, execute, fetch_all, fetch_for_rows, fetch_one, fetch_packed,
            fetch_packed_for_rows,
        },
        lock::Lock,
        name,
    },
};

/// Changes that are kept for those who read on from the last one they know.
const MAX_CHANGE_VERSIONS: i64 = 1_000;
/// How many changes are added between two clearings of older ones.
const CLEANUP_INTERVAL: i64 = 100;
/// Single clients that one transaction names; it names the stretch from the first to the last when
/// they are more.
const MAX_NAMED_CLIENTS: usize = 100;
/// Days back that a last event is looked for, besides the totals.
const SEEN_DAYS: i32 = 62;

/// A stretch of clients, by their ids, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientRange {
    /// The first.
    pub low: ClientId,
    /// The last.
    pub high: ClientId,
}

impl ClientRange {
    /// Every client there can be.
    pub const ALL: Self =
        Self { low: ClientId::new(Uuid::nil()), high: ClientId::new(Uuid::max()) };

    /// One client.
    pub const fn of(client: ClientId) -> Self {
        Self { low: client, high: client }
    }

    /// What is left of it after a client; `None` when that was the last there can be.
    pub fn after(self, client: ClientId) -> Option<Self> {
        let next = client.uuid().as_u128().checked_add(1)?;
        let low = ClientId::new(Uuid::from_u128(next));
        (low <= self.high).then_some(Self { low, high: self.high })
    }
}

/// What changed in the portfolio since a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortfolioChanges {
    /// The version that it has now.
    pub version: i64,
    /// The clients that may have changed; `None` when it is too long ago to tell.
    pub clients: Option<Vec<ClientRange>>,
}

/// How many alerts opened and ended by themselves in a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertFlow {
    /// Opened.
    pub opened: i64,
    /// Ended because their condition did.
    pub ended: i64,
}

/// The inputs of a score that the portfolio shows.
#[derive(Deserialize)]
struct DisplayedInputs {
    events: i64,
    events_before: i64,
    #[serde(default)]
    last: Option<Timestamp>,
}

#[derive(sqlx_macros::FromRow)]
struct ScoreRow {
    client_id: Uuid,
    as_of: Instant,
    overall: i64,
    change: Option<i64>,
    trend: String,
    coverage: i64,
    model_version: i64,
    inputs: Json<DisplayedInputs>,
}

#[derive(sqlx_macros::FromRow)]
struct ClientRow {
    id: Uuid,
    external_id: String,
    name: Option<String>,
    email: Option<String>,
    plan: Option<String>,
    created_at: Instant,
    owner_member_id: Option<Uuid>,
}

impl From<ClientRow> for Standing {
    fn from(row: ClientRow) -> Self {
        Self {
            client: row.id.into(),
            external_id: row.external_id,
            name: row.name,
            email: row.email,
            plan: row.plan,
            owner: row.owner_member_id.map(Into::into),
            created_at: row.created_at.0,
            score: None,
            alerts: Vec::new(),
        }
    }
}

impl ScoreRow {
    fn into_score(self, models: &[StoredModel]) -> Result<StandingScore> {
        let model = models.iter().find(|model| model.version == self.model_version);
        let band = model.map_or_else(
            || ScoreModel::standard().band(self.overall),
            |it| it.model.band(self.overall),
        );
        Ok(StandingScore {
            as_of: self.as_of.0,
            overall: self.overall,
            change: self.change,
            trend: name::TREND.read(&self.trend)?,
            band,
            coverage: self.coverage,
            events: self.inputs.0.events,
            events_before: self.inputs.0.events_before,
            last_event_at: self.inputs.0.last,
        })
    }
}

impl Tx {
    /// How each client of a stretch stands, in the order of their ids; at most so many.
    pub async fn list_standings(
        &mut self,
        range: ClientRange,
        limit: i64,
    ) -> Result<Vec<Standing>> {
        let rows = fetch_all!(
            self,
            ClientRow,
            "SELECT id, external_id, name, COALESCE(email, unconfirmed_email) AS email, plan, \
             created_at, owner_member_id FROM clients \
             WHERE organization_id = $1 AND id BETWEEN $2 AND $3 ORDER BY id LIMIT $4",
            self.scope.organization_uuid(),
            range.low.uuid(),
            range.high.uuid(),
            limit
        )?;
        let mut standings: BTreeMap<ClientId, Standing> =
            rows.into_iter().map(|row| (row.id.into(), row.into())).collect();
        self.add_latest_scores(&mut standings).await?;
        self.add_open_alerts(&mut standings).await?;
        Ok(standings.into_values().collect())
    }

    /// Scores are keyed by day, so this steps back from day to day: with daily scores the first step
    /// finds nearly every client.
    async fn add_latest_scores(
        &mut self,
        standings: &mut BTreeMap<ClientId, Standing>,
    ) -> Result<()> {
        let models = self.list_score_models().await?;
        let mut open: BTreeSet<ClientId> = standings.keys().copied().collect();
        for day in self.list_score_days().await?.into_iter().rev() {
            let (Some(low), Some(high)) = (open.first(), open.last()) else { return Ok(()) };
            let rows = fetch_all!(
                self,
                ScoreRow,
                "SELECT client_id, as_of, overall, change, trend, coverage, model_version, inputs \
                 FROM client_success_scores WHERE organization_id = $1 AND day = $2 \
                 AND client_id BETWEEN $3 AND $4",
                self.scope.organization_uuid(),
                Day(day),
                low.uuid(),
                high.uuid()
            )?;
            for row in rows {
                let client = row.client_id.into();
                if open.remove(&client)
                    && let Some(standing) = standings.get_mut(&client)
                {
                    standing.score = Some(row.into_score(&models)?);
                }
            }
        }
        Ok(())
    }

    async fn add_open_alerts(
        &mut self,
        standings: &mut BTreeMap<ClientId, Standing>,
    ) -> Result<()> {
        let range = standings.keys().next().zip(standings.keys().next_back());
        let Some((low, high)) = range else { return Ok(()) };
        let rows = fetch_all!(
            self,
            (Uuid, String, String, String),
            "SELECT client_id, alert_type, severity, status FROM client_momentum_alerts \
             WHERE organization_id = $1 AND client_id BETWEEN $2 AND $3 \
             AND status IN ('active', 'acknowledged', 'snoozed') AND held_at IS NULL \
             ORDER BY client_id, alert_type",
            self.scope.organization_uuid(),
            low.uuid(),
            high.uuid()
        )?;
        for (client, kind, severity, status) in rows {
            if let Some(standing) = standings.get_mut(&client.into()) {
                standing.alerts.push(OpenAlert {
                    kind: name::ALERT_TYPE.read(&kind)?,
                    severity: name::ALERT_SEVERITY.read(&severity)?,
                    status: name::ALERT_STATUS.read(&status)?,
                });
            }
        }
        Ok(())
    }

    /// What changed since a version: what a transaction changed is known once it is committed.
    pub async fn list_portfolio_changes(&mut self, since: Option<i64>) -> Result<PortfolioChanges> {
        let organization = self.scope.organization_uuid();
        let (first, last) = fetch_one!(
            self,
            (Option<i64>, Option<i64>),
            "SELECT (SELECT MIN(version) FROM portfolio_changes WHERE organization_id = $1), \
             (SELECT MAX(version) FROM portfolio_changes WHERE organization_id = $1)",
            organization
        )?;
        let version = last.unwrap_or(0);
        let known =
            since.filter(|since| *since <= version && first.is_none_or(|first| since + 1 >= first));
        let Some(since) = known else { return Ok(PortfolioChanges { version, clients: None }) };
        let mut clients = Vec::new();
        if since < version {
            let rows = fetch_all!(
                self,
                (Uuid, Uuid),
                "SELECT low, high FROM portfolio_changes \
                 WHERE organization_id = $1 AND version > $2 ORDER BY version",
                organization,
                since
            )?;
            clients = rows
                .into_iter()
                .map(|(low, high)| ClientRange { low: low.into(), high: high.into() })
                .collect();
            clients.sort_unstable();
            clients.dedup();
        }
        Ok(PortfolioChanges { version, clients: Some(clients) })
    }

    /// Remembers that clients stand otherwise, to be told when the transaction is committed.
    pub(crate) fn mark_changed(&mut self, range: ClientRange) {
        if self.changed_standings.last() != Some(&range) {
            self.changed_standings.push(range);
        }
    }

    /// Tells which clients stand otherwise: the last thing before the commit, so that no other lock is
    /// waited for while this one is held.
    pub(crate) async fn flush_changes(&mut self) -> Result<()> {
        let mut changed = std::mem::take(&mut self.changed_standings);
        changed.sort_unstable();
        changed.dedup();
        let (Some(first), Some(last)) = (changed.first(), changed.iter().map(|it| it.high).max())
        else {
            return Ok(());
        };
        if changed.len() > MAX_NAMED_CLIENTS {
            changed = vec![ClientRange { low: first.low, high: last }];
        }
        self.lock_organization(Lock::FlushPortfolioChanges).await?;
        let organization = self.scope.organization_uuid();
        let (version,) = fetch_one!(
            self,
            (Option<i64>,),
            "SELECT MAX(version) FROM portfolio_changes WHERE organization_id = $1",
            organization
        )?;
        let mut version = version.unwrap_or(0);
        for range in changed {
            version += 1;
            execute!(
                self,
                "INSERT INTO portfolio_changes (organization_id, version, low, high) \
                 VALUES ($1, $2, $3, $4)",
                organization,
                version,
                range.low.uuid(),
                range.high.uuid()
            )?;
            // Members may add, and only the service may forget.
            if version % CLEANUP_INTERVAL == 0 && matches!(self.scope, Scope::Service(_)) {
                execute!(
                    self,
                    "DELETE FROM portfolio_changes WHERE organization_id = $1 AND version <= $2",
                    organization,
                    version - MAX_CHANGE_VERSIONS
                )?;
            }
        }
        Ok(())
    }

    /// The latest score of each of so many weeks that end `today`, of some clients, the oldest week
    /// first.
    pub async fn list_weekly_scores<const WEEKS: usize>(
        &mut self,
        clients: &[ClientId],
        today: Date,
    ) -> Result<HashMap<ClientId, [Option<i64>; WEEKS]>> {
        let organization = self.scope.organization_uuid();
        let weeks = i64::try_from(WEEKS).unwrap_or(i64::MAX);
        let rows: Vec<(Uuid, i64, Option<i64>)> = fetch_packed_for_rows!(
            self,
            (Uuid, i64, Option<i64>),
            "hex(client_id), week, overall",
            "WITH RECURSIVE wanted (organization_id, today, weeks, client_id) AS (",
            clients,
            "), ago (week) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT week + 1 FROM ago \
             WHERE week + 1 < (SELECT MAX(weeks) FROM wanted)) \
             SELECT w.client_id, ago.week, (SELECT s.overall FROM score_days d \
             CROSS JOIN client_success_scores s WHERE d.organization_id = w.organization_id \
             AND d.day > w.today - CAST(7 * ago.week + 7 AS INTEGER) \
             AND d.day <= w.today - CAST(7 * ago.week AS INTEGER) \
             AND s.organization_id = w.organization_id AND s.day = d.day \
             AND s.client_id = w.client_id ORDER BY d.day DESC LIMIT 1) AS overall \
             FROM wanted w CROSS JOIN ago",
            |client| [organization, Day(today), weeks, client.uuid()]
        );
        let mut scores: HashMap<ClientId, [Option<i64>; WEEKS]> = HashMap::new();
        for (client, week, overall) in rows {
            let weeks = scores.entry(client.into()).or_insert([None; WEEKS]);
            if let Some(score) = usize::try_from(week).ok().and_then(|week| {
                weeks.len().checked_sub(week + 1).and_then(|index| weeks.get_mut(index))
            }) {
                *score = overall;
            }
        }
        Ok(scores)
    }

    /// When each of some clients was last active, as far as that is less than two months ago or older
    /// than what is told apart by day; others are left out. `folded_until` is the last day that is in
    /// the totals, late events of it too, so that only days after it are looked at.
    pub async fn list_last_seen(
        &mut self,
        clients: &[ClientId],
        today: Date,
        folded_until: Option<Date>,
    ) -> Result<HashMap<ClientId, Timestamp>> {
        let organization = self.scope.organization_uuid();
        let first = folded_until.into_iter().chain([add_days(today, -SEEN_DAYS)]).max();
        let first = first.unwrap_or(today);
        let rows: Vec<(Uuid, Instant)> = fetch_for_rows!(
            self,
            (Uuid, Instant),
            "WITH RECURSIVE wanted (organization_id, today, first, client_id) AS (",
            clients,
            "), recent (day, first) AS (SELECT MAX(today) + 1, MIN(first) FROM wanted UNION ALL \
             SELECT day - 1, first FROM recent WHERE day > first) \
             SELECT client_id, MAX(last_at) FROM (SELECT t.client_id, t.last_at \
             FROM wanted w CROSS JOIN client_activity_totals t \
             WHERE t.organization_id = w.organization_id AND t.client_id = w.client_id \
             UNION ALL SELECT a.client_id, a.last_at FROM wanted w CROSS JOIN recent \
             CROSS JOIN daily_activity a WHERE a.organization_id = w.organization_id \
             AND a.day = recent.day AND a.part = 0 AND a.client_id = w.client_id \
             UNION ALL SELECT a.client_id, a.last_at FROM wanted w CROSS JOIN recent \
             JOIN activity_parts p ON p.organization_id = w.organization_id \
             AND p.day = recent.day AND p.part > 0 \
             CROSS JOIN daily_activity a WHERE a.organization_id = w.organization_id \
             AND a.day = p.day AND a.part = p.part AND a.client_id = w.client_id) \
             AS seen GROUP BY client_id",
            |client| [organization, Day(today), Day(first), client.uuid()]
        );
        let pending = fetch_packed!(
            self,
            (Uuid, Instant),
            "hex(client_id), last_at",
            "SELECT client_id, MAX(last_at) AS last_at FROM pending_activity \
             WHERE organization_id = $1 AND day >= $2 GROUP BY client_id",
            organization,
            Day(first)
        )?;
        let wanted: HashSet<ClientId> = clients.iter().copied().collect();
        let mut seen: HashMap<ClientId, Timestamp> = HashMap::with_capacity(rows.len());
        for (client, at) in rows.into_iter().chain(pending) {
            let client = ClientId::from(client);
            if wanted.contains(&client) {
                let last = seen.entry(client).or_insert(at.0);
                *last = at.0.max(*last);
            }
        }
        Ok(seen)
    }

    /// How many alerts opened and ended by themselves since an instant. An alert's id begins with the
    /// millisecond in which it opened, so that those that opened are counted in an index.
    pub async fn count_alert_flow(&mut self, since: Timestamp) -> Result<AlertFlow> {
        let (opened, ended) = fetch_one!(
            self,
            (i64, i64),
            "SELECT (SELECT COUNT(*) FROM client_momentum_alerts \
             WHERE organization_id = $1 AND id >= $2) - \
             (SELECT COUNT(*) FROM client_momentum_alerts \
             WHERE organization_id = $1 AND id >= $2 AND held_at IS NOT NULL), \
             (SELECT COUNT(*) FROM client_momentum_alerts \
             WHERE organization_id = $1 AND ended_at >= $3 AND status = 'resolved' \
             AND condition_ended_at = ended_at AND held_at IS NULL)",
            self.scope.organization_uuid(),
            first_id(since),
            Instant(since)
        )?;
        Ok(AlertFlow { opened, ended })
    }

    /// The clients that a member looks after stand otherwise.
    pub(crate) async fn mark_owned_changed(&mut self, member: MemberId) -> Result<()> {
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT id FROM clients WHERE organization_id = $1 AND owner_member_id = $2",
            self.scope.organization_uuid(),
            member.uuid()
        )?;
        for (client,) in rows {
            self.mark_changed(ClientRange::of(client.into()));
        }
        Ok(())
    }
}

/// The lowest id that is made at an instant: ids of our own begin with the millisecond.
fn first_id(at: Timestamp) -> Uuid {
    let millis = u128::try_from(at.as_millisecond()).unwrap_or(0);
    Uuid::from_u128(millis << 80)
}
