use std::sync::LazyLock;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::Semaphore;

use super::{BODY_LIMIT, no_token, with_message};
use crate::app::App;
use crate::db::Tenant;
use crate::gate::machine::model::{LoginRequest, verify_password};
use crate::gate::machine::queries::{self, Known};
use crate::gate::upstream;
use crate::gate::{ApiVersion, Gate};
use crate::http::{EngineError, Machine, read_limited};
use crate::kernel::keyring::same_secret;
use crate::outbound::capi::{Credentials, Login, Token};

/// A hash takes 50 ms and 19 MiB: two at a time, so that a flood of logins leaves the other requests a core.
static HASHING: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));

/// Logs a machine in: credentials of ours by their hash, all others by CAPI. While CAPI is away, machines that it
/// accepted before get a token of ours; unknown ones have to wait.
#[utoipa::path(post, path = "/watchers/login", tag = "CAPI", request_body = Object, security(()),
    responses((status = 200, description = "a token and its end"), (status = 400, description = "not readable"), (status = 401, description = "wrong credentials"),
        (status = 403, description = "CAPI's refusal"), (status = 503, description = "nobody can tell right now")))]
pub(super) async fn login(
    State(gate): State<Gate>,
    ApiVersion(version): ApiVersion,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, EngineError> {
    let app = &gate.app;
    let body = read_limited(&headers, body, BODY_LIMIT, BODY_LIMIT).await?;
    let request = LoginRequest::parse(&body).map_err(EngineError::bad_request)?;
    let agent = user_agent(&headers);
    let known = queries::get_by_login(app, &request.login).await?;
    if let Some(Known {
        machine,
        issued_hash: Some(hash),
    }) = known
    {
        return if verify(request.password, hash).await? {
            queries::update_seen(app, &machine, &request.scenarios, agent.as_deref()).await?;
            own_session(app, &machine)
        } else {
            Err(EngineError::new(StatusCode::UNAUTHORIZED, "wrong credentials"))
        };
    }
    let known = known.map(|known| known.machine);
    let who = Credentials {
        login: request.login,
        password: request.password.into(),
        scenarios: request.scenarios,
    };
    if !app.settings.forward_enabled || known.as_ref().is_some_and(|m| !m.forward_enabled) {
        return without_capi(
            app,
            known.as_ref(),
            &who,
            agent.as_deref(),
            "forwarding to CAPI is disabled here",
        )
        .await;
    }
    if !upstream::count_login(app, true).await? {
        return without_capi(
            app,
            known.as_ref(),
            &who,
            agent.as_deref(),
            "the login budget at CAPI is used up",
        )
        .await;
    }
    match app.capi.login(version, &who, agent.as_deref()).await {
        Ok(Login::Accepted(token, answer)) => {
            remember(app, known, &headers, &who, &token, agent.as_deref()).await?;
            Ok(with_message(StatusCode::OK, answer))
        }
        Ok(Login::Refused(status, answer)) => Ok(with_message(status, answer)),
        Err(down) => {
            tracing::warn!(cause = down.cause, "a login could not be relayed");
            without_capi(
                app,
                known.as_ref(),
                &who,
                agent.as_deref(),
                "CAPI cannot be asked right now",
            )
            .await
        }
    }
}

/// Keeps what an accepted login tells, and finds an unknown machine its tenant: by the Host it called, by the default
/// tenant where that is allowed, otherwise none yet.
async fn remember(
    app: &App,
    known: Option<Machine>,
    headers: &HeaderMap,
    who: &Credentials,
    token: &Token,
    agent: Option<&str>,
) -> Result<(), EngineError> {
    if let Some(machine) = known {
        return Ok(queries::update_login(app, &machine, who, token, agent).await?);
    }
    if let Some(tenant) = tenant_for(app, headers).await? {
        if queries::insert_accepted(app, tenant, who, token, agent)
            .await?
            .is_some()
        {
            return Ok(());
        }
        // Another replica made the machine this instant.
        if let Some(Known { machine, .. }) = queries::get_by_login(app, &who.login).await? {
            return Ok(queries::update_login(app, &machine, who, token, agent).await?);
        }
        return Err(EngineError::unavailable(
            "the machine is being made, log in again",
            1,
        ));
    }
    Ok(queries::upsert_unbound(app, who, token, agent).await?)
}

async fn tenant_for(app: &App, headers: &HeaderMap) -> Result<Option<Tenant>, EngineError> {
    let host = headers
        .get(header::HOST)
        .and_then(|h| h.to_str().ok())
        .unwrap_or_default();
    let host = host
        .rsplit_once(':')
        .map_or(host, |(name, _)| name)
        .to_ascii_lowercase();
    let by_host = app.settings.tenant_hosts.get(&host);
    let name = by_host.or(app.settings.auto_enrolment.then_some(&app.settings.auto_tenant));
    Ok(match name {
        Some(name) => queries::get_tenant(app, name).await?.map(|(tenant, _)| tenant),
        None => None,
    })
}

/// Answers a login that CAPI does not decide: by the password that it accepted last.
async fn without_capi(
    app: &App,
    known: Option<&Machine>,
    who: &Credentials,
    agent: Option<&str>,
    why: &str,
) -> Result<Response, EngineError> {
    use secrecy::ExposeSecret as _;
    let Some(machine) = known else {
        return Err(EngineError::unavailable(
            format!("{why}, and this login is not known here"),
            60,
        ));
    };
    let accepted = upstream::password(app, machine.tenant, machine.id)
        .await
        .map_err(no_token)?;
    let same = accepted.is_some_and(|p| {
        same_secret(
            p.expose_secret().as_bytes(),
            who.password.expose_secret().as_bytes(),
        )
    });
    if !same {
        return Err(EngineError::unavailable(
            format!("{why}, and these credentials are not known here"),
            60,
        ));
    }
    queries::update_seen(app, machine, &who.scenarios, agent).await?;
    own_session(app, machine)
}

fn own_session(app: &App, machine: &Machine) -> Result<Response, EngineError> {
    let session = app.auth.session(machine)?;
    let expire = crate::kernel::time::rfc3339_millis(session.expires);
    Ok(Json(json!({ "code": 200, "expire": expire, "token": session.token })).into_response())
}

async fn verify(password: String, hash: String) -> Result<bool, EngineError> {
    let _turn = tokio::time::timeout(std::time::Duration::from_secs(3), HASHING.acquire())
        .await
        .map_err(|_| EngineError::unavailable("too many logins at once", 5))?;
    tokio::task::spawn_blocking(move || verify_password(&password, &hash))
        .await
        .map_err(|e| crate::db::DbError::Internal(e.to_string()).into())
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(256).collect())
}
