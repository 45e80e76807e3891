//! Machines and their logins in the database.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::model::{Issued, LOGIN_LENGTH, PASSWORD_LENGTH, hash_password, is_upstream_login};
use crate::app::App;
use crate::db::{ActorKind, By, Db, DbError, Entry, Tenant, TenantTx, sql};
use crate::gate::upstream::{NoToken, place, store_login};
use crate::http::Machine;
use crate::kernel::keyring::Keyring;
use crate::kernel::secret;
use crate::outbound::capi::{Credentials, Token};

/// A machine as its login finds it.
pub struct Known {
    pub machine: Machine,
    /// argon2 of the password, for credentials that we issued.
    pub issued_hash: Option<String>,
}

/// The machine that has this login.
pub async fn get_by_login(app: &App, login: &str) -> Result<Option<Known>, DbError> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.platform(&mut connection).await?;
    let row = tx
        .query_opt(sql!("platform/get_machine_by_login"), &[&login])
        .await?;
    tx.commit().await?;
    Ok(row.and_then(|row| {
        Some(Known {
            machine: Machine::from_row(&row, row.get("id"))?,
            issued_hash: row.get("password_hash"),
        })
    }))
}

/// The tenant of this name.
pub async fn get_tenant(app: &App, name: &str) -> Result<Option<(Tenant, bool)>, DbError> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.platform(&mut connection).await?;
    let row = tx.query_opt(sql!("tenant/get"), &[&name]).await?;
    tx.commit().await?;
    Ok(row.map(|row| (Tenant::proven(row.get("id")), row.get("forward_enabled"))))
}

/// The tenant whose enrolment key has this hash.
pub async fn get_enrolment_tenant(app: &App, key: &str) -> Result<Option<(Tenant, bool)>, DbError> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.platform(&mut connection).await?;
    let row = tx
        .query_opt(
            sql!("platform/get_enrolment_tenant"),
            &[&app.ring.token_hash(key)],
        )
        .await?;
    tx.commit().await?;
    Ok(row.map(|row| (Tenant::proven(row.get("id")), row.get("forward_enabled"))))
}

/// Makes credentials for a machine; none when the login is taken, in whatever tenant.
///
/// # Errors
/// As the statements fail.
pub async fn insert_issued(
    db: &Db,
    ring: &Keyring,
    tenant: Tenant,
    login: Option<String>,
) -> Result<Option<Issued>, DbError> {
    let login = login.unwrap_or_else(|| secret::random_text(LOGIN_LENGTH));
    let password = secret::random_text(PASSWORD_LENGTH);
    let upstream_login = if is_upstream_login(&login) {
        login.clone()
    } else {
        secret::random_text(LOGIN_LENGTH)
    };
    let hash = hash_password(&password).map_err(|e| DbError::Internal(e.to_string()))?;
    let sealed = ring.seal(
        &place("upstream_password", tenant.id(), &login),
        secret::random_text(PASSWORD_LENGTH).as_bytes(),
    );
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(
            sql!("machine/insert"),
            &[
                &tenant.id(),
                &login,
                &1i16,
                &"",
                &Some(hash),
                &upstream_login,
                &sealed,
                &false,
                &None::<String>,
            ],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let id: i64 = row.get("id");
    if !claim_login_name(&tx, &login, id).await? {
        return Ok(None);
    }
    tx.record("machine.create", &login, json!({ "id": id })).await?;
    tx.commit().await?;
    Ok(Some(Issued { login, password }))
}

/// Writes the login into the directory; false when another machine has it.
async fn claim_login_name(tx: &TenantTx<'_>, login: &str, machine: i64) -> Result<bool, DbError> {
    tx.platform(
        sql!("platform/insert_machine_login"),
        &[&login, &tx.tenant().id(), &machine],
    )
    .await?;
    let row = tx
        .platform(sql!("platform/get_machine_by_login"), &[&login])
        .await?
        .into_iter()
        .next();
    Ok(row.is_some_and(|row| {
        row.get::<_, i32>("tenant_id") == tx.tenant().id() && row.get::<_, i64>("id") == machine
    }))
}

/// Removes a machine and everything that opens it; false when there is none.
///
/// # Errors
/// As the statements fail.
pub async fn remove(db: &Db, tenant: Tenant, machine: i64) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let removed = tx
        .execute(sql!("machine/update_removed"), &[&tenant.id(), &machine])
        .await?;
    tx.execute(sql!("stream/delete"), &[&tenant.id(), &machine])
        .await?;
    tx.execute(sql!("link/delete"), &[&tenant.id(), &machine]).await?;
    tx.platform(
        sql!("platform/delete_credentials"),
        &[&Some(tenant.id()), &2i16, &machine],
    )
    .await?;
    tx.platform(sql!("platform/delete_machine_login"), &[&tenant.id(), &machine])
        .await?;
    if removed == 1 {
        tx.record("machine.remove", &machine.to_string(), json!({}))
            .await?;
    }
    tx.commit().await?;
    Ok(removed == 1)
}

