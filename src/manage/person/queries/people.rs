//! People, whatever tenants they belong to.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::db::{Db, DbError, PlatformTx, Tenant, sql};
use crate::http::Role;
use crate::kernel::keyring::Keyring;
use crate::kernel::secret::{self, Kind};
use crate::manage::person::model::RESET;

/// A person as they are listed.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct PersonRow {
    pub id: i64,
    pub email: String,
    pub name: String,
    pub last_login_at: Option<Timestamp>,
    pub disabled: bool,
    /// Whether a code is asked of them beside the password.
    pub totp: bool,
    pub is_platform_admin: bool,
}

impl PersonRow {
    pub(super) fn from_row(row: &tokio_postgres::Row) -> Self {
        Self {
            id: row.get("id"),
            email: row.get("email"),
            name: row.get("name"),
            last_login_at: row.get("last_login_at"),
            disabled: row.get("disabled"),
            totp: row.get("totp"),
            is_platform_admin: row.get("is_platform_admin"),
        }
    }
}

/// A person to be made.
#[derive(Debug)]
pub struct NewPerson<'a> {
    /// What they log in with.
    pub email: &'a str,
    /// What they are called.
    pub name: &'a str,
    /// None until they set one.
    pub password_hash: Option<&'a str>,
    /// Whether they are the platform's admin.
    pub is_platform_admin: bool,
}

/// Makes a person; none when there is one of this address.
///
/// # Errors
/// As the statement fails.
pub async fn add(db: &Db, person: &NewPerson<'_>) -> Result<Option<i64>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx
        .query_opt(
            sql!("platform/insert_person"),
            &[
                &person.email,
                &person.name,
                &person.password_hash,
                &person.is_platform_admin,
            ],
        )
        .await?;
    tx.commit().await?;
    Ok(row.map(|row| row.get("id")))
}

/// What a login is compared with.
pub struct Login {
    /// The person's number.
    pub id: i64,
    /// None until they set a password.
    pub password_hash: Option<String>,
    /// The sealed secret that codes are made of.
    pub totp: Option<Vec<u8>>,
    /// The step of the last code that was used.
    pub totp_step: i64,
    /// Whether they are shut out.
    pub disabled: bool,
}

/// What a login with this address is compared with.
///
/// # Errors
/// As the statement fails.
pub async fn get_login(db: &Db, email: &str) -> Result<Option<Login>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx
        .query_opt(sql!("platform/get_person_by_email"), &[&email])
        .await?;
    tx.commit().await?;
    Ok(row.map(|row| Login {
        id: row.get("id"),
        password_hash: row.get("password_hash"),
        totp: row.get("totp"),
        totp_step: row.get("totp_step"),
        disabled: row.get("disabled"),
    }))
}

/// The number of who has this address.
///
/// # Errors
/// As the statement fails.
pub async fn find(db: &Db, email: &str) -> Result<Option<i64>, DbError> {
    Ok(get_login(db, email).await?.map(|login| login.id))
}

/// Everybody.
///
/// # Errors
/// As the statement fails.
pub async fn list(db: &Db) -> Result<Vec<PersonRow>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let rows = tx.query(sql!("platform/list_all_people"), &[]).await?;
    tx.commit().await?;
    Ok(rows.iter().map(PersonRow::from_row).collect())
}

/// A tenant that a person belongs to.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Belongs {
    pub place: Tenant,
    pub tenant: String,
    pub role: Role,
    pub suspended: bool,
}

fn place_of(row: &tokio_postgres::Row) -> Tenant {
    Tenant::proven(row.get("tenant_id"))
}

/// The tenants that a person belongs to, by name.
///
/// # Errors
/// As the statement fails.
pub async fn list_memberships(db: &Db, person: i64) -> Result<Vec<Belongs>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let rows = tx.query(sql!("platform/list_memberships"), &[&person]).await?;
    tx.commit().await?;
    let belongs = |row: &tokio_postgres::Row| Belongs {
        place: place_of(row),
        tenant: row.get("tenant"),
        role: Role::from_code(row.get("role")),
        suspended: row.get("suspended"),
    };
    Ok(rows.iter().map(belongs).collect())
}

