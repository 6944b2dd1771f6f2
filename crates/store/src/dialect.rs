//! Every difference between SQLite and PostgreSQL, and nothing else.
//!
//! One SQL text serves both: `$1` parameters, upserts and `RETURNING` work on either. What differs
//! is how a value is kept (the types below) and how a transaction starts (see [`crate::Store`]).

use jiff::{Timestamp, civil::Date};
use mainstay_core::time::{epoch_day, from_epoch_day};
use sqlx::{
    Decode, Encode, Postgres, Sqlite, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgTypeInfo, PgValueRef, types::Oid},
    sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef},
};

/// One transaction on either database.
pub(crate) enum Connection {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// An instant: `TIMESTAMPTZ`, or INTEGER microseconds since 1970 on SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Instant(pub(crate) Timestamp);

/// A calendar day: `DATE`, or INTEGER days since 1970 on SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Day(pub(crate) Date);

/// PostgreSQL counts from 2000-01-01: microseconds and days from 1970 until then.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;
const POSTGRES_EPOCH_DAYS: i32 = 10_957;
/// PostgreSQL's calendar begins in 4714 BC, jiff's in 9999 BC: what is asked of a time before this
/// one is asked of this one, since nothing that is stored lies before it.
pub(crate) const EARLIEST: Timestamp = Timestamp::constant(-62_135_596_800, 0);
const EARLIEST_DAY: Date = Date::constant(1, 1, 1);

/// The instant of a stored number of microseconds since 1970.
fn instant_of(micros: i64) -> Result<Instant, jiff::Error> {
    // Not Timestamp::from_microsecond: that refuses the last second jiff can tell.
    let seconds = micros.div_euclid(1_000_000);
    let nanoseconds = i32::try_from(micros.rem_euclid(1_000_000)).unwrap_or_default() * 1_000;
    Timestamp::new(seconds, nanoseconds).map(Instant)
}
const TIMESTAMPTZ: Oid = Oid(1184);
const DATE: Oid = Oid(1082);

impl Type<Sqlite> for Instant {
    fn type_info() -> SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }
    fn compatible(info: &SqliteTypeInfo) -> bool {
        <i64 as Type<Sqlite>>::compatible(info)
    }
}

impl Encode<'_, Sqlite> for Instant {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(self.0.as_microsecond(), buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for Instant {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(instant_of(<i64 as Decode<Sqlite>>::decode(value)?)?)
    }
}

impl Type<Postgres> for Instant {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl Encode<'_, Postgres> for Instant {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = self.0.max(EARLIEST).as_microsecond();
        Encode::<Postgres>::encode(micros - POSTGRES_EPOCH_MICROS, buffer)
    }
}

impl<'r> Decode<'r, Postgres> for Instant {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        let micros = <i64 as Decode<Postgres>>::decode(value)?;
        Ok(instant_of(micros.saturating_add(POSTGRES_EPOCH_MICROS))?)
    }
}

impl Type<Sqlite> for Day {
    fn type_info() -> SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }
    fn compatible(info: &SqliteTypeInfo) -> bool {
        <i64 as Type<Sqlite>>::compatible(info)
    }
}

impl Encode<'_, Sqlite> for Day {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(i64::from(epoch_day(self.0)), buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for Day {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(from_epoch_day(<i32 as Decode<Sqlite>>::decode(value)?)))
    }
}

impl Type<Postgres> for Day {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(DATE)
    }
}

impl Encode<'_, Postgres> for Day {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let days = epoch_day(self.0.max(EARLIEST_DAY));
        Encode::<Postgres>::encode(days - POSTGRES_EPOCH_DAYS, buffer)
    }
}

impl<'r> Decode<'r, Postgres> for Day {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        let days = <i32 as Decode<Postgres>>::decode(value)?;
        Ok(Self(from_epoch_day(days.saturating_add(POSTGRES_EPOCH_DAYS))))
    }
}

/// Expands one statement for both databases and awaits it with the given `sqlx` method.
macro_rules! run {
    ($tx:expr, $method:ident, $build:expr $(, $bind:expr)* $(,)?) => {
        match &mut $tx.connection {
            $crate::dialect::Connection::Sqlite(connection) => {
                $build$(.bind($bind))*.$method(&mut **connection).await
            }
            $crate::dialect::Connection::Postgres(connection) => {
                $build$(.bind($bind))*.$method(&mut **connection).await
            }
        }
    };
}

/// Every row of a query, as `$row`.
macro_rules! fetch_all {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::dialect::run!($tx, fetch_all, sqlx::query_as::<_, $row>($sql) $(, $bind)*)
            .map_err($crate::StoreError::from)
    };
}