/// Keeps what a login that CAPI accepted tells of a machine that is known.
pub async fn update_login(
    app: &App,
    machine: &Machine,
    who: &Credentials,
    token: &Token,
    user_agent: Option<&str>,
) -> Result<(), DbError> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, machine.tenant).await?;
    store_login(app, &tx, machine.id, who, token, user_agent).await?;
    tx.commit().await
}

/// Keeps what a login that we answered ourselves tells.
pub async fn update_seen(
    app: &App,
    machine: &Machine,
    scenarios: &[String],
    user_agent: Option<&str>,
) -> Result<(), DbError> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, machine.tenant).await?;
    tx.execute(
        sql!("machine/update_seen"),
        &[&machine.tenant.id(), &machine.id, &scenarios, &user_agent],
    )
    .await?;
    tx.commit().await
}

/// Makes a machine of a login that CAPI accepted; none when another replica was faster.
pub async fn insert_accepted(
    app: &App,
    tenant: Tenant,
    who: &Credentials,
    token: &Token,
    user_agent: Option<&str>,
) -> Result<Option<i64>, DbError> {
    let password = app.ring.seal(
        &place("upstream_password", tenant.id(), &who.login),
        who.password.expose_secret().as_bytes(),
    );
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(
            sql!("machine/insert"),
            &[
                &tenant.id(),
                &who.login,
                &2i16,
                &"",
                &None::<String>,
                &who.login,
                &password,
                &true,
                &user_agent,
            ],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let id: i64 = row.get("id");
    if !claim_login_name(&tx, &who.login, id).await? {
        return Ok(None);
    }
    store_login(app, &tx, id, who, token, user_agent).await?;
    tx.platform(sql!("platform/delete_unbound_login"), &[&who.login])
        .await?;
    // The machine itself did it, by its login.
    let by = By {
        kind: ActorKind::Machine,
        id: Some(id),
        name: who.login.as_str().into(),
        ..(*app.db.hands()).clone()
    };
    let entry = Entry::done("machine.enrol", &who.login, json!({ "id": id }));
    tx.record_by(&by, entry).await?;
    tx.commit().await?;
    Ok(Some(id))
}

/// Remembers a login that CAPI accepted and no tenant has.
pub async fn upsert_unbound(
    app: &App,
    who: &Credentials,
    token: &Token,
    user_agent: Option<&str>,
) -> Result<(), DbError> {
    let seal = |column: &str, plain: &str| {
        app.ring
            .seal(&format!("unbound_login.{column}/{}", who.login), plain.as_bytes())
    };
    let password = seal("password", who.password.expose_secret());
    let sealed = seal("token", token.token.expose_secret());
    let mut connection = app.db.connection().await?;
    let tx = app.db.platform(&mut connection).await?;
    let row = tx
        .query_opt(
            sql!("platform/upsert_unbound_login"),
            &[&who.login, &password, &sealed, &token.expires, &user_agent],
        )
        .await?
        .ok_or_else(|| DbError::Internal("an upsert returned no row".to_owned()))?;
    let id: i64 = row.get("id");
    let hash = app.ring.token_hash(token.token.expose_secret());
    tx.execute(
        sql!("platform/upsert_credential"),
        &[&hash, &4i16, &None::<i32>, &id, &Some(token.expires)],
    )
    .await?;
    tx.commit().await
}

/// Gives a login without a tenant to one; false when it is not there any more.
pub async fn bind(app: &App, tenant: Tenant, unbound: i64, name: &str) -> Result<bool, NoToken> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.platform(&mut connection).await?;
    let row = tx
        .query_opt(sql!("platform/get_unbound_login"), &[&unbound])
        .await?;
    tx.commit().await?;
    drop(connection);
    let Some(row) = row else { return Ok(false) };
    let login: String = row.get("login");
    let open = |column: &str| -> Result<SecretString, NoToken> {
        let plain = app.ring.open(
            &format!("unbound_login.{column}/{login}"),
            &row.get::<_, Vec<u8>>(column),
        )?;
        Ok(String::from_utf8_lossy(&plain).into_owned().into())
    };
    let who = Credentials {
        login: login.clone(),
        password: open("password")?,
        scenarios: Vec::new(),
    };
    let token = Token {
        token: open("token")?,
        expires: row.get::<_, Timestamp>("token_expires_at"),
    };
    let user_agent: Option<String> = row.get("user_agent");
    let Some(id) = insert_accepted(app, tenant, &who, &token, user_agent.as_deref()).await? else {
        return Ok(false);
    };
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, tenant).await?;
    tx.execute(sql!("machine/update_name"), &[&tenant.id(), &id, &name])
        .await?;
    tx.platform(
        sql!("platform/bind_credentials"),
        &[&unbound, &Some(tenant.id()), &id],
    )
    .await?;
    tx.commit().await?;
    Ok(true)
}

