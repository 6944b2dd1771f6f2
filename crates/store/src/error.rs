use sqlx::error::ErrorKind;

/// Why the store could not do something. It knows databases, not HTTP.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database URL is none that can be opened.
    #[error("database {url:?}: {reason}")]
    Url {
        /// The URL, without its password.
        url: String,
        /// The problem and its remedy.
        reason: String,
    },
    /// The database was migrated by a newer version of Mainstay.
    #[error(
        "the database has migration {0}, which this version of Mainstay does not know: it was written by a newer version; start that version, or roll the database back with it first (mainstay db rollback)"
    )]
    Newer(i64),
    /// The database was made by a version from before the first release.
    #[error(
        "the database is at migration {0} of a development version of Mainstay, from before the first release, and cannot be brought to this version; nothing was changed. Start with an empty database (another --database or MAINSTAY_DATABASE_URL) and send or import the events again (mainstay import), or go on using the version that wrote it"
    )]
    Development(i64),
    /// A migration that ran is not the one that is compiled in.
    #[error(
        "migration {0} of the database is not the one of this version: it was edited after it ran, or a development version made the database; start the version that made it, or start with an empty database"
    )]
    Edited(i64),
    /// The database has not been migrated as far as this version needs.
    #[error(
        "the database is at migration {have}, this version needs {need}; run `mainstay db migrate`"
    )]
    Older {
        /// The newest migration that ran.
        have: i64,
        /// The newest migration that is compiled in.
        need: i64,
    },
    /// The role that queries would run as is not bound by row-level security.
    #[error(
        "PostgreSQL role {0:?} is a superuser or has BYPASSRLS, so row-level security would not hold; connect as an ordinary role that owns the database and may become mainstay_app, as made by: CREATE ROLE mainstay LOGIN CREATEROLE PASSWORD '…'"
    )]
    UnsafeRole(String),
    /// The login role lacks what the migrations need. Nothing was changed.
    #[error(
        "PostgreSQL role {role:?} may not create what Mainstay needs; nothing was changed. As a superuser, run in this database: {statements}"
    )]
    Privileges {
        /// The login role.
        role: String,
        /// What gives it the rights.
        statements: String,
    },
    /// A secret of the database cannot be read with the keys at hand.
    #[error(
        "a secret in the database ({place}) is encrypted with key {key}, which is not among the keys at hand ({held}); set MAINSTAY_KEY_FILE to the key file that the database was used with, or restore that file from a backup"
    )]
    Sealed {
        /// Table and column.
        place: String,
        /// The key's id.
        key: String,
        /// The ids of the keys at hand.
        held: String,
    },
    /// A secret of the database is not what was stored.
    #[error(
        "a secret in the database ({0}) was changed or moved from another place: it cannot be decrypted, though its key is at hand; restore a backup, or replace the secret"
    )]
    Tampered(String),
    /// The id was deleted with the wish that it stays away.
    #[error("the client was deleted and its id is kept out; allow it again first")]
    IdBlocked,
    /// The operating system gave no randomness.
    #[error("the operating system gives no randomness; try again")]
    Randomness,
    /// The scope may only read.
    #[error(
        "the role viewer sees everything and changes nothing; an owner or admin can give this member another role"
    )]
    MayNotWrite,
    /// The database cannot be written.
    #[error("the database is read-only: check the permissions of its file and folder")]
    ReadOnly,
    /// Somebody else was first: the value is taken.
    #[error("{0} is already taken")]
    Taken(&'static str),
    /// Two transactions got in each other's way; the whole transaction can be tried again.
    #[error("the transaction lost against another one; try again")]
    Conflict,
    /// The run of a job is somebody else's by now.
    #[error("the job's run was taken over by another process; nothing of this was stored")]
    LeaseLost,
    /// The SQLite file is not the one that was opened any more.
    #[error(
        "the database file {0} was deleted or replaced while it was open, and what is written would be lost; stop Mainstay, put the file in its place, and start again"
    )]
    FileGone(String),
    /// The database cannot be used just now: it is away, does not answer, or has no room left.
    #[error("database: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// The database holds a name that this version does not know.
    #[error(
        "{table}.{column} in the database holds {value:?}, which this version of Mainstay does not know: a newer version wrote it, or it was changed by hand; start the version that wrote it, or restore a backup"
    )]
    Corrupt {
        /// The table.
        table: &'static str,
        /// Its column.
        column: &'static str,
        /// What it holds.
        value: String,
    },
    /// Anything else that the database said.
    #[error("database: {0}")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether the same transaction may succeed when it is run again.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Conflict)
    }

    /// Whether the database refuses what is to be stored, so that the same would be refused again
    /// however often it is tried.
    pub fn is_of_data(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else { return false };
        let Some(code) = error.code() else { return false };
        match code.len() {
            // PostgreSQL's classes: data exception, integrity constraint, program limit.
            5 => ["22", "23", "54"].iter().any(|class| code.starts_with(class)),
            // SQLite's codes, the extended ones in their last byte: too big, constraint, mismatch.
            _ => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 18..=20)),
        }
    }

    /// Turns a unique violation into [`StoreError::Taken`].
    pub(crate) fn or_taken(self, what: &'static str) -> Self {
        match &self {
            Self::Database(sqlx::Error::Database(error))
                if error.kind() == ErrorKind::UniqueViolation =>
            {
                Self::Taken(what)
            }
            _ => self,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error::{BeginFailed, Io, PoolClosed, PoolTimedOut, Tls, WorkerCrashed};
        if let Io(_) | PoolTimedOut | PoolClosed | WorkerCrashed | BeginFailed | Tls(_) = &error {
            return Self::Unavailable(error);
        }
        if let sqlx::Error::Database(database) = &error {
            match database.code().as_deref() {
                // PostgreSQL: serialization failure, deadlock, a lock that was not to be had in time.
                // SQLite: another process has kept the file locked for all our patience.
                Some("40001" | "40P01" | "55P03" | "5" | "261" | "517") => return Self::Conflict,
                // SQLITE_READONLY and its extended codes; PostgreSQL: read-only transaction.
                Some("8" | "264" | "520" | "776" | "1032" | "1288" | "1544" | "25006") => {
                    return Self::ReadOnly;
                }
                Some(code) if is_transient(code) => return Self::Unavailable(error),
                _ => {}
            }
        }
        Self::Database(error)
    }
}

