//! Statements about many rows at once, which is where the databases differ most.

use super::day_by_day;

/// Runs one statement for many rows, a few hundred at a time, and hands each answer to `$use` with
/// the rows that it is about. While the database is busy with one statement, the next is put together.
///
/// `$query` is how the database takes them: `values_query` or `columns_query`.
macro_rules! for_statements {
    ($connection:expr, $query:ident, $method:ident, $start:expr, $insert:expr, $rows:expr, $conflict:expr, |$row:ident| [$shared:expr, $($bind:expr),+ $(,)?], |$chunk:ident, $answer:ident| $use:expr) => {{
        let mut chunks = $crate::db::dialect::$query!(chunks $rows);
        let mut prepare = || {
            chunks.next().map(|chunk| {
                let query = $crate::db::dialect::$query!(
                    $start, $insert, chunk, $conflict, |$row| [$shared, $($bind),+]
                );
                (chunk, query)
            })
        };
        let mut prepared = prepare();
        while let Some(($chunk, query)) = prepared {
            let ($answer, next) =
                tokio::join!($crate::db::dialect::with_answer_timeout(query.$method(&mut **$connection)), async { prepare() });
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
        $crate::db::dialect::statement_chunks($rows)
    };
    ($start:expr, $insert:expr, $chunk:expr, $conflict:expr, |$row:ident| [$shared:expr, $($bind:expr),+ $(,)?]) => {{
        let constant = $crate::db::dialect::some_varying([
            $($crate::db::dialect::is_constant($chunk, |$row, other| {
                let _ = $row;
                let one = $bind;
                let $row = other;
                let _ = $row;
                one == $bind
            })),+
        ]);
        let rows = $crate::db::dialect::statement_rows($chunk.len());
        let sql = $crate::db::dialect::values_sql($insert, rows, &constant, $conflict);
        let mut query = $start(sqlx::AssertSqlSafe(sql)).bind($shared);
        if let Some($row) = $chunk.first() {
            let mut constant = constant.iter();
            $(if constant.next() == Some(&true) { query = query.bind($bind); })+
        }
        for $row in $chunk {
            let mut constant = constant.iter();
            $(if constant.next() == Some(&false) { query = query.bind($bind); })+
        }
        for _ in $chunk.len()..rows {
            for _ in constant.iter().filter(|constant| !**constant) {
                query = query.bind(None::<i64>);
            }
        }
        query.bind(i64::try_from($chunk.len()).unwrap_or(i64::MAX))
    }};
}

/// One statement for some rows, with an array of each column's values, as PostgreSQL takes them: one
/// text for any number of rows, and planning does not grow with them.
macro_rules! columns_query {
    (chunks $rows:expr) => {
        $rows.chunks($crate::db::dialect::COLUMN_ROWS)
    };
    ($start:expr, $insert:expr, $chunk:expr, $conflict:expr, |$row:ident| [$shared:expr, $($bind:expr),+ $(,)?]) => {{
        let columns = [$(stringify!($bind)),+].len();
        let sql = $crate::db::dialect::columns_sql($insert, columns, $conflict);
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
            $crate::db::dialect::Connection::Sqlite(connection) => $crate::db::dialect::for_statements!(
                connection, values_query, execute, sqlx::query, $insert, $rows, $conflict,
                |$row| [$($bind),+], |_chunk, done| touched += done?.rows_affected()
            ),
            $crate::db::dialect::Connection::Postgres(connection) => $crate::db::dialect::for_statements!(
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
            $crate::db::dialect::Connection::Sqlite(connection) => $crate::db::dialect::for_statements!(
                connection, values_query, fetch_all, sqlx::query_as::<_, $returned>, $insert, $rows,
                $conflict, |$row| [$($bind),+], |_chunk, rows| returned.extend(rows?)
            ),
            $crate::db::dialect::Connection::Postgres(connection) => $crate::db::dialect::for_statements!(
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
            $crate::db::dialect::Connection::Sqlite(connection) => {
                type Packed<T> = (sqlx::types::Json<Vec<T>>,);
                $crate::db::dialect::for_statements!(
                    connection, values_query, fetch_one, sqlx::query_as::<_, Packed<$returned>>,
                    concat!("SELECT json_group_array(json_array(", $columns, ")) FROM (", $wanted),
                    $rows, concat!($query, ")"), |$row| [$($bind),+],
                    |_chunk, rows| returned.extend(rows?.0.0)
                )
            }
            $crate::db::dialect::Connection::Postgres(connection) => $crate::db::dialect::for_statements!(
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
            $crate::db::dialect::Connection::Sqlite(connection) => $crate::db::dialect::for_statements!(
                connection, values_query, execute, sqlx::query, $insert, $rows, "",
                |$row| [$($bind),+], |chunk, done| {
                    let new = match done {
                        Ok(_) => None,
                        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                            let again = $crate::db::dialect::values_query!(
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
            $crate::db::dialect::Connection::Postgres(connection) => $crate::db::dialect::for_statements!(
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

pub(crate) use {
    columns_query, fetch_for_rows, fetch_packed_for_rows, for_statements, insert_new_rows,
    insert_rows, values_query,
};

/// How many rows a statement of SQLite's has room for: few different numbers, so that its text is one
/// of a handful and stays in the connection's cache of prepared statements.
const STATEMENT_SIZES: [usize; 15] = [1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];

/// Cuts rows into pieces that one statement has room for.
pub(crate) fn statement_chunks<T>(rows: &[T]) -> std::slice::Chunks<'_, T> {
    rows.chunks(STATEMENT_SIZES[STATEMENT_SIZES.len() - 1])
}

/// The room of the smallest statement for so many rows. What is left of it stays empty: that costs
/// less than a statement more, for which two threads wake one another.
pub(crate) fn statement_rows(rows: usize) -> usize {
    STATEMENT_SIZES.into_iter().find(|room| *room >= rows).unwrap_or(rows)
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

/// `insert SELECT ?, column1, ?, column2 FROM (VALUES (?,?),(?,?)) LIMIT ? … conflict` with room for a
/// number of rows: the first column and the constant ones have one parameter for all rows, the others
/// one for each; the last says how many rows there are.
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
    let _ = write!(sql, ") AS given WHERE true LIMIT ? {}", day_by_day(conflict, false));
    sql
}
