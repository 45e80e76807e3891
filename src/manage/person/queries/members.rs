//! What people are in one tenant, and invitations into it.

use jiff::Timestamp;

use super::people::PersonRow;
use serde_json::json;

use crate::db::{By, Db, DbError, Entry, Tenant, TenantTx, sql};
use crate::http::Role;
use crate::kernel::keyring::Keyring;
use crate::kernel::secret::{self, Kind};
use crate::manage::person::model::INVITATION;

/// A person in a tenant.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Member {
    pub person: PersonRow,
    pub role: Role,
    /// Whether the role came with groups of an identity provider; by hand otherwise.
    pub by_groups: bool,
    pub since: Timestamp,
}

/// Why nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// They do not belong to the tenant.
    NoMember,
    /// They are the tenant's last admin.
    LastAdmin,
}

/// Who belongs to a tenant; one of them where a number is given.
///
/// # Errors
/// As the statements fail.
pub async fn list_members(db: &Db, tenant: Tenant, only: Option<i64>) -> Result<Vec<Member>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let rows = match only {
        Some(person) => tx.query(sql!("member/get"), &[&tenant.id(), &person]).await?,
        None => tx.query(sql!("member/list"), &[&tenant.id()]).await?,
    };
    let ids: Vec<i64> = rows.iter().map(|row| row.get("person_id")).collect();
    let people = tx.platform(sql!("platform/list_people"), &[&ids]).await?;
    tx.commit().await?;
    let mut people: std::collections::HashMap<i64, PersonRow> = people
        .iter()
        .map(PersonRow::from_row)
        .map(|person| (person.id, person))
        .collect();
    let member = |row: &tokio_postgres::Row| {
        Some(Member {
            person: people.remove(&row.get("person_id"))?,
            role: Role::from_code(row.get("role")),
            by_groups: row.get::<_, i16>("origin") == 2,
            since: row.get("created_at"),
        })
    };
    Ok(rows.iter().filter_map(member).collect())
}

/// Gives a person a role: a new one, where they are a member and `join` is not set. A tenant keeps its last admin.
///
/// # Errors
/// As the statements fail.
pub async fn set_role(
    db: &Db,
    tenant: Tenant,
    person: i64,
    role: Role,
    join: bool,
) -> Result<Result<(), Gone>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    if role != Role::Admin && is_last_admin(&tx, person).await? {
        return Ok(Err(Gone::LastAdmin));
    }
    let statement = if join {
        sql!("member/upsert")
    } else {
        sql!("member/update_role")
    };
    let changed = tx
        .execute(statement, &[&tenant.id(), &person, &role.code()])
        .await?;
    if changed == 1 {
        let action = if join { "user.join" } else { "user.change" };
        tx.record(action, &person.to_string(), json!({ "role": role.name() }))
            .await?;
    }
    tx.commit().await?;
    Ok(if changed == 0 { Err(Gone::NoMember) } else { Ok(()) })
}

/// Takes a person out of a tenant, which keeps its last admin.
///
/// # Errors
/// As the statements fail.
pub async fn remove(db: &Db, tenant: Tenant, person: i64) -> Result<Result<(), Gone>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    if is_last_admin(&tx, person).await? {
        return Ok(Err(Gone::LastAdmin));
    }
    let gone = tx
        .execute(sql!("member/delete"), &[&tenant.id(), &person])
        .await?;
    if gone == 1 {
        tx.record("user.remove", &person.to_string(), json!({})).await?;
    }
    tx.commit().await?;
    Ok(if gone == 0 { Err(Gone::NoMember) } else { Ok(()) })
}

async fn is_last_admin(tx: &TenantTx<'_>, person: i64) -> Result<bool, DbError> {
    let admins = tx
        .query(sql!("member/claim_admins"), &[&tx.tenant().id()])
        .await?;
    let admins: Vec<i64> = admins.iter().map(|row| row.get("person_id")).collect();
    Ok(admins == [person])
}

