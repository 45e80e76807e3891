mod deliver;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{self, Copy};
use super::queries;
use crate::app::App;
use crate::db::DbError;
use crate::gate::relay::{self, Given, Relayed};
use crate::gate::{ApiVersion, Gate};
use crate::http::{Caller, Delivery, EngineError, Machine};
use crate::outbound::capi;

/// The decisions stream.
pub fn routes() -> OpenApiRouter<Gate> {
    OpenApiRouter::new().routes(routes!(pull))
}

/// The community's decisions for a machine: CAPI's answer as it arrives; while CAPI is away its last good one, with an
/// `Age`.
#[utoipa::path(get, path = "/decisions/stream", tag = "CAPI", params(("startup" = Option<bool>, Query, description = "everything, not only what changed")),
    responses((status = 200, description = "new and deleted decisions"), (status = 401, description = "unknown token"), (status = 403, description = "no tenant"),
        (status = 503, description = "CAPI cannot be asked and nothing is kept")))]
async fn pull(
    State(gate): State<Gate>,
    ApiVersion(version): ApiVersion,
    machine: Machine,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, EngineError> {
    let app = &gate.app;
    if machine.delivery != Delivery::Off {
        return deliver::pull(app, version, machine, query, headers).await;
    }
    let target = model::target(version, query.as_deref());
    let given = given(version, query, headers);
    match relay::send(app, &Caller::Machine(machine.clone()), given).await? {
        Relayed::Answer(response) if response.status() == StatusCode::FORBIDDEN => {
            tracing::warn!("CAPI refuses a machine the decisions stream");
            let kept = stale(app, &machine, target.as_deref()).await?;
            kept.map_or_else(|| Ok(relay::answer(response)), |kept| Ok(kept.into_response()))
        }
        Relayed::Answer(response) if response.status() == StatusCode::OK => {
            Ok(tee(app.clone(), machine, target, Vec::new(), response))
        }
        Relayed::Answer(response) => Ok(relay::answer(response)),
        Relayed::Off => match stale(app, &machine, target.as_deref()).await? {
            Some(kept) => Ok(kept.into_response()),
            None => Ok((
                [(header::CONTENT_TYPE, "application/json")],
                model::empty(version),
            )
                .into_response()),
        },
        Relayed::Down(down) => {
            tracing::warn!(cause = down.cause, "the decisions stream cannot be relayed");
            let kept = stale(app, &machine, target.as_deref()).await?;
            kept.map(IntoResponse::into_response)
                .ok_or_else(|| EngineError::unavailable("CAPI cannot be asked right now", 60))
        }
    }
}

fn given(version: u8, query: Option<String>, headers: HeaderMap) -> Given {
    Given {
        version,
        method: Method::GET,
        path: "decisions/stream".to_owned(),
        query,
        headers,
        body: Bytes::new(),
        within: relay::PATIENCE,
    }
}

/// A whole answer of CAPI's.
struct Whole {
    headers: HeaderMap,
    body: Bytes,
}

impl IntoResponse for Whole {
    fn into_response(self) -> Response {
        (self.headers, self.body).into_response()
    }
}

async fn stale(app: &App, machine: &Machine, target: Option<&str>) -> Result<Option<Whole>, EngineError> {
    let Some(target) = target else { return Ok(None) };
    let Some(kept) = queries::get(app, machine, target).await? else {
        return Ok(None);
    };
    let body = tokio::task::spawn_blocking(move || zstd::decode_all(kept.body.as_slice()))
        .await
        .map_err(|e| DbError::Internal(e.to_string()))?
        .map_err(|e| DbError::Internal(format!("a kept stream does not unpack: {e}")))?;
    let content_type =
        HeaderValue::from_str(&kept.content_type).unwrap_or(HeaderValue::from_static("application/json"));
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::AGE, HeaderValue::from(kept.age.max(0))),
    ];
    Ok(Some(Whole {
        headers: headers.into_iter().collect(),
        body: body.into(),
    }))
}

fn content_type(headers: &HeaderMap) -> String {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    kind.unwrap_or("application/json").to_owned()
}

/// Hands the stream on and keeps a packed copy once it ended well, if it has a name to be kept by. `begun` is what was
/// read of it already.
fn tee(
    app: App,
    machine: Machine,
    target: Option<String>,
    begun: Vec<Bytes>,
    response: reqwest::Response,
) -> Response {
    let mut out = Response::new(Body::empty());
    *out.headers_mut() = capi::passing(response.headers(), false);
    let content_type = content_type(response.headers());
    let state = Some((begun.into_iter(), response, Copy::new()));
    let stream = futures_util::stream::unfold(state, move |state| {
        let (app, machine, target, content_type) =
            (app.clone(), machine.clone(), target.clone(), content_type.clone());
        async move {
            let (mut begun, mut response, mut copy) = state?;
            let next = match begun.next() {
                Some(chunk) => Ok(Some(chunk)),
                None => response.chunk().await,
            };
            match next {
                Ok(Some(chunk)) => {
                    copy.add(&chunk);
                    Some((Ok::<_, reqwest::Error>(chunk), Some((begun, response, copy))))
                }
                Ok(None) => {
                    if let (Some(target), Some(body)) = (target, copy.finish())
                        && let Err(e) = queries::upsert(&app, &machine, &target, &content_type, &body).await
                    {
                        tracing::warn!(cause = %e, "an answer of CAPI's was not kept");
                    }
                    None
                }
                Err(e) => Some((Err(e), None)),
            }
        }
    });
    *out.body_mut() = Body::from_stream(stream);
    out
}
