use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{BODY_LIMIT, no_token};
use crate::gate::machine::model::EnrolRequest;
use crate::gate::machine::queries;
use crate::gate::relay::{self, Given, Relayed};
use crate::gate::{ApiVersion, Gate};
use crate::http::{ActsBy as _, Caller, EngineError, Trace, bearer, read_limited};
use crate::kernel::secret::{self, Kind};

/// Enrols a machine: with a key of a tenant here, otherwise at CrowdSec's console. 201 says enrolled, 200 that it was
/// already: engines of 1.4 tell the two apart by the code.
#[utoipa::path(post, path = "/watchers/enroll", tag = "CAPI", request_body = Object,
    responses((status = 200, description = "already enrolled"), (status = 201, description = "enrolled"), (status = 400, description = "not readable"),
        (status = 401, description = "unknown token"), (status = 403, description = "unknown key"), (status = 503, description = "CAPI cannot be asked")))]
pub(super) async fn enrol(
    State(gate): State<Gate>,
    ApiVersion(version): ApiVersion,
    caller: Caller,
    method: Method,
    trace: Trace,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, EngineError> {
    let app = &gate.app.by(trace.by(&caller.actor()));
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
            within: relay::PATIENCE,
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
