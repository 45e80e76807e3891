use std::sync::LazyLock;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;
use tokio::sync::Semaphore;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{EnrolRequest, LoginRequest, verify_password};
use super::queries::{self, Known};
use crate::app::App;
use crate::db::Tenant;
use crate::gate::relay::{self, Given, Relayed};
use crate::gate::upstream::{self, NoToken};
use crate::gate::{ApiVersion, Gate};
use crate::http::{Caller, EngineError, Machine, bearer, read_limited};
use crate::kernel::keyring::same_secret;
use crate::kernel::secret::{self, Kind};
use crate::outbound::capi::{Credentials, Login, Token};

/// A login names every scenario the engine runs: some hundred of 50 bytes.
const BODY_LIMIT: usize = 1 << 20;

/// A hash takes 50 ms and 19 MiB: two at a time, so that a flood of logins leaves the other requests a core.
static HASHING: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));

/// Register, log in, enrol, reset, leave.
pub fn routes() -> OpenApiRouter<Gate> {
    OpenApiRouter::new()
        .routes(routes!(register, leave_old))
        .routes(routes!(login))
        .routes(routes!(enrol))
        .routes(routes!(reset))
        .routes(routes!(leave))
}

/// Makes an engine's self-made credentials known to CAPI.
#[utoipa::path(post, path = "/watchers", tag = "CAPI", request_body = Object, security(()),
    responses((status = 200, description = "CAPI's answer"), (status = 400, description = "not readable"), (status = 503, description = "CAPI cannot be asked")))]
async fn register(
    State(gate): State<Gate>,
    ApiVersion(version): ApiVersion,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, EngineError> {
    let body = read_limited(&headers, body, BODY_LIMIT, BODY_LIMIT).await?;
    let request = LoginRequest::parse(&body).map_err(EngineError::bad_request)?;
    if queries::get_by_login(&gate.app, &request.login)
        .await?
        .is_some_and(|known| known.issued_hash.is_some())
    {
        return Err(EngineError::new(StatusCode::FORBIDDEN, "this login is taken"));
    }
    pass_unauthenticated(&gate.app, version, "watchers", headers, body).await
}

/// Sets new credentials at CAPI.
#[utoipa::path(post, path = "/watchers/reset", tag = "CAPI", request_body = Object, security(()),
    responses((status = 200, description = "CAPI's answer"), (status = 400, description = "not readable"), (status = 503, description = "CAPI cannot be asked")))]
async fn reset(
    State(gate): State<Gate>,
    ApiVersion(version): ApiVersion,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, EngineError> {
    let body = read_limited(&headers, body, BODY_LIMIT, BODY_LIMIT).await?;
    LoginRequest::parse(&body).map_err(EngineError::bad_request)?;
    pass_unauthenticated(&gate.app, version, "watchers/reset", headers, body).await
}

async fn pass_unauthenticated(
    app: &App,
    version: u8,
    path: &str,
    mut headers: HeaderMap,
    body: Bytes,
) -> Result<Response, EngineError> {
    if !app.settings.forward_enabled {
        return Err(EngineError::unavailable(
            "forwarding to CAPI is disabled here: use credentials made with `garrison machine add`",
            600,
        ));
    }
    headers.remove(header::CONTENT_ENCODING); // it was unpacked to be read
    let headers = crate::outbound::capi::passing(&headers, true);
    let answer = app
        .capi
        .whole(Method::POST, &format!("v{version}/{path}"), None, headers, body)
        .await;
    let answer = answer.map_err(|down| {
        tracing::info!(cause = down.cause, path, "a request was not passed on");
        EngineError::unavailable("CAPI cannot be asked right now", 30)
    })?;
    if answer.status.is_server_error() && answer.status != StatusCode::INTERNAL_SERVER_ERROR {
        return Err(EngineError::unavailable("CAPI cannot be asked right now", 30));
    }
    Ok(with_message(answer.status, answer.body))
}

/// Logs a machine in: credentials of ours by their hash, all others by CAPI. While CAPI is away, machines that it
/// accepted before get a token of ours; unknown ones have to wait.
#[utoipa::path(post, path = "/watchers/login", tag = "CAPI", request_body = Object, security(()),
    responses((status = 200, description = "a token and its end"), (status = 400, description = "not readable"), (status = 401, description = "wrong credentials"),
        (status = 403, description = "CAPI's refusal"), (status = 503, description = "nobody can tell right now")))]
async fn login(
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

/// Enrols a machine: with a key of a tenant here, otherwise at CrowdSec's console. 201 says enrolled, 200 that it was
/// already: engines of 1.4 tell the two apart by the code.
#[utoipa::path(post, path = "/watchers/enroll", tag = "CAPI", request_body = Object,
    responses((status = 200, description = "already enrolled"), (status = 201, description = "enrolled"), (status = 400, description = "not readable"),
        (status = 401, description = "unknown token"), (status = 403, description = "unknown key"), (status = 503, description = "CAPI cannot be asked")))]
