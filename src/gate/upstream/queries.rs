//! What is stored of a machine's way to CAPI.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::model::{self, NoToken, Purpose, place};
use crate::app::App;
use crate::db::{DbError, Tenant, TenantTx, sql};
use crate::outbound::capi::{Credentials, Token};

/// What we speak to CAPI with.
pub struct Upstream {
    /// The machine's own login, which the seals are bound to; upstream's may be another.
    pub login: String,
    pub who: Credentials,
    pub registered: bool,
    pub token: Option<SecretString>,
    pub expires: Option<Timestamp>,
    pub user_agent: Option<String>,
}

/// Reads and opens a machine's credentials.
pub async fn get_upstream(app: &App, tenant: Tenant, machine: i64) -> Result<Option<Upstream>, NoToken> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(sql!("machine/get_upstream"), &[&tenant.id(), &machine])
        .await?;
    tx.commit().await?;
    drop(connection);
    let Some(row) = row else { return Ok(None) };
    let login: String = row.get("login");
    let open = |column: &str, sealed: &[u8]| -> Result<SecretString, NoToken> {
        let plain = app.ring.open(&place(column, tenant.id(), &login), sealed)?;
        Ok(String::from_utf8_lossy(&plain).into_owned().into())
    };
    let token: Option<Vec<u8>> = row.get("upstream_token");
    let who_login: String = row.get("upstream_login");
    Ok(Some(Upstream {
        who: Credentials {
            login: who_login,
            password: open("upstream_password", &row.get::<_, Vec<u8>>("upstream_password"))?,
            scenarios: row.get("scenarios"),
        },
        registered: row.get("upstream_registered"),
        token: token.map(|sealed| open("upstream_token", &sealed)).transpose()?,
        expires: row.get("upstream_token_expires"),
        user_agent: row.get("user_agent"),
        login,
    }))
}

/// Takes the right to log this machine in; false while another replica has it.
pub async fn claim_login(app: &App, tenant: Tenant, machine: i64) -> Result<bool, DbError> {
    update(app, tenant, sql!("machine/claim_login"), machine).await
}

/// Gives the right back without a token.
pub async fn release_login(app: &App, tenant: Tenant, machine: i64) -> Result<(), DbError> {
    update(app, tenant, sql!("machine/release_login"), machine)
        .await
        .map(drop)
}

async fn update(app: &App, tenant: Tenant, statement: &str, machine: i64) -> Result<bool, DbError> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, tenant).await?;
    let changed = tx.execute(statement, &[&tenant.id(), &machine]).await?;
    tx.commit().await?;
    Ok(changed == 1)
}

/// Keeps the token of a login of our own.
pub async fn update_token(
    app: &App,
    tenant: Tenant,
    machine: i64,
    login: &str,
    token: &Token,
) -> Result<(), DbError> {
    let sealed = seal_token(app, tenant, login, token);
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, tenant).await?;
    tx.execute(
        sql!("machine/update_token"),
        &[&tenant.id(), &machine, &sealed, &token.expires],
    )
    .await?;
    tx.commit().await
}

/// Drops the stored token, whatever it is.
pub async fn update_token_refused(
    app: &App,
    tenant: Tenant,
    machine: i64,
    refused: &SecretString,
) -> Result<(), NoToken> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, tenant).await?;
    let Some(row) = tx
        .query_opt(sql!("machine/get_upstream"), &[&tenant.id(), &machine])
        .await?
    else {
        return Ok(());
    };
    let login: String = row.get("login");
    if let Some(sealed) = row.get::<_, Option<Vec<u8>>>("upstream_token") {
        let plain = app
            .ring
            .open(&place("upstream_token", tenant.id(), &login), &sealed)?;
        if plain == refused.expose_secret().as_bytes() {
            tx.execute(
                sql!("machine/update_token_refused"),
                &[&tenant.id(), &machine, &sealed],
            )
            .await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Keeps what a login relayed for the engine told: password, token, scenarios, program.
///
/// # Errors
/// As the statements fail.
pub async fn store_login(
    app: &App,
    tx: &TenantTx<'_>,
    machine: i64,
    who: &Credentials,
    token: &Token,
    user_agent: Option<&str>,
) -> Result<(), DbError> {
    let tenant = tx.tenant();
    let password = app.ring.seal(
        &place("upstream_password", tenant.id(), &who.login),
        who.password.expose_secret().as_bytes(),
    );
    let sealed = seal_token(app, tenant, &who.login, token);
    tx.execute(
        sql!("machine/update_login"),
        &[
            &tenant.id(),
            &machine,
            &password,
            &sealed,
            &token.expires,
            &who.scenarios,
            &user_agent,
        ],
    )
    .await?;
    let hash = app.ring.token_hash(token.token.expose_secret());
    tx.platform(
        sql!("platform/upsert_credential"),
        &[&hash, &2i16, &Some(tenant.id()), &machine, &Some(token.expires)],
    )
    .await?;
    Ok(())
}

fn seal_token(app: &App, tenant: Tenant, login: &str, token: &Token) -> Vec<u8> {
    app.ring.seal(
        &place("upstream_token", tenant.id(), login),
        token.token.expose_secret().as_bytes(),
    )
}

/// Counts a login that is about to be sent to CAPI, if the budget allows it.
///
/// # Errors
/// As the statements fail.
pub async fn count_login(app: &App, purpose: Purpose) -> Result<bool, DbError> {
    let Some(budget) = app.settings.login_budget else {
        return Ok(true);
    };
    let mut connection = app.db.connection().await?;
    let tx = app.db.platform(&mut connection).await?;
    tx.query(sql!("platform/lock_upstream_logins"), &[]).await?;
    let used: i64 = match tx.query_opt(sql!("platform/count_upstream_logins"), &[]).await? {
        Some(row) => row.get("logins"),
        None => 0,
    };
    if !model::fits(Some(budget), used, purpose) {
        return Ok(false);
    }
    tx.execute(sql!("platform/insert_upstream_login"), &[]).await?;
    tx.commit().await?;
    Ok(true)
}

/// The password that CAPI accepted last for this machine.
///
/// # Errors
/// As the statement or the seal fails.
pub async fn password(app: &App, tenant: Tenant, machine: i64) -> Result<Option<SecretString>, NoToken> {
    Ok(get_upstream(app, tenant, machine)
        .await?
        .map(|upstream| upstream.who.password))
}
