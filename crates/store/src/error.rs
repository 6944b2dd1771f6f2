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
        /// What is wrong and what to do.
        reason: String,
    },
    /// The database was migrated by a newer version of Mainstay.
    #[error(
        "the database has migration {0}, which this version of Mainstay does not know: it was written by a newer version; start that version, or roll the database back with it first (mainstay db rollback)"
    )]
    Newer(i64),
    /// A migration that ran is not the one that is compiled in.
    #[error(
        "migration {0} of the database is not the one of this version: it was edited after it ran; restore the database or the original file"
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
        "PostgreSQL role {0:?} is a superuser or has BYPASSRLS, so row-level security would not hold; grant mainstay_app to an ordinary role and connect as that one"
    )]
    UnsafeRole(String),
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
    /// Anything else that the database said.
    #[error("database: {0}")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether the same transaction may succeed when it is run again.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Conflict)
    }

    /// Turns a unique violation into [`StoreError::Taken`].
    pub(crate) fn taken(self, what: &'static str) -> Self {
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
        if let sqlx::Error::Database(database) = &error {
            match database.code().as_deref() {
                // PostgreSQL: serialization failure, deadlock. SQLite: another process has kept the
                // file locked for all our patience.
                Some("40001" | "40P01" | "5" | "261" | "517") => return Self::Conflict,
                // SQLITE_READONLY and its extended codes; PostgreSQL: read-only transaction.
                Some("8" | "264" | "520" | "776" | "1032" | "1288" | "1544" | "25006") => {
                    return Self::ReadOnly;
                }
                _ => {}
            }
        }
        Self::Database(error)
    }
}