async fn enrol(
    State(gate): State<Gate>,
    ApiVersion(version): ApiVersion,
    caller: Caller,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, EngineError> {
    let app = &gate.app;
    let raw = read_limited(&headers, body, BODY_LIMIT, BODY_LIMIT).await?;
    let request: EnrolRequest =
        serde_json::from_slice(&raw).map_err(|e| EngineError::bad_request(format!("body: {e}")))?;
    let key = request.attachment_key.trim();
    if !key.starts_with(Kind::EnrolmentKey.prefix()) {
        let mut headers = headers;
        headers.remove(header::CONTENT_ENCODING);
        let given = Given {
            version,
            method,
            path: "watchers/enroll".to_owned(),
            query: None,
            headers,
            body: raw,
        };
        return match relay::send(app, &caller, given).await? {
            Relayed::Answer(response) => Ok(relay::answer(response)),
            Relayed::Off => Err(EngineError::new(
                StatusCode::FORBIDDEN,
                "forwarding to CAPI is disabled here: use an enrolment key of a tenant",
            )),
            Relayed::Down(_) => Err(EngineError::unavailable("CAPI cannot be asked right now", 30)),
        };
    }
    let unknown = || EngineError::new(StatusCode::FORBIDDEN, "this enrolment key is not known here");
    if !secret::is_well_formed(Kind::EnrolmentKey, key) {
        return Err(unknown());
    }
    let (tenant, _) = queries::get_enrolment_tenant(app, key)
        .await?
        .ok_or_else(unknown)?;
    let name: String = request
        .name
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .take(100)
        .collect();
    let enrolled = match &caller {
        Caller::Machine(machine) if machine.tenant == tenant => {
            queries::update_name(app, machine, &name).await?;
            return Ok((StatusCode::OK, Json(json!({ "message": "already enrolled" }))).into_response());
        }
        Caller::Machine(machine) => queries::relocate(app, machine, tenant, &name).await,
        Caller::Unbound(id) => queries::bind(app, tenant, *id, &name).await,
    };
    if !enrolled.map_err(no_token)? {
        return Err(EngineError::unavailable(
            "the machine changed meanwhile, enrol again",
            1,
        ));
    }
    if let Some(token) = bearer(&headers) {
        app.auth.forget(token).await;
    }
    Ok((StatusCode::CREATED, Json(json!({ "message": "enrolled" }))).into_response())
}

/// A machine leaves: at CAPI, and here.
#[utoipa::path(delete, path = "/watchers/self", tag = "CAPI",
    responses((status = 204, description = "gone"), (status = 401, description = "unknown token"), (status = 403, description = "no tenant")))]
async fn leave(
    State(gate): State<Gate>,
    version: ApiVersion,
    machine: Machine,
    headers: HeaderMap,
) -> Result<StatusCode, EngineError> {
    remove(&gate.app, version, machine, headers, "watchers/self").await
}

/// The spelling of engines up to 1.4.
#[utoipa::path(delete, path = "/watchers", tag = "CAPI",
    responses((status = 204, description = "gone"), (status = 401, description = "unknown token"), (status = 403, description = "no tenant")))]
async fn leave_old(
    State(gate): State<Gate>,
    version: ApiVersion,
    machine: Machine,
    headers: HeaderMap,
) -> Result<StatusCode, EngineError> {
    remove(&gate.app, version, machine, headers, "watchers").await
}

async fn remove(
    app: &App,
    ApiVersion(version): ApiVersion,
    machine: Machine,
    headers: HeaderMap,
    path: &str,
) -> Result<StatusCode, EngineError> {
    let given = Given {
        version,
        method: Method::DELETE,
        path: path.to_owned(),
        query: None,
        headers: headers.clone(),
        body: Bytes::new(),
    };
    let (tenant, id) = (machine.tenant, machine.id);
    if let Relayed::Down(down) = relay::send(app, &Caller::Machine(machine), given).await? {
        tracing::info!(cause = down.cause, "CAPI was not told that a machine left");
    }
    queries::remove(&app.db, tenant, id).await?;
    if let Some(token) = bearer(&headers) {
        app.auth.forget(token).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// CAPI's small answer with its status; engines up to 1.6.2 need a JSON body with a message when it is an error.
fn with_message(status: StatusCode, body: Bytes) -> Response {
    let has_message =
        serde_json::from_slice::<serde_json::Value>(&body).is_ok_and(|v| v.get("message").is_some());
    let body = if status.is_success() || has_message {
        Body::from(body)
    } else {
        Body::from(json!({ "message": format!("CAPI answered {}", status.as_u16()) }).to_string())
    };
    let json = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, json)], body).into_response()
}

fn no_token(e: NoToken) -> EngineError {
    match e {
        NoToken::Db(e) => e.into(),
        other => crate::db::DbError::Internal(other.to_string()).into(),
    }
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(256).collect())
}
