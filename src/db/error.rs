use tokio_postgres::error::SqlState;

/// What a failed statement means to its caller.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// Postgres cannot be asked right now: down, restarting, full, too busy. Whether a COMMIT that was under way
    /// happened is unknown, so only what may be done twice may be tried again.
    #[error("the database cannot be asked right now: {0}")]
    Unavailable(String),
    /// There is no partition for what is to be stored. It is made within seconds of being missed.
    #[error("the database cannot store this yet: {0}")]
    MissingPartition(String),
    /// A key exists already.
    #[error("exists already: {0}")]
    Conflict(String),
    /// The transaction lost against another one and may be tried again.
    #[error("lost against another transaction: {0}")]
    Contention(String),
    /// A bug of ours: a statement, a type or a grant is wrong.
    #[error("database: {0}")]
    Internal(String),
}

impl DbError {
    /// Whether the same work may succeed when tried again.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Contention(_) | Self::MissingPartition(_)
        )
    }
}

impl From<tokio_postgres::Error> for DbError {
    fn from(e: tokio_postgres::Error) -> Self {
        let text = describe(&e);
        let Some(state) = e.code() else {
            // No SQLSTATE: the connection went, or could not be made (reliability.md 1.3). A value of a wrong type
            // has none either, but that is a bug which shows in every test.
            return if text.contains("error serializing")
                || text.contains("error deserializing")
                || text.contains("invalid column")
            {
                Self::Internal(text)
            } else {
                Self::Unavailable(text)
            };
        };
        let code = state.code();
        if *state == SqlState::UNIQUE_VIOLATION {
            Self::Conflict(text)
        } else if *state == SqlState::T_R_SERIALIZATION_FAILURE || *state == SqlState::T_R_DEADLOCK_DETECTED {
            Self::Contention(text)
        } else if code.starts_with("08")
            || code.starts_with("57")
            || code.starts_with("53")
            || code.starts_with("58")
            || *state == SqlState::READ_ONLY_SQL_TRANSACTION
            || *state == SqlState::LOCK_NOT_AVAILABLE
        {
            Self::Unavailable(text)
        } else if *state == SqlState::CHECK_VIOLATION && text.contains("no partition of relation") {
            Self::MissingPartition(text)
        } else {
            Self::Internal(text)
        }
    }
}

impl From<deadpool_postgres::PoolError> for DbError {
    fn from(e: deadpool_postgres::PoolError) -> Self {
        match e {
            deadpool_postgres::PoolError::Backend(e) => e.into(),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// The message and its SQLSTATE; never the detail, which may hold a row's values.
fn describe(e: &tokio_postgres::Error) -> String {
    match e.as_db_error() {
        Some(db) => format!("{} ({})", db.message(), db.code().code()),
        None => {
            let mut text = e.to_string();
            let mut cause = std::error::Error::source(e);
            while let Some(inner) = cause {
                text = format!("{text}: {inner}");
                cause = inner.source();
            }
            text
        }
    }
}
