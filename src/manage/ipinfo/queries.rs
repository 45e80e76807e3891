//! What is known of addresses, shared by all replicas: rows of the platform.

use std::net::IpAddr;
use std::time::Duration;

use tokio_postgres::types::Json;

use super::model::Known;
use crate::db::{Db, DbError, sql};
use crate::outbound::directory::Told;

/// What is known of an address, if it is still good.
///
/// # Errors
/// As the statement fails.
pub async fn get(db: &Db, address: IpAddr) -> Result<Option<Known>, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx.query_opt(sql!("ipinfo/get"), &[&address]).await?;
    tx.commit().await?;
    Ok(row.map(|row| {
        let error: Option<String> = row.get("error");
        Known {
            told: Told {
                names: row.get("reverse_dns"),
                registration: row.get::<_, Option<Json<_>>>("whois").map(|json| json.0),
                source: row.get("source"),
                failures: error.into_iter().collect(),
            },
            fetched_at: row.get("fetched_at"),
            left: Duration::try_from_secs_f64(row.get("seconds_left")).unwrap_or_default(),
        }
    }))
}

/// Takes the right to ask about an address; false while somebody else has it, or the answer is there.
///
/// # Errors
/// As the statement fails.
pub async fn claim(db: &Db, address: IpAddr) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let claimed = tx.execute(sql!("ipinfo/claim"), &[&address]).await?;
    tx.commit().await?;
    Ok(claimed == 1)
}

/// Keeps an answer.
///
/// # Errors
/// As the statement fails.
pub async fn upsert(db: &Db, address: IpAddr, told: Told, good_for: Duration) -> Result<Known, DbError> {
    let error = (!told.failures.is_empty()).then(|| told.failures.join("; "));
    let whois = told.registration.as_ref().map(Json);
    let seconds = good_for.as_secs_f64();
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx
        .query_opt(
            sql!("ipinfo/upsert"),
            &[&address, &told.names, &whois, &told.source, &error, &seconds],
        )
        .await?;
    tx.commit().await?;
    let fetched_at = row.map(|row| row.get("fetched_at"));
    Ok(Known {
        fetched_at: fetched_at.ok_or_else(|| DbError::Internal("nothing was kept".to_owned()))?,
        left: good_for,
        told,
    })
}
