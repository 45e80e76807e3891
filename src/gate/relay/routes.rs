use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::send::{Given, PATIENCE, Relayed, send};
use super::{model, queries};
use crate::app::App;
use crate::gate::{ApiVersion, Gate};
use crate::http::{Caller, EngineError, Machine, read_limited};
use crate::outbound::capi;

/// Largest body that is passed on: usage metrics of a large fleet are some megabytes.
pub const BODY_LIMIT: usize = 32 << 20;

/// Decisions, and whatever else CAPI may offer.
pub fn routes() -> OpenApiRouter<Gate> {
    OpenApiRouter::new()
        .routes(routes!(decisions_delete))
        .routes(routes!(decisions_sync))
        .route("/{*rest}", axum::routing::any(anything))
}

/// Decisions that an operator lifted at the engine: taken out of the tenant's set, and passed on.
#[utoipa::path(post, path = "/decisions/delete", tag = "CAPI", request_body = Object,
    responses((status = 200, description = "CAPI's answer"), (status = 401, description = "unknown token"), (status = 403, description = "no tenant"), (status = 503, description = "CAPI cannot be asked")))]
async fn decisions_delete(
    gate: State<Gate>,
    version: ApiVersion,
    caller: Machine,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, EngineError> {
    let body = read_limited(&HeaderMap::new(), body, BODY_LIMIT, BODY_LIMIT).await?;
    if caller.keeps_decisions {
        let plain = read_limited(&headers, Body::from(body.clone()), BODY_LIMIT, BODY_LIMIT).await?;
        let mut uuids: Vec<String> = serde_json::from_slice(&plain).unwrap_or_default();
        // Others were never stored, and Postgres refuses a NUL.
        uuids.retain(|uuid| uuid.len() <= 64 && !uuid.contains('\0'));
        if !uuids.is_empty() {
            queries::delete_lifted(&gate.app.db, &caller, &uuids).await?;
            gate.app.outbox.notify_one();
        }
    }
    pass(
        &gate.app,
        version,
        &Caller::Machine(caller),
        "decisions/delete",
        (method, &uri),
        headers,
        Body::from(body),
    )
    .await
}

/// An engine's own decisions, passed on.
#[utoipa::path(post, path = "/decisions/sync", tag = "CAPI", request_body = Object,
    responses((status = 200, description = "CAPI's answer"), (status = 401, description = "unknown token"), (status = 403, description = "no tenant"), (status = 503, description = "CAPI cannot be asked")))]
async fn decisions_sync(
    gate: State<Gate>,
    version: ApiVersion,
    caller: Machine,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, EngineError> {
    pass(
        &gate.app,
        version,
        &Caller::Machine(caller),
        "decisions/sync",
        (method, &uri),
        headers,
        body,
    )
    .await
}

/// What CAPI offers and we have no word for. The path is judged before the token: a spelling that is no route is 404
/// for everybody.
async fn anything(
    State(gate): State<Gate>,
    version: ApiVersion,
    Path(rest): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, EngineError> {
    // The decoded path must be the path as sent: an encoded spelling is no route.
    if !uri.path().ends_with(&rest) || !model::is_relayed(&rest) {
        return Err(EngineError::new(StatusCode::NOT_FOUND, "there is no such route"));
    }
    let token = crate::http::bearer(&headers).ok_or_else(EngineError::unauthorized)?;
    let caller = gate.app.auth.caller(token).await?;
    if !matches!(caller, Caller::Machine(_)) {
        return Err(EngineError::new(
            StatusCode::FORBIDDEN,
            "this machine belongs to no tenant yet: enrol it",
        ));
    }
    pass(&gate.app, version, &caller, &rest, (method, &uri), headers, body).await
}

/// Passes a request on and gives CAPI's answer; 503 when there is none, 200 where nothing may leave.
///
/// # Errors
/// When the body cannot be read, and during an outage.
pub async fn pass(
    app: &App,
    version: ApiVersion,
    caller: &Caller,
    path: &str,
    (method, uri): (Method, &Uri),
    headers: HeaderMap,
    body: Body,
) -> Result<Response, EngineError> {
    // The bytes travel as they came: packed ones keep their encoding header.
    let body = read_limited(&HeaderMap::new(), body, BODY_LIMIT, BODY_LIMIT).await?;
    let query = uri.query().map(str::to_owned);
    let given = Given {
        version: version.0,
        method,
        path: path.to_owned(),
        query,
        headers,
        body,
        within: PATIENCE,
    };
    match send(app, caller, given).await? {
        Relayed::Answer(response) => Ok(answer(response)),
        Relayed::Off => Ok(Json(json!({ "message": "OK (forwarding disabled)" })).into_response()),
        Relayed::Down(down) => {
            tracing::info!(cause = down.cause, path, "a request was not passed on");
            Err(EngineError::unavailable("CAPI cannot be asked right now", 60))
        }
    }
}

/// CAPI's answer as the engine gets it: status, listed headers, the body as it arrives.
#[must_use]
pub fn answer(response: reqwest::Response) -> Response {
    let mut out = Response::new(Body::empty());
    *out.status_mut() = response.status();
    *out.headers_mut() = capi::passing(response.headers(), false);
    *out.body_mut() = Body::from_stream(response.bytes_stream());
    out
}