/// Names a machine.
pub async fn update_name(app: &App, machine: &Machine, name: &str) -> Result<(), DbError> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, machine.tenant).await?;
    tx.execute(
        sql!("machine/update_name"),
        &[&machine.tenant.id(), &machine.id, &name],
    )
    .await?;
    tx.record("machine.name", &machine.login, json!({ "name": name }))
        .await?;
    tx.commit().await
}

/// Moves a machine to another tenant: a new row there, its login and tokens with it. What it sent before stays where
/// it was, and its old lane still delivers it.
pub async fn relocate(app: &App, machine: &Machine, to: Tenant, name: &str) -> Result<bool, NoToken> {
    let from = machine.tenant;
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, from).await?;
    let row = tx
        .query_opt(sql!("machine/get_credentials"), &[&from.id(), &machine.id])
        .await?;
    let Some(row) = row else { return Ok(false) };
    let login: String = row.get("login");
    let reseal = |column: &str, sealed: Vec<u8>| -> Result<Vec<u8>, NoToken> {
        let plain = app.ring.open(&place(column, from.id(), &login), &sealed)?;
        Ok(app.ring.seal(&place(column, to.id(), &login), &plain))
    };
    let password = reseal("upstream_password", row.get("upstream_password"))?;
    let token = row
        .get::<_, Option<Vec<u8>>>("upstream_token")
        .map(|t| reseal("upstream_token", t))
        .transpose()?;
    tx.execute(sql!("link/delete"), &[&from.id(), &machine.id])
        .await?;
    let tx = tx.into_tenant(to).await?;
    let new = tx
        .query_opt(
            sql!("machine/insert"),
            &[
                &to.id(),
                &login,
                &row.get::<_, i16>("kind"),
                &name,
                &row.get::<_, Option<String>>("password_hash"),
                &row.get::<_, String>("upstream_login"),
                &password,
                &row.get::<_, bool>("upstream_registered"),
                &row.get::<_, Option<String>>("user_agent"),
            ],
        )
        .await?;
    let Some(new) = new else { return Ok(false) };
    let id: i64 = new.get("id");
    tx.execute(
        sql!("machine/update_upstream"),
        &[
            &to.id(),
            &id,
            &token,
            &row.get::<_, Option<Timestamp>>("upstream_token_expires"),
            &row.get::<_, Vec<String>>("scenarios"),
        ],
    )
    .await?;
    tx.platform(sql!("platform/update_machine_login"), &[&login, &to.id(), &id])
        .await?;
    tx.platform(
        sql!("platform/move_credentials"),
        &[&Some(from.id()), &machine.id, &Some(to.id()), &id],
    )
    .await?;
    tx.platform(
        sql!("platform/update_machine_removed"),
        &[&from.id(), &machine.id],
    )
    .await?;
    // Neither tenant learns which the other is.
    tx.record("machine.come", &login, json!({ "id": id })).await?;
    let tx = tx.into_tenant(from).await?;
    tx.record("machine.leave", &login, json!({ "id": machine.id }))
        .await?;
    tx.commit().await?;
    Ok(true)
}