/// Whether a database's code tells of a state that passes, or that the operator has to end: no fault of
/// the statement.
fn is_transient(code: &str) -> bool {
    // SQLite: the last byte is the kind of error, the rest says where. No memory, I/O error, disk full,
    // cannot open.
    let sqlite = code.len() < 5
        && code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 7 | 10 | 13 | 14));
    // PostgreSQL: connection lost, no resources, the server stops or starts, a time limit of ours.
    let classes = ["08", "53", "57P"];
    let postgres = code.len() == 5
        && (classes.iter().any(|class| code.starts_with(class))
            || code == "57014"
            || code == "25P03");
    sqlite || postgres
}

#[cfg(test)]
mod tests {
    use super::is_transient;

    #[test]
    fn codes_of_states_that_pass_are_told_from_faults_of_statements() {
        // Full, I/O error on fsync, no memory, cannot open; lost, too many connections, stopping, timeout.
        for code in
            ["13", "10", "1034", "7", "14", "08006", "53300", "53100", "57P01", "57014", "25P03"]
        {
            assert!(is_transient(code), "{code}");
        }
        // Constraint, corrupt, not a database; syntax, unique, insufficient privilege, undefined table.
        for code in ["19", "2067", "11", "26", "42601", "23505", "42501", "42P01", "22003", "10000"]
        {
            assert!(!is_transient(code), "{code}");
        }
    }
}
