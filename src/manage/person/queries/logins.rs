//! Logins: what is counted, what is compared, what is remembered.

use serde_json::json;

use super::people::commit_on_record;
use crate::db::{Db, DbError, Tenant, sql};
use crate::kernel::keyring::Keyring;

/// Tries that a bucket holds, and the seconds in which it loses one: of a person from one network, of a person from
/// networks that they never logged in from, of a network.
const PAIR: (f64, f64) = (10.0, 90.0);
const ACCOUNT: (f64, f64) = (10.0, 90.0);
const NETWORK: (f64, f64) = (60.0, 15.0);

/// A try to log in, which counts as wrong until it was right.
pub struct Try {
    pair: Vec<u8>,
    others: Vec<Vec<u8>>,
}

/// What came of counting.
pub enum Counted {
    /// Go on.
    Fine(Try),
    /// Too many; seconds until there is room for another.
    Full(u32),
}

/// Counts a try of an account from a network. Who logged in from there before is not kept out by what others try from
/// elsewhere.
///
/// # Errors
/// As the statements fail.
pub async fn count_try(
    db: &Db,
    ring: &Keyring,
    account: Option<&str>,
    network: &str,
) -> Result<Counted, DbError> {
    let (account_key, network_key) = (
        ring.throttle_key(&format!("account {}", account.unwrap_or_default())),
        ring.throttle_key(&format!("network {network}")),
    );
    let pair = ring.throttle_key(&format!("pair {} {network}", account.unwrap_or_default()));
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let mut known = account.is_none();
    if account.is_some() {
        let row = tx
            .query_opt(sql!("platform/claim_login"), &[&pair, &PAIR.0, &PAIR.1])
            .await?;
        match row {
            Some(row) => known = row.get("known"),
            None => return Ok(Counted::Full(90)),
        }
    }
    let mut others = vec![network_key.clone()];
    // For who is known here nothing is counted for the account, but something is written all the same: the time it takes
    // tells nobody whether this person was ever here.
    let (key, room) = if known {
        (ring.throttle_key(&format!("nothing {pair:?}")), f64::MAX)
    } else {
        (account_key.clone(), ACCOUNT.0)
    };
    for (key, room, seconds) in [(&key, room, ACCOUNT.1), (&network_key, NETWORK.0, NETWORK.1)] {
        let row = tx
            .query_opt(sql!("platform/claim_login"), &[key, &room, &seconds])
            .await?;
        if row.is_none() {
            return Ok(Counted::Full(if seconds < PAIR.1 { 15 } else { 90 }));
        }
    }
    if !known {
        others.push(account_key);
    }
    tx.commit().await?;
    Ok(Counted::Fine(Try { pair, others }))
}

/// It was right.
///
/// # Errors
/// As the statement fails.
pub async fn forgive(db: &Db, done: &Try) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    tx.execute(sql!("platform/update_login_good"), &[&done.pair, &done.others])
        .await?;
    tx.commit().await
}

/// Remembers a login, and the step of its code; false when that was used before.
///
/// # Errors
/// As the statement fails.
pub async fn update_login(db: &Db, person: i64, step: Option<i64>) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx
        .query_opt(sql!("platform/update_person_login"), &[&person, &step])
        .await?;
    if row.is_some() {
        commit_on_record(tx, person, "user.login", json!({})).await?;
    }
    Ok(row.is_some())
}

/// Puts on record that a session was opened with an API token.
///
/// # Errors
/// As the statements fail.
pub async fn record_token_login(db: &Db, tenant: Tenant, id: i64) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    tx.record("token.login", &id.to_string(), json!({})).await?;
    tx.commit().await
}

/// A person's own secrets.
pub struct Own {
    /// What they log in with.
    pub email: String,
    /// None until they set a password.
    pub password_hash: Option<String>,
    /// The sealed secret that codes are made of.
    pub totp: Option<Vec<u8>>,
    /// One that was shown and waits to be confirmed.
    pub totp_pending: Option<Vec<u8>>,
    /// The step of the last code that was used.
    pub totp_step: i64,
}

/// A person's own secrets.
///
/// # Errors
/// As the statement fails.
pub async fn get_own(db: &Db, person: i64) -> Result<Option<Own>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx.query_opt(sql!("platform/get_person"), &[&person]).await?;
    tx.commit().await?;
    Ok(row.map(|row| Own {
        email: row.get("email"),
        password_hash: row.get("password_hash"),
        totp: row.get("totp"),
        totp_pending: row.get("totp_pending"),
        totp_step: row.get("totp_step"),
    }))
}

/// Sets a password; every session but this one ends.
///
/// # Errors
/// As the statement fails.
pub async fn set_password(db: &Db, person: i64, hash: &str, keep: Option<uuid::Uuid>) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    tx.execute(sql!("platform/update_person_password"), &[&person, &hash, &keep])
        .await?;
    commit_on_record(tx, person, "user.password", json!({ "by": "own" })).await
}

/// Remembers a secret that was shown.
///
/// # Errors
/// As the statement fails.
pub async fn set_totp_pending(db: &Db, person: i64, sealed: &[u8]) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    tx.execute(sql!("platform/update_person_totp_pending"), &[&person, &sealed])
        .await?;
    tx.commit().await
}

/// Asks for codes from now on, or no more; every session but this one ends.
///
/// # Errors
/// As the statement fails.
pub async fn set_totp(
    db: &Db,
    person: i64,
    sealed: Option<&[u8]>,
    step: i64,
    keep: Option<uuid::Uuid>,
) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    tx.execute(
        sql!("platform/update_person_totp"),
        &[&person, &sealed, &step, &keep],
    )
    .await?;
    commit_on_record(tx, person, "user.totp", json!({ "on": sealed.is_some() })).await
}