/// An invitation just made; the text is shown once.
#[derive(Debug)]
pub struct Invitation {
    /// Its number.
    pub id: i64,
    /// What the invited person shows.
    pub text: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// An invitation that waits.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct InvitationRow {
    pub id: i64,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub created_by: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Invites who has this address.
///
/// # Errors
/// As the statements fail.
pub async fn invite(
    db: &Db,
    ring: &Keyring,
    tenant: Tenant,
    (email, name, role): (&str, &str, Role),
    created_by: &str,
) -> Result<Invitation, DbError> {
    let text = secret::generate(Kind::Invitation);
    let hash = ring.token_hash(&text);
    let created_by: String = created_by.chars().take(200).collect();
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(
            sql!("invitation/insert"),
            &[
                &tenant.id(),
                &email,
                &name,
                &role.code(),
                &created_by,
                &INVITATION,
            ],
        )
        .await?
        .ok_or_else(|| DbError::Internal("an insert returned no row".to_owned()))?;
    let (id, expires_at): (i64, Timestamp) = (row.get("id"), row.get("expires_at"));
    tx.platform(
        sql!("platform/upsert_credential"),
        &[&hash, &7i16, &Some(tenant.id()), &id, &Some(expires_at)],
    )
    .await?;
    let details = json!({ "email": email, "role": role.name() });
    tx.record("user.invite", &id.to_string(), details).await?;
    tx.commit().await?;
    Ok(Invitation { id, text, expires_at })
}

/// The invitations that wait.
///
/// # Errors
/// As the statement fails.
pub async fn list_invitations(db: &Db, tenant: Tenant) -> Result<Vec<InvitationRow>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let rows = tx.query(sql!("invitation/list"), &[&tenant.id()]).await?;
    tx.commit().await?;
    let invitation = |row: &tokio_postgres::Row| InvitationRow {
        id: row.get("id"),
        email: row.get("email"),
        name: row.get("name"),
        role: Role::from_code(row.get("role")),
        created_by: row.get("created_by"),
        created_at: row.get("created_at"),
        expires_at: row.get("expires_at"),
    };
    Ok(rows.iter().map(invitation).collect())
}

/// Takes an invitation back; false when there is none.
///
/// # Errors
/// As the statements fail.
pub async fn uninvite(db: &Db, tenant: Tenant, id: i64) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let gone = tx
        .execute(sql!("invitation/delete"), &[&tenant.id(), &id])
        .await?;
    tx.platform(
        sql!("platform/delete_credentials"),
        &[&Some(tenant.id()), &7i16, &id],
    )
    .await?;
    if gone == 1 {
        tx.record("user.uninvite", &id.to_string(), json!({})).await?;
    }
    tx.commit().await?;
    Ok(gone == 1)
}

/// What an invitation says.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Accepted {
    pub tenant: Tenant,
    pub id: i64,
    pub email: String,
    pub name: String,
    pub role: Role,
}

/// The invitation of this hash, if it is good.
///
/// # Errors
/// As the statements fail.
pub async fn get_invitation(db: &Db, hash: &[u8]) -> Result<Option<Accepted>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx
        .query_opt(sql!("platform/get_invitation_tenant"), &[&hash])
        .await?;
    let Some(row) = row else { return Ok(None) };
    let (tenant, id): (_, i64) = (Tenant::proven(row.get("tenant_id")), row.get("invitation_id"));
    let tx = tx.into_tenant(tenant).await?;
    let row = tx.query_opt(sql!("invitation/get"), &[&tenant.id(), &id]).await?;
    tx.commit().await?;
    Ok(row.map(|row| Accepted {
        tenant,
        id,
        email: row.get("email"),
        name: row.get("name"),
        role: Role::from_code(row.get("role")),
    }))
}

/// Uses an invitation up: the person is made where there is none, and belongs to the tenant. False when it has been used
/// meanwhile, or somebody else became this person.
///
/// # Errors
/// As the statements fail.
pub async fn accept(
    db: &Db,
    by: &By,
    invitation: &Accepted,
    name: &str,
    person: Result<i64, &str>,
) -> Result<bool, DbError> {
    let tenant = invitation.tenant;
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let used = tx
        .execute(
            sql!("invitation/update_accepted"),
            &[&tenant.id(), &invitation.id],
        )
        .await?;
    if used == 0 {
        return Ok(false);
    }
    let person = match person {
        Ok(id) => id,
        Err(password_hash) => {
            let statement = sql!("platform/insert_person");
            let made = tx
                .platform(
                    statement,
                    &[&invitation.email, &name, &Some(password_hash), &false],
                )
                .await?;
            let Some(row) = made.first() else { return Ok(false) };
            row.get("id")
        }
    };
    if invitation.role != Role::Admin && is_last_admin(&tx, person).await? {
        return Ok(false);
    }
    tx.execute(
        sql!("member/upsert"),
        &[&tenant.id(), &person, &invitation.role.code()],
    )
    .await?;
    tx.platform(
        sql!("platform/delete_credentials"),
        &[&Some(tenant.id()), &7i16, &invitation.id],
    )
    .await?;
    let details = json!({ "invitation": invitation.id, "role": invitation.role.name() });
    let by = By {
        id: Some(person),
        ..by.clone()
    };
    tx.record_by(&by, Entry::done("user.join", &person.to_string(), details))
        .await?;
    tx.commit().await?;
    Ok(true)
}
