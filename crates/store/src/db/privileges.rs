use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};

use crate::{Result, StoreError};

/// What the login role may do, as far as migrations need it.
#[expect(clippy::struct_excessive_bools, reason = "each is a column of the query")]
#[derive(sqlx_macros::FromRow)]
struct Privileges {
    /// Quoted, as statements name it.
    login: String,
    /// As it is called.
    name: String,
    unbound: bool,
    creates_roles: bool,
    /// The schema that tables are created in, quoted; `None` when the search path names none there is.
    schema: Option<String>,
    /// Whether it may create tables, or need not any more.
    creates_tables: bool,
    /// Whether the application's role is there.
    has_application: bool,
    /// Whether the login role may become it.
    is_application: bool,
    /// Whether it may let itself become it.
    grants_application: bool,
}

/// Checks before the first migration what the migrations need: found half-way, half of the tables
/// would be there already, and the server's own words name neither the role nor the remedy.
pub(crate) async fn check_privileges(login: &PgConnectOptions) -> Result<()> {
    let mut connection = PgConnection::connect_with(login).await?;
    let have: Privileges = sqlx::query_as(
        "SELECT quote_ident(session_user) AS login, session_user::text AS name, \
         r.rolsuper OR r.rolbypassrls AS unbound, r.rolcreaterole AS creates_roles, \
         quote_ident(current_schema()) AS schema, \
         COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false) \
         OR to_regclass('_sqlx_migrations') IS NOT NULL AS creates_tables, \
         a.oid IS NOT NULL AS has_application, \
         COALESCE(pg_has_role(session_user, a.oid, CASE \
         WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END), false) \
         AS is_application, \
         COALESCE(pg_has_role(session_user, a.oid, 'MEMBER WITH ADMIN OPTION'), false) \
         OR (r.rolcreaterole AND current_setting('server_version_num')::int < 160000) \
         AS grants_application \
         FROM pg_catalog.pg_roles r \
         LEFT JOIN pg_catalog.pg_roles a ON a.rolname = 'mainstay_app' \
         WHERE r.rolname = session_user",
    )
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    if have.unbound {
        return Err(StoreError::UnsafeRole(have.name));
    }
    let login = &have.login;
    let mut statements = Vec::new();
    match &have.schema {
        None => statements.push(format!("CREATE SCHEMA mainstay AUTHORIZATION {login}")),
        Some(schema) if !have.creates_tables => {
            statements.push(format!("GRANT USAGE, CREATE ON SCHEMA {schema} TO {login}"));
        }
        Some(_) => {}
    }
    if have.schema.is_none() {
        statements.push(format!("ALTER ROLE {login} SET search_path = mainstay"));
    }
    if !have.has_application && !have.creates_roles {
        statements.push("CREATE ROLE mainstay_app NOLOGIN".to_owned());
        statements.push(format!("GRANT mainstay_app TO {login}"));
    }
    if have.has_application && !have.is_application && !have.grants_application {
        statements.push(format!("GRANT mainstay_app TO {login}"));
    }
    if statements.is_empty() {
        return Ok(());
    }
    Err(StoreError::Privileges { role: have.name, statements: statements.join("; ") })
}
