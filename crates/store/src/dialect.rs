//! Every difference between SQLite and PostgreSQL, and nothing else.
//!
//! One SQL text serves both: `$1` parameters, upserts and `RETURNING` work on either. What differs
//! is how a value is kept (the types below) and how a transaction starts (see [`crate::Store`]).

use jiff::{Timestamp, civil::Date};
use mainstay_core::time::{epoch_day, from_epoch_day};
use serde::{Deserialize, Deserializer, de::Error as _};
use sqlx::{
    Decode, Encode, Postgres, Sqlite, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef, types::Oid},
    sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef},
};
use uuid::Uuid;

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
const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);
const DATE_ARRAY: Oid = Oid(1182);

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

impl<'de> Deserialize<'de> for Instant {
    /// As SQLite keeps it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        instant_of(i64::deserialize(deserializer)?).map_err(D::Error::custom)
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

impl PgHasArrayType for Day {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(DATE_ARRAY)
    }
}

impl PgHasArrayType for Instant {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ_ARRAY)
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

/// Every row of a query that has thousands, which may look at a table day by day as above.
///
/// SQLite hands them over as one: each row would wake a thread, which costs more than finding it.
/// `$columns` says what it packs of each, in the order of `$row`'s fields: `hex(id)` of an id,
/// `json(column)` of JSON, else the column. In no particular order.
macro_rules! fetch_packed {
    ($tx:expr, $row:ty, $columns:literal, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut $tx.connection {
            $crate::dialect::Connection::Sqlite(connection) => {
                let sql = format!(
                    concat!("SELECT json_group_array(json_array(", $columns, ")) FROM ({})"),
                    $crate::dialect::day_by_day($sql, false)
                );
                sqlx::query_as::<_, (sqlx::types::Json<Vec<$row>>,)>(sqlx::AssertSqlSafe(sql))
                    $(.bind($bind))*.fetch_one(&mut **connection).await.map(|(rows,)| rows.0)
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

/// Runs one statement for many rows, a few hundred at a time, and hands each answer to `$use` with
/// the rows that it is about. While the database is busy with one statement, the next is put together.
///
/// `$query` is how the database takes them: `values_query` or `columns_query`.
macro_rules! for_statements {
    ($connection:expr, $query:ident, $method:ident, $start:expr, $insert:expr, $rows:expr, $conflict:expr, |$row:ident| [$shared:expr, $($bind:expr),+ $(,)?], |$chunk:ident, $answer:ident| $use:expr) => {{
        let mut chunks = $crate::dialect::$query!(chunks $rows);
        let mut prepare = || {
            chunks.next().map(|chunk| {
                let query = $crate::dialect::$query!(
                    $start, $insert, chunk, $conflict, |$row| [$shared, $($bind),+]
                );
                (chunk, query)
            })
        };
        let mut prepared = prepare();
        while let Some(($chunk, query)) = prepared {
            let ($answer, next) =
                tokio::join!(query.$method(&mut **$connection), async { prepare() });
            $use;
            prepared = next;
        }
    }};
}

/// One statement for some rows, with a list of their values, as SQLite takes them.
///
/// The first value, the organization's, is the same for all rows and is bound once; so is every
/// other value that happens to be the same in all rows of a statement, such as a day, or what hardly
/// any event has. One row a statement costs five times as much: the price is per statement and bind.
macro_rules! values_query {
    (chunks $rows:expr) => {
        $crate::dialect::statement_chunks($rows)
    };
    ($start:expr, $insert:expr, $chunk:expr, $conflict:expr, |$row:ident| [$shared:expr, $($bind:expr),+ $(,)?]) => {{
        let constant = $crate::dialect::some_varying([
            $($crate::dialect::is_constant($chunk, |$row, other| {
                let _ = $row;
                let one = $bind;
                let $row = other;
                let _ = $row;
                one == $bind
            })),+
        ]);
        let sql = $crate::dialect::values_sql($insert, $chunk.len(), &constant, $conflict);
        let mut query = $start(sqlx::AssertSqlSafe(sql)).bind($shared);
        if let Some($row) = $chunk.first() {
            let mut constant = constant.iter();
            $(if constant.next() == Some(&true) { query = query.bind($bind); })+
        }
        for $row in $chunk {
            let mut constant = constant.iter();
            $(if constant.next() == Some(&false) { query = query.bind($bind); })+
        }
        query
    }};
}

/// One statement for some rows, with an array of each column's values, as PostgreSQL takes them: one
/// text for any number of rows, and planning does not grow with them.
macro_rules! columns_query {
    (chunks $rows:expr) => {
        $rows.chunks($crate::dialect::COLUMN_ROWS)
    };
    ($start:expr, $insert:expr, $chunk:expr, $conflict:expr, |$row:ident| [$shared:expr, $($bind:expr),+ $(,)?]) => {{
        let columns = [$(stringify!($bind)),+].len();
        let sql = $crate::dialect::columns_sql($insert, columns, $conflict);
        let mut query = $start(sqlx::AssertSqlSafe(sql)).bind($shared);
        $(query = query.bind(
            $chunk
                .iter()
                .map(|$row| {
                    let _ = $row;
                    $bind
                })
                .collect::<Vec<_>>(),
        );)+
        query
    }};
}

/// Runs one `INSERT` for many rows and counts the rows touched.
macro_rules! insert_rows {
    ($tx:expr, $insert:expr, $rows:expr, $conflict:expr, |$row:ident| [$($bind:expr),+ $(,)?]) => {{
        let mut touched = 0;
        match &mut $tx.connection {
            $crate::dialect::Connection::Sqlite(connection) => $crate::dialect::for_statements!(
                connection, values_query, execute, sqlx::query, $insert, $rows, $conflict,
                |$row| [$($bind),+], |_chunk, done| touched += done?.rows_affected()
            ),
            $crate::dialect::Connection::Postgres(connection) => $crate::dialect::for_statements!(
                connection, columns_query, execute, sqlx::query, $insert, $rows, $conflict,
                |$row| [$($bind),+], |_chunk, done| touched += done?.rows_affected()
            ),
        }
        touched
    }};
}

/// Like `insert_rows`, collecting the rows that the statement gives: an `INSERT` whose `$conflict`
/// ends in `RETURNING`, or a look-up of many keys at once that begins with
/// `WITH wanted (…) AS (` and goes on with `) SELECT …`, where `CROSS JOIN [table t WHERE …]` has every
/// key looked up by itself, as in `fetch_day_by_day`.
macro_rules! fetch_for_rows {
    ($tx:expr, $returned:ty, $insert:expr, $rows:expr, $conflict:expr, |$row:ident| [$($bind:expr),+ $(,)?]) => {{
        let mut returned: Vec<$returned> = Vec::new();
        match &mut $tx.connection {
            $crate::dialect::Connection::Sqlite(connection) => $crate::dialect::for_statements!(
                connection, values_query, fetch_all, sqlx::query_as::<_, $returned>, $insert, $rows,
                $conflict, |$row| [$($bind),+], |_chunk, rows| returned.extend(rows?)
            ),
            $crate::dialect::Connection::Postgres(connection) => $crate::dialect::for_statements!(
                connection, columns_query, fetch_all, sqlx::query_as::<_, $returned>, $insert, $rows,
                $conflict, |$row| [$($bind),+], |_chunk, rows| returned.extend(rows?)
            ),
        }
        returned
    }};
}

/// Like `fetch_for_rows` for a look-up that gives many rows for each key: on SQLite they come packed, as
/// from `fetch_packed`, whose `$columns` these are.
macro_rules! fetch_packed_for_rows {
    ($tx:expr, $returned:ty, $columns:literal, $wanted:expr, $rows:expr, $query:expr, |$row:ident| [$($bind:expr),+ $(,)?]) => {{
        let mut returned: Vec<$returned> = Vec::new();
        match &mut $tx.connection {
            $crate::dialect::Connection::Sqlite(connection) => {
                type Packed<T> = (sqlx::types::Json<Vec<T>>,);
                $crate::dialect::for_statements!(
                    connection, values_query, fetch_one, sqlx::query_as::<_, Packed<$returned>>,
                    concat!("SELECT json_group_array(json_array(", $columns, ")) FROM (", $wanted),
                    $rows, concat!($query, ")"), |$row| [$($bind),+],
                    |_chunk, rows| returned.extend(rows?.0.0)
                )
            }
            $crate::dialect::Connection::Postgres(connection) => $crate::dialect::for_statements!(
                connection, columns_query, fetch_all, sqlx::query_as::<_, $returned>, $wanted, $rows,
                $query, |$row| [$($bind),+], |_chunk, rows| returned.extend(rows?)
            ),
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
    ($tx:expr, $returned:ty, $insert:expr, $rows:expr, $conflict:expr, |$row:ident| [$($bind:expr),+ $(,)?]) => {{
        let mut pieces: Vec<(usize, Option<Vec<$returned>>)> = Vec::new();
        match &mut $tx.connection {
            $crate::dialect::Connection::Sqlite(connection) => $crate::dialect::for_statements!(
                connection, values_query, execute, sqlx::query, $insert, $rows, "",
                |$row| [$($bind),+], |chunk, done| {
                    let new = match done {
                        Ok(_) => None,
                        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                            let again = $crate::dialect::values_query!(
                                sqlx::query_as, $insert, chunk, $conflict,
                                |$row| [$($bind),+]
                            );
                            Some(again.fetch_all(&mut **connection).await?)
                        }
                        Err(error) => return Err(error.into()),
                    };
                    pieces.push((chunk.len(), new))
                }
            ),
            $crate::dialect::Connection::Postgres(connection) => $crate::dialect::for_statements!(
                connection, columns_query, fetch_all, sqlx::query_as::<_, $returned>, $insert, $rows,
                $conflict, |$row| [$($bind),+], |chunk, new| {
                    let new = new?;
                    pieces.push((chunk.len(), (new.len() < chunk.len()).then_some(new)))
                }
            ),
        }
        pieces
    }};
}

/// Moves an organization's rows of a table into what they come to: `$sql` is an `INSERT` that sums
/// `{rows}` up.
///
/// PostgreSQL takes the rows out and sums the very same ones up in one statement, so that rows which
/// others add meanwhile stay for the next time. SQLite has no such statement, and nobody who could add
/// any between two.
macro_rules! move_rows {
    ($tx:expr, $table:literal, $sql:expr, $organization:expr $(,)?) => {{
        const DELETE: &str = concat!("DELETE FROM ", $table, " WHERE organization_id = $1");
        match &mut $tx.connection {
            $crate::dialect::Connection::Sqlite(connection) => {
                let sql = sqlx::AssertSqlSafe($sql.replace("{rows}", $table));
                sqlx::query(sql).bind($organization).execute(&mut **connection).await?;
                sqlx::query(DELETE).bind($organization).execute(&mut **connection).await?;
            }
            $crate::dialect::Connection::Postgres(connection) => {
                let sql = format!(
                    "WITH taken AS ({DELETE} RETURNING *) {}",
                    $sql.replace("{rows}", "taken")
                );
                let sql = sqlx::AssertSqlSafe(sql);
                sqlx::query(sql).bind($organization).execute(&mut **connection).await?;
            }
        }
    }};
}

pub(crate) use {
    columns_query, execute, fetch_all, fetch_day_by_day, fetch_for_rows, fetch_one, fetch_optional,
    fetch_packed, fetch_packed_for_rows, for_statements, insert_new_rows, insert_rows, move_rows,
    run, values_query,
};

/// The text of a query that looks at a table day by day, for one of the databases.
pub(crate) fn day_by_day(sql: &str, postgres: bool) -> String {
    let mut whole = String::with_capacity(sql.len() + 100);
    let mut rest = sql;
    while let Some((before, (table, after))) =
        rest.split_once('[').and_then(|(before, rest)| Some((before, rest.split_once(']')?)))
    {
        whole.push_str(before);
        if postgres {
            let name = table.split_whitespace().nth(1).unwrap_or_default();
            // OFFSET 0 keeps the planner from taking the subquery apart again.
            whole.extend(["LATERAL (SELECT * FROM ", table, " OFFSET 0) ", name]);
        } else {
            whole.push_str(table);
        }
        rest = after;
    }
    whole.push_str(rest);
    whole
}

/// An event's instant in fixed-width hexadecimal digits, in microseconds since `from`: how many there
/// are, `crate::engagement::instants` says.
pub(crate) fn instant_digits(from: &str, postgres: bool) -> String {
    if postgres {
        let micros = format!("extract(epoch FROM occurred_at - {from}) * 1000000");
        format!("lpad(to_hex(({micros})::bigint), 10, '0')")
    } else {
        format!("printf('%010x', occurred_at - {from})")
    }
}

/// Ids as a list of literals. Of ids only: they have no text that could end the literal.
pub(crate) fn id_list(ids: impl Iterator<Item = Uuid>, postgres: bool) -> String {
    let literal = |id: Uuid| {
        if postgres { format!("'{id}'::uuid") } else { format!("x'{}'", id.simple()) }
    };
    ids.map(literal).collect::<Vec<_>>().join(",")
}

/// The end of a statement that begins with `WITH wanted (organization_id, client_id, at) AS (`: deletes
/// what clients have of a table at these instants, by the column that tells the instant.
///
/// SQLite looks each of them up. PostgreSQL may rather read all of the organization's rows; so there the
/// rows are looked up one by one first, and deleted by where they lie.
pub(crate) fn delete_wanted(table: &str, column: &str, postgres: bool) -> String {
    if postgres {
        format!(
            ") DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT found.ctid FROM wanted w \
             CROSS JOIN LATERAL (SELECT t.ctid FROM {table} t \
             WHERE t.organization_id = w.organization_id AND t.{column} = w.at \
             AND t.client_id = w.client_id OFFSET 0) found))"
        )
    } else {
        format!(
            ") DELETE FROM {table} WHERE (organization_id, {column}, client_id) IN \
             (SELECT organization_id, at, client_id FROM wanted)"
        )
    }
}

/// Cuts rows into pieces of few different sizes, so that each statement's text is one of a handful
/// and stays in the connection's cache of prepared statements.
pub(crate) fn statement_chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    const SIZES: [usize; 9] = [256, 128, 64, 32, 16, 8, 4, 2, 1];
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rows.len())?;
        let (chunk, rest) = rows.split_at(size);
        rows = rest;
        Some(chunk)
    })
}

/// Whether a column is the same in all rows. In a single row none is: a list of statements with
/// fewer texts is worth more than the values saved.
pub(crate) fn is_constant<T>(rows: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    match rows {
        [] | [_] => false,
        [first, rest @ ..] => rest.iter().all(|row| same(first, row)),
    }
}

/// The columns that are constant, but never all of them: each row needs a value in the list.
pub(crate) fn some_varying<const COLUMNS: usize>(mut constant: [bool; COLUMNS]) -> [bool; COLUMNS] {
    if constant.iter().all(|constant| *constant) {
        constant[0] = false;
    }
    constant
}

/// Rows that one statement takes on PostgreSQL: bounds the memory of its arrays.
pub(crate) const COLUMN_ROWS: usize = 5_000;

/// `insert SELECT $1, column1, column2 FROM UNNEST($2, $3) AS given (column1, column2) … conflict`.
pub(crate) fn columns_sql(insert: &str, columns: usize, conflict: &str) -> String {
    let list = |part: fn(usize) -> String| (1..=columns).map(part).collect::<Vec<_>>().join(", ");
    let (names, arrays) =
        (list(|column| format!("column{column}")), list(|column| format!("${}", column + 1)));
    let conflict = day_by_day(conflict, true);
    format!(
        "{insert} SELECT $1, {names} FROM UNNEST({arrays}) AS given ({names}) WHERE true {conflict}"
    )
}

/// `insert SELECT ?, column1, ?, column2 FROM (VALUES (?,?),(?,?)) … conflict` for a number of rows:
/// the first column and the constant ones have one parameter for all rows, the others one for each.
///
/// Parameters have no numbers: SQLite looks the name of every numbered one up in a list, from its
/// start, and with three thousand of them binding took two thirds of the time that it takes to store
/// events.
pub(crate) fn values_sql(insert: &str, rows: usize, constant: &[bool], conflict: &str) -> String {
    use std::fmt::Write as _;
    let varying = constant.iter().filter(|constant| !**constant).count();
    let mut sql = String::with_capacity(insert.len() + conflict.len() + rows * varying * 2 + 200);
    sql.push_str(insert);
    sql.push_str(" SELECT ?");
    let mut column = 0;
    for constant in constant {
        if *constant {
            sql.push_str(", ?");
        } else {
            column += 1;
            // Writing to a String cannot fail.
            let _ = write!(sql, ", column{column}");
        }
    }
    sql.push_str(" FROM (VALUES ");
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..varying {
            sql.push_str(if column == 0 { "?" } else { ",?" });
        }
        sql.push(')');
    }
    // WHERE: without it, SQLite takes the ON of ON CONFLICT for a join's.
    let _ = write!(sql, ") AS given WHERE true {}", day_by_day(conflict, false));
    sql
}

/// The name of every table that belongs to an organization: what row-level security must cover.
pub const TENANT_TABLES: [&str; 51] = [
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
    "untimed_messages",
    "daily_activity",
    "activity_parts",
    "pending_activity",
    "client_activity_totals",
    "client_success_scores",
    "score_days",
    "stale_scores",
    "client_insights",
    "client_momentum_alerts",
    "alert_actions",
    "client_success_emails",
    "member_passwords",
    "sessions",
    "sign_in_links",
    "allowed_sites",
    "client_notes",
    "portfolio_changes",
    "refused_events",
    "client_aliases",
    "account_users",
    "data_silences",
    "job_schedules",
    "job_runs",
    "email_settings",
    "email_subscriptions",
    "email_consents",
    "email_suppressions",
    "email_events",
    "webhook_endpoints",
    "alert_news",
    "webhook_messages",
    "webhook_message_alerts",
    "webhook_attempts",
    "notification_settings",
    "staff_emails",
    "playbooks",
    "playbook_runs",
    "staff_tasks",
];
