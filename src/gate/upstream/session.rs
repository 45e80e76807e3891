//! A token of CAPI's for one machine: the stored one while it is good, otherwise a login, once over all replicas.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::model::{LOOK_AGAIN, NoToken, Purpose, is_fresh};
use super::queries::{self, Upstream};
use crate::app::App;
use crate::db::{DbError, Tenant};
use crate::outbound::capi::{Down, Login};

/// Longest wait for another replica's login.
const PATIENCE: Duration = Duration::from_secs(15);

/// A token to speak for this machine with, and the program name it speaks as.
///
/// # Errors
/// When CAPI cannot be asked, refuses, or may not be asked again so soon.
pub async fn token(
    app: &App,
    tenant: Tenant,
    machine: i64,
    version: u8,
) -> Result<(SecretString, Option<String>), NoToken> {
    let begun = Instant::now();
    loop {
        let Some(upstream) = queries::get_upstream(app, tenant, machine).await? else {
            return Err(NoToken::Refused(404));
        };
        if let Some(token) = &upstream.token
            && is_fresh(upstream.expires, Timestamp::now())
        {
            return Ok((token.clone(), upstream.user_agent));
        }
        if queries::claim_login(app, tenant, machine).await? {
            // Goes on when the caller goes away: the login is spent in any case, so its token is kept.
            let app = app.clone();
            let agent = upstream.user_agent.clone();
            let work = tokio::spawn(async move {
                let result = log_in(&app, tenant, machine, version, &upstream).await;
                if result.is_err() {
                    queries::release_login(&app, tenant, machine).await?;
                }
                result
            });
            let token = work.await.map_err(|e| DbError::Internal(e.to_string()))??;
            return Ok((token, agent));
        }
        if begun.elapsed() > PATIENCE {
            return Err(Down {
                cause: "another replica's login takes too long".to_owned(),
                retry_after: None,
            }
            .into());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn log_in(
    app: &App,
    tenant: Tenant,
    machine: i64,
    version: u8,
    upstream: &Upstream,
) -> Result<SecretString, NoToken> {
    if !queries::count_login(app, Purpose::Delivery).await? {
        return Err(NoToken::Budget);
    }
    let who = &upstream.who;
    let agent = upstream.user_agent.as_deref();
    if !upstream.registered {
        // Credentials of our own making: CAPI learns them now. If it knows them already, the login says so.
        app.capi
            .register(version, &who.login, &who.password, agent)
            .await?;
    }
    match app.capi.login(version, who, agent, PATIENCE).await? {
        Login::Accepted(token, _) => {
            queries::update_token(app, tenant, machine, &upstream.login, &token).await?;
            Ok(token.token)
        }
        Login::Refused(status, _) => Err(NoToken::Refused(status.as_u16())),
    }
}

/// CAPI answered 401 or 403 to this token: the next delivery logs in anew.
///
/// # Errors
/// As the statements fail.
pub async fn token_refused(
    app: &App,
    tenant: Tenant,
    machine: i64,
    refused: &SecretString,
) -> Result<(), NoToken> {
    if refused.expose_secret().is_empty() {
        return Ok(());
    }
    queries::update_token_refused(app, tenant, machine, refused).await
}
