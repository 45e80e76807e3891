//! A database brought up migration by migration, with sample rows put in after each: those of tenants 1 and 2, as an
//! installation has them that grew up with the releases.
use super::source::files;
use crate::support::postgres::Database;

pub const A: i32 = 1;
pub const B: i32 = 2;

/// The version in a file's name: `V0003__access.sql` is `V0003`.
pub fn version(path: &str) -> String {
    let name = path.rsplit('/').next().expect("a file name");
    name.split(['_', '.']).next().expect("a version").to_owned()
}

/// Applies every migration and its sample rows to an empty database.
pub async fn walked() -> Database {
    let db = Database::empty().await;
    let client = db.client().await;
    // Roles are the cluster's; a test beside this one makes them, too.
    let roles = "DO $$ BEGIN CREATE ROLE garrison_service NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$; \
                 DO $$ BEGIN CREATE ROLE garrison_platform NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$; \
                 GRANT USAGE ON SCHEMA public TO garrison_service, garrison_platform";
    client.batch_execute(roles).await.expect("roles");
    let samples = files("tests/migrations", "sql");
    for (path, sql) in files("refinery_migrations", "sql") {
        client
            .batch_execute(&sql)
            .await
            .unwrap_or_else(|e| panic!("{path}: {:?}", e.as_db_error()));
        let rows = format!("tests/migrations/{}.sql", version(&path));
        let sample = samples
            .get(&rows)
            .unwrap_or_else(|| panic!("{path} has no sample rows: write {rows}"));
        client
            .batch_execute(sample)
            .await
            .unwrap_or_else(|e| panic!("{rows}: {:?}", e.as_db_error()));
    }
    db
}