/// Every row of a query that looks at a table day by day, written as
/// `days CROSS JOIN [table t WHERE … t.day = days.day …]`.
///
/// SQLite steps through the days as it is told to. PostgreSQL would rather read all of a client's
/// history and throw most of it away, until it has statistics; there the brackets become a subquery
/// that it can only run once for each day.
macro_rules! fetch_day_by_day {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut $tx.connection {
            $crate::dialect::Connection::Sqlite(connection) => {
                let sql = sqlx::AssertSqlSafe($crate::dialect::day_by_day($sql, false));
                sqlx::query_as::<_, $row>(sql)$(.bind($bind))*.fetch_all(&mut **connection).await
            }
            $crate::dialect::Connection::Postgres(connection) => {
                let sql = sqlx::AssertSqlSafe($crate::dialect::day_by_day($sql, true));
                sqlx::query_as::<_, $row>(sql)$(.bind($bind))*.fetch_all(&mut **connection).await
            }
        }
        .map_err($crate::StoreError::from)
    };
}

/// The row of a query that may have none.
macro_rules! fetch_optional {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::dialect::run!($tx, fetch_optional, sqlx::query_as::<_, $row>($sql) $(, $bind)*)
            .map_err($crate::StoreError::from)
    };
}

/// The row of a query that always has one.
macro_rules! fetch_one {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::dialect::run!($tx, fetch_one, sqlx::query_as::<_, $row>($sql) $(, $bind)*)
            .map_err($crate::StoreError::from)
    };
}

/// Runs a statement and tells how many rows it touched.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut $tx.connection {
            $crate::dialect::Connection::Sqlite(connection) => sqlx::query($sql)
                $(.bind($bind))*.execute(&mut **connection).await.map(|done| done.rows_affected()),
            $crate::dialect::Connection::Postgres(connection) => sqlx::query($sql)
                $(.bind($bind))*.execute(&mut **connection).await.map(|done| done.rows_affected()),
        }
        .map_err($crate::StoreError::from)
    };
}

/// Runs one `INSERT` for many rows, a few hundred at a time, and counts the rows touched. The first
/// value, the organization's, is the same for all rows and is bound once.
///
/// One row a statement costs five times as much on SQLite: the price is per statement and bind.
macro_rules! insert_rows {
    ($tx:expr, $insert:expr, $rows:expr, $conflict:expr, |$row:ident| [$shared:expr, $($bind:expr),+ $(,)?]) => {{
        let mut touched = 0;
        for chunk in $crate::dialect::statement_chunks($rows) {
            let columns = [$(stringify!($bind)),+].len();
            let sql = |numbered| {
                $crate::dialect::values_sql($insert, chunk.len(), columns, $conflict, numbered)
            };
            touched += match &mut $tx.connection {
                $crate::dialect::Connection::Sqlite(connection) => {
                    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql(false))).bind($shared);
                    for $row in chunk { query = query$(.bind($bind))+; }
                    query.execute(&mut **connection).await?.rows_affected()
                }
                $crate::dialect::Connection::Postgres(connection) => {
                    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql(true))).bind($shared);
                    for $row in chunk { query = query$(.bind($bind))+; }
                    query.execute(&mut **connection).await?.rows_affected()
                }
            };
        }
        touched
    }};
}

/// Like `insert_rows`, collecting the rows that the statement gives: an `INSERT` whose `$conflict`
/// ends in `RETURNING`, or a look-up of many keys at once that begins with
/// `WITH wanted (…) AS (` and goes on with `) SELECT …`.
macro_rules! fetch_for_rows {
    ($tx:expr, $returned:ty, $insert:expr, $rows:expr, $conflict:expr, |$row:ident| [$shared:expr, $($bind:expr),+ $(,)?]) => {{
        let mut returned: Vec<$returned> = Vec::new();
        for chunk in $crate::dialect::statement_chunks($rows) {
            let columns = [$(stringify!($bind)),+].len();
            let sql = |numbered| {
                $crate::dialect::values_sql($insert, chunk.len(), columns, $conflict, numbered)
            };
            let rows: Vec<$returned> = match &mut $tx.connection {
                $crate::dialect::Connection::Sqlite(connection) => {
                    let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql(false))).bind($shared);
                    for $row in chunk { query = query$(.bind($bind))+; }
                    query.fetch_all(&mut **connection).await?
                }
                $crate::dialect::Connection::Postgres(connection) => {
                    let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql(true))).bind($shared);
                    for $row in chunk { query = query$(.bind($bind))+; }
                    query.fetch_all(&mut **connection).await?
                }
            };
            returned.extend(rows);
        }
        returned
    }};
}

