mod enrol;
mod login;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::LoginRequest;
use super::queries;
use crate::app::App;
use crate::gate::relay::{self, Given, Relayed};
use crate::gate::upstream::NoToken;
use crate::gate::{ApiVersion, Gate};
use crate::http::{ActsBy as _, Caller, EngineError, Machine, Trace, bearer, read_limited};

/// A login names every scenario the engine runs: some hundred of 50 bytes.
const BODY_LIMIT: usize = 1 << 20;

/// Register, log in, enrol, reset, leave.
pub fn routes() -> OpenApiRouter<Gate> {
    OpenApiRouter::new()
        .routes(routes!(register, leave_old))
        .routes(routes!(login::login))
        .routes(routes!(enrol::enrol))
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
        .whole(
            Method::POST,
            &format!("v{version}/{path}"),
            None,
            headers,
            body,
            relay::PATIENCE,
        )
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

/// A machine leaves: at CAPI, and here.
#[utoipa::path(delete, path = "/watchers/self", tag = "CAPI",
    responses((status = 204, description = "gone"), (status = 401, description = "unknown token"), (status = 403, description = "no tenant")))]
async fn leave(
    State(gate): State<Gate>,
    version: ApiVersion,
    machine: Machine,
    trace: Trace,
    headers: HeaderMap,
) -> Result<StatusCode, EngineError> {
    let app = gate.app.by(trace.by(&machine.actor()));
    remove(&app, version, machine, headers, "watchers/self").await
}

/// The spelling of engines up to 1.4.
#[utoipa::path(delete, path = "/watchers", tag = "CAPI",
    responses((status = 204, description = "gone"), (status = 401, description = "unknown token"), (status = 403, description = "no tenant")))]
async fn leave_old(
    State(gate): State<Gate>,
    version: ApiVersion,
    machine: Machine,
    trace: Trace,
    headers: HeaderMap,
) -> Result<StatusCode, EngineError> {
    let app = gate.app.by(trace.by(&machine.actor()));
    remove(&app, version, machine, headers, "watchers").await
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
        within: relay::PATIENCE,
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
