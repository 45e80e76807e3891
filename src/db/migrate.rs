use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::{Db, DbError};

mod embedded_migrations {
    refinery::embed_migrations!("refinery_migrations");
}

/// Why the schema could not be brought to this release's.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// Postgres failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A migration failed, was altered after it ran, or is missing.
    #[error("migration: {0}")]
    Migration(#[from] refinery::Error),
    /// The two roles could not be made.
    #[error(
        "the database user may not create roles; let an administrator run: \
         CREATE ROLE garrison_service NOLOGIN; CREATE ROLE garrison_platform NOLOGIN; \
         GRANT garrison_service, garrison_platform TO \"{0}\";"
    )]
    Roles(String),
    /// Only Postgres 15 and later are known to work.
    #[error("Postgres {0} is too old: 15 or later is needed")]
    TooOld(String),
}

impl From<tokio_postgres::Error> for MigrateError {
    fn from(e: tokio_postgres::Error) -> Self {
        Self::Db(e.into())
    }
}

/// Refinery takes no lock of its own; this one makes four processes that start together take turns.
const MIGRATION_LOCK: i64 = 0x6761_7272_6973_6f6e;

/// The schema version this binary knows.
#[must_use]
pub fn expected_version() -> i32 {
    embedded_migrations::migrations::runner()
        .get_migrations()
        .iter()
        .map(refinery::Migration::version)
        .max()
        .unwrap_or(0)
}

/// The version the database has; 0 for an empty one.
///
/// # Errors
/// When Postgres cannot be asked.
pub async fn schema_version(db: &Db) -> Result<i32, DbError> {
    let connection = db.connection().await?;
    // Simple queries: nothing is prepared, so that any pooler lets them through.
    let text = async |sql: &str| -> Result<Option<String>, DbError> {
        let answer = connection.simple_query(sql).await?;
        Ok(answer.into_iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }))
    };
    if text("SELECT to_regclass('public.refinery_schema_history')")
        .await?
        .is_none()
    {
        return Ok(0);
    }
    let version = text("SELECT coalesce(max(version), 0) FROM refinery_schema_history").await?;
    Ok(version.and_then(|v| v.parse().ok()).unwrap_or(0))
}

/// Brings the schema to this release's version; returns how many migrations ran. Any number of processes may call
/// it at once.
///
/// # Errors
/// When a role cannot be made, a migration fails, or one that ran before was altered.
pub async fn migrate(db: &Db) -> Result<usize, MigrateError> {
    let mut guard = db.connection().await?;
    let mut connection = db.connection().await?;
    let client: &mut Client = &mut connection;
    let version: i32 = client
        .query_one("SELECT current_setting('server_version_num')::int", &[])
        .await?
        .get(0);
    if version < 150_000 {
        return Err(MigrateError::TooOld((version / 10_000).to_string()));
    }
    // The lock of a transaction that stays open meanwhile: it goes with the connection if we die, and a pooler between us
    // and Postgres gives that connection to nobody else.
    let turn = guard.transaction().await?;
    // Whoever is before us takes as long as it takes, whatever this session was told to bear.
    turn.batch_execute("SET LOCAL lock_timeout = 0").await?;
    turn.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK])
        .await?;
    let applied = Box::pin(run(client, version)).await?;
    turn.rollback().await?;
    Ok(applied)
}

async fn run(client: &mut Client, version: i32) -> Result<usize, MigrateError> {
    make_roles(client, version).await?;
    let mut tries = 0;
    loop {
        // A forgotten transaction must not make every request queue behind our lock.
        client.batch_execute("SET lock_timeout = '1s'").await?;
        let report = embedded_migrations::migrations::runner()
            .set_abort_divergent(true)
            .set_abort_missing(true)
            .run_async(client)
            .await;
        client.batch_execute("RESET lock_timeout").await?;
        match report {
            Ok(report) => return Ok(report.applied_migrations().len()),
            Err(e) if tries < 30 && lost_a_lock(&e) => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(200 + 50 * tries)).await;
            }
            Err(e) => return Err(e.into()),
        }
    }
}

/// The driver's own error is below refinery's, which only says "db error".
fn lost_a_lock(error: &refinery::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(e) = cause {
        if let Some(e) = e.downcast_ref::<tokio_postgres::Error>() {
            return matches!(
                e.code(),
                Some(&SqlState::LOCK_NOT_AVAILABLE | &SqlState::T_R_DEADLOCK_DETECTED)
            );
        }
        cause = e.source();
    }
    false
}

/// Roles belong to the cluster, so another database of it may have made them, even this instant.
async fn make_roles(client: &Client, version: i32) -> Result<(), MigrateError> {
    let user: String = client.query_one("SELECT current_user::text", &[]).await?.get(0);
    for role in ["garrison_service", "garrison_platform"] {
        let known = client
            .query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&role])
            .await?
            .is_some();
        if !known {
            match client.batch_execute(&format!("CREATE ROLE {role} NOLOGIN")).await {
                Ok(()) => {}
                Err(e) => match e.code() {
                    Some(c) if *c == SqlState::DUPLICATE_OBJECT || *c == SqlState::UNIQUE_VIOLATION => {}
                    Some(c) if *c == SqlState::INSUFFICIENT_PRIVILEGE => {
                        return Err(MigrateError::Roles(user));
                    }
                    _ => return Err(e.into()),
                },
            }
        }
        // From 16 on, who makes a role is a member that may hand it out but not take it on.
        let privilege = if version >= 160_000 { "SET" } else { "MEMBER" };
        let member = client
            .query_one("SELECT pg_has_role(current_user, $1, $2)", &[&role, &privilege])
            .await?
            .get::<_, bool>(0);
        if !member {
            match client
                .batch_execute(&format!("GRANT {role} TO CURRENT_USER"))
                .await
            {
                Ok(()) => {}
                Err(e) if e.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                    return Err(MigrateError::Roles(user));
                }
                // The catalog row of a grant that another process makes this instant; it has no SQLSTATE of its own.
                Err(e)
                    if e.as_db_error()
                        .is_some_and(|db| db.message().contains("concurrently")) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
    client
        .batch_execute("GRANT USAGE ON SCHEMA public TO garrison_service, garrison_platform")
        .await?;
    Ok(())
}