/// Inserts rows of which hardly any is there already; answers, piece by piece, how many rows it was
/// and which of them are new: `None` for all.
///
/// Every row that SQLite returns wakes a thread, which costs more than storing it: so there the rows
/// are inserted as if all were new, and only a piece that breaks the key is done again with
/// `RETURNING`. A statement that fails leaves nothing behind on SQLite, but would end the transaction
/// on PostgreSQL, which returns rows cheaply.
macro_rules! insert_new_rows {
    ($tx:expr, $returned:ty, $insert:expr, $rows:expr, $conflict:expr, |$row:ident| [$shared:expr, $($bind:expr),+ $(,)?]) => {{
        let mut pieces: Vec<(usize, Option<Vec<$returned>>)> = Vec::new();
        for chunk in $crate::dialect::statement_chunks($rows) {
            let columns = [$(stringify!($bind)),+].len();
            let sql = |conflict, numbered| {
                sqlx::AssertSqlSafe($crate::dialect::values_sql(
                    $insert, chunk.len(), columns, conflict, numbered,
                ))
            };
            let new = match &mut $tx.connection {
                $crate::dialect::Connection::Sqlite(connection) => {
                    let mut query = sqlx::query(sql("", false)).bind($shared);
                    for $row in chunk { query = query$(.bind($bind))+; }
                    match query.execute(&mut **connection).await {
                        Ok(_) => None,
                        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                            let mut query = sqlx::query_as(sql($conflict, false)).bind($shared);
                            for $row in chunk { query = query$(.bind($bind))+; }
                            Some(query.fetch_all(&mut **connection).await?)
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
                $crate::dialect::Connection::Postgres(connection) => {
                    let mut query = sqlx::query_as(sql($conflict, true)).bind($shared);
                    for $row in chunk { query = query$(.bind($bind))+; }
                    let new: Vec<$returned> = query.fetch_all(&mut **connection).await?;
                    (new.len() < chunk.len()).then_some(new)
                }
            };
            pieces.push((chunk.len(), new));
        }
        pieces
    }};
}

pub(crate) use {
    execute, fetch_all, fetch_day_by_day, fetch_for_rows, fetch_one, fetch_optional,
    insert_new_rows, insert_rows, run,
};

/// The text of a query that looks at a table day by day, for one of the databases.
pub(crate) fn day_by_day(sql: &str, postgres: bool) -> String {
    let Some((before, (table, after))) =
        sql.split_once('[').and_then(|(before, rest)| Some((before, rest.split_once(']')?)))
    else {
        return sql.to_owned();
    };
    if postgres {
        let name = table.split_whitespace().nth(1).unwrap_or_default();
        // OFFSET 0 keeps the planner from taking the subquery apart again.
        format!("{before}LATERAL (SELECT * FROM {table} OFFSET 0) {name}{after}")
    } else {
        format!("{before}{table}{after}")
    }
}

/// Cuts rows into pieces of few different sizes, so that each statement's text is one of a handful
/// and stays in the connection's cache of prepared statements.
pub(crate) fn statement_chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    const SIZES: [usize; 5] = [250, 50, 10, 3, 1];
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rows.len())?;
        let (chunk, rest) = rows.split_at(size);
        rows = rest;
        Some(chunk)
    })
}

/// `insert SELECT $1, column1, column2 FROM (VALUES ($2,$3),($4,$5)) … conflict` for a number of rows
/// and columns besides the first one, which is the same for all rows; with `?` for each parameter
/// unless they are to be numbered.
///
/// SQLite looks the name of every numbered parameter up in a list, from its start: with three
/// thousand of them, binding took two thirds of the time that it takes to store events.
pub(crate) fn values_sql(
    insert: &str,
    rows: usize,
    columns: usize,
    conflict: &str,
    numbered: bool,
) -> String {
    use std::fmt::Write as _;
    let mut sql = String::with_capacity(insert.len() + conflict.len() + rows * columns * 6 + 200);
    // Writing to a String cannot fail.
    let _ = write!(sql, "{insert} SELECT {}", if numbered { "$1" } else { "?" });
    for column in 1..=columns {
        let _ = write!(sql, ", column{column}");
    }
    sql.push_str(" FROM (VALUES ");
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..columns {
            if column > 0 {
                sql.push(',');
            }
            if numbered {
                let _ = write!(sql, "${}", row * columns + column + 2);
            } else {
                sql.push('?');
            }
        }
        sql.push(')');
    }
    // WHERE: without it, SQLite takes the ON of ON CONFLICT for a join's.
    let _ = write!(sql, ") AS given WHERE true {conflict}");
    sql
}

/// The name of every table that belongs to an organization: what row-level security must cover.
pub const TENANT_TABLES: [&str; 21] = [
    "organization_secrets",
    "members",
    "api_keys",
    "event_names",
    "score_models",
    "clients",
    "onboarding_tasks",
    "onboarding_task_changes",
    "launch_kits",
    "client_feedback",
    "client_engagement_events",
    "event_moves",
    "daily_activity",
    "client_activity_totals",
    "client_success_scores",
    "score_days",
    "stale_scores",
    "client_insights",
    "client_momentum_alerts",
    "alert_actions",
    "client_success_emails",
];
