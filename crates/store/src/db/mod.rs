//! The database below the tables: connections, transactions, the schema, and all in which SQLite and
//! PostgreSQL differ.

pub(super) mod dialect;
pub(super) mod file;
pub(super) mod id;
pub(super) mod known_clients;
pub(super) mod lock;
pub(super) mod migrate;
pub(super) mod name;
pub(super) mod pool;
pub(super) mod pooler;
pub(super) mod privileges;
pub(super) mod scrub;
pub(super) mod secret;
pub(super) mod secret_rows;