/// Takes the password away, ends every session, and gives the text that sets a new password once, with its end. None for
/// who is not there or disabled.
///
/// # Errors
/// As the statement fails.
pub async fn reset(db: &Db, ring: &Keyring, person: i64) -> Result<Option<(String, Timestamp)>, DbError> {
    let text = secret::generate(Kind::PasswordReset);
    let hash = ring.token_hash(&text);
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx
        .query_opt(sql!("platform/update_person_reset"), &[&person, &hash, &RESET])
        .await?;
    if row.is_some() {
        commit_on_record(tx, person, "user.reset", json!({})).await?;
    }
    Ok(row.map(|row| (text, row.get("reset_until"))))
}

/// Who may set a new password with this text.
///
/// # Errors
/// As the statement fails.
pub async fn get_by_reset(db: &Db, hash: &[u8]) -> Result<Option<(i64, String)>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx
        .query_opt(sql!("platform/get_person_by_reset"), &[&hash])
        .await?;
    tx.commit().await?;
    Ok(row.map(|row| (row.get("id"), row.get("email"))))
}

/// Sets the password of who may with this text, and ends every session; false when it has been used meanwhile.
///
/// # Errors
/// As the statement fails.
pub async fn set_password_by_reset(db: &Db, hash: &[u8], password_hash: &str) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx
        .query_opt(
            sql!("platform/update_person_password_by_reset"),
            &[&hash, &password_hash],
        )
        .await?;
    let Some(row) = row else { return Ok(false) };
    commit_on_record(tx, row.get("id"), "user.password", json!({ "by": "reset" })).await?;
    Ok(true)
}

/// Forgets who a person is at identity providers and to proxies: the next login there is a first one. How many it were.
///
/// # Errors
/// As the statements fail.
pub async fn unlink(db: &Db, person: i64) -> Result<u64, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let gone = tx.execute(sql!("platform/delete_identities"), &[&person]).await?;
    commit_on_record(tx, person, "user.unlink", json!({ "identities": gone })).await?;
    Ok(gone)
}

/// Shuts a person out, or lets them in again.
///
/// # Errors
/// As the statement fails.
pub async fn set_disabled(db: &Db, person: i64, disabled: bool) -> Result<(), DbError> {
    let action = if disabled { "user.disable" } else { "user.enable" };
    change(
        db,
        (sql!("platform/update_person_disabled"), action),
        person,
        disabled,
    )
    .await
}

/// Makes a person the platform's admin, or takes that away.
///
/// # Errors
/// As the statement fails.
pub async fn set_admin(db: &Db, person: i64, admin: bool) -> Result<(), DbError> {
    let statement = sql!("platform/update_person_admin");
    change(db, (statement, "user.platform-admin"), person, admin).await
}

async fn change(
    db: &Db,
    (statement, action): (&str, &'static str),
    person: i64,
    on: bool,
) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    tx.execute(statement, &[&person, &on]).await?;
    commit_on_record(tx, person, action, json!({ "on": on })).await
}

/// Commits what happened to a person, on record in every tenant that they belong to.
pub(super) async fn commit_on_record(
    tx: PlatformTx<'_>,
    person: i64,
    action: &'static str,
    details: Value,
) -> Result<(), DbError> {
    let rows = tx.query(sql!("platform/list_memberships"), &[&person]).await?;
    let mut tenants: Vec<Tenant> = rows.iter().map(place_of).collect();
    // In one order, because each record makes the tenant's others wait.
    tenants.sort_unstable_by_key(|tenant| tenant.id());
    let Some((first, others)) = tenants.split_first() else {
        return tx.commit().await;
    };
    let target = person.to_string();
    let mut tx = tx.into_tenant(*first).await?;
    tx.record(action, &target, details.clone()).await?;
    for tenant in others {
        tx = tx.into_tenant(*tenant).await?;
        tx.record(action, &target, details.clone()).await?;
    }
    tx.commit().await
}
