//! Poolers between here and PostgreSQL.

use sqlx::{Connection as _, PgConnection, Row as _, postgres::PgConnectOptions};

/// What is said of a pooler that lends connections for a transaction only.
pub(crate) const POOLED_BY_TRANSACTION: &str = "a pooler such as PgBouncer is in between and hands each transaction \
    to another connection (pool_mode=transaction or statement); Mainstay needs one that stays its own, for \
    its role and its prepared statements. Connect to PostgreSQL directly, or set pool_mode=session for \
    this database";

/// Whether something between here and PostgreSQL lends its connections for a transaction only: then a
/// second client gets, while the first one is connected, the very server process that served the first.
///
/// Asked now, since what follows from it comes at any time later and names neither: "prepared statement
/// already exists", and the application's role set on connections of other programs.
pub(crate) async fn changes_backends(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
) -> sqlx::Result<bool> {
    let before = backend(connection).await?;
    let mut other = PgConnection::connect_with(options).await?;
    match sqlx::raw_sql("BEGIN").execute(&mut other).await {
        // Where it lends them for a statement only, that is no statement that it knows.
        Err(sqlx::Error::Database(error)) if error.message().contains("pooling mode") => {
            return Ok(true);
        }
        begun => begun?,
    };
    let shared = backend(&mut other).await? == before;
    // Another client may have taken it in between; then the first one has to move.
    let pooled = shared || backend(connection).await? != before;
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await?;
    other.close().await?;
    Ok(pooled)
}

/// The number of the server process that answers, by a query without a prepared statement.
async fn backend(connection: &mut PgConnection) -> sqlx::Result<i32> {
    sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}
