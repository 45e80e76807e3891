use std::sync::LazyLock;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{self, Told, Unreadable};
use super::queries;
use crate::db::{DbError, patiently};
use crate::gate::relay::{BODY_LIMIT, Given, PATIENCE, Relayed, pass, send};
use crate::gate::{ApiVersion, Gate};
use crate::http::{Caller, EngineError, Machine, Turns, read_limited};

/// Largest body unpacked. CAPI takes less; what is larger is passed on without being looked at.
const UNPACKED: usize = 64 << 20;
/// Bodies that are read and stored at a time, and of one tenant: signals need the connections more.
static TURNS: LazyLock<Turns> = LazyLock::new(|| Turns::new(2, 1));
/// When an engine may come again with what could not be stored; it comes half an hour later in any case.
const AGAIN: u32 = 60;

/// Metrics with and without a slash at the end, and usage metrics.
pub fn routes() -> OpenApiRouter<Gate> {
    OpenApiRouter::new()
        .routes(routes!(metrics))
        .routes(routes!(metrics_slash))
        .routes(routes!(usage_metrics))
}

/// The one route below `/v1`.
pub fn routes_v1() -> OpenApiRouter<Gate> {
    OpenApiRouter::new().routes(routes!(usage_metrics))
}

/// What an engine tells of itself: its version, its machines and bouncers. Taken, and passed on when CAPI is there.
#[utoipa::path(post, path = "/metrics", tag = "CAPI", request_body = Object,
    responses((status = 200, description = "taken"), (status = 401, description = "unknown token"), (status = 403, description = "no tenant")))]
async fn metrics(
    gate: State<Gate>,
    version: ApiVersion,
    machine: Machine,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, EngineError> {
    take_metrics(gate, version, machine, headers, body, "metrics").await
}

/// The spelling of the Go engines.
#[utoipa::path(post, path = "/metrics/", tag = "CAPI", request_body = Object,
    responses((status = 200, description = "taken"), (status = 401, description = "unknown token"), (status = 403, description = "no tenant")))]
async fn metrics_slash(
    gate: State<Gate>,
    version: ApiVersion,
    machine: Machine,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, EngineError> {
    take_metrics(gate, version, machine, headers, body, "metrics/").await
}

/// An outage of CAPI is not shown here: the SDK would repeat without pause, signals included, until it goes well. For the
/// same reason it is no matter when the components cannot be stored: they are told again within half an hour.
async fn take_metrics(
    State(gate): State<Gate>,
    ApiVersion(version): ApiVersion,
    machine: Machine,
    headers: HeaderMap,
    body: Body,
    path: &str,
) -> Result<Response, EngineError> {
    let body = read_limited(&HeaderMap::new(), body, BODY_LIMIT, BODY_LIMIT).await?;
    if let Err(e) = keep(&gate, &machine, &headers, &body, Sort::Plain).await {
        tracing::warn!(cause = %e, "the components of a machine were not stored");
    }
    let given = Given {
        version,
        method: Method::POST,
        path: path.to_owned(),
        query: None,
        headers,
        body,
        within: PATIENCE,
    };
    if let Relayed::Down(down) = send(&gate.app, &Caller::Machine(machine), given).await? {
        tracing::info!(cause = down.cause, "metrics of a machine did not reach CAPI");
    }
    Ok(Json(json!({ "message": "OK" })).into_response())
}

/// Usage metrics of bouncers and log processors: stored, then passed on. Whatever is not acknowledged engines keep and send
/// again, and it is stored once: 503 when they cannot be stored, and while CAPI is away.
#[utoipa::path(post, path = "/usage-metrics", tag = "CAPI", request_body = Object,
    responses((status = 200, description = "CAPI's answer"), (status = 401, description = "unknown token"), (status = 403, description = "no tenant"), (status = 503, description = "not stored, or CAPI cannot be asked: send again")))]
async fn usage_metrics(
    State(gate): State<Gate>,
    version: ApiVersion,
    machine: Machine,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, EngineError> {
    let body = read_limited(&HeaderMap::new(), body, BODY_LIMIT, BODY_LIMIT).await?;
    // Before CAPI hears of them: its answer tells the engine that it may forget them.
    keep(&gate, &machine, &headers, &body, Sort::Usage)
        .await
        .map_err(|e| {
            tracing::warn!(cause = %e, "usage metrics were not stored");
            EngineError::unavailable("the metrics cannot be stored right now", AGAIN)
        })?;
    let caller = Caller::Machine(machine);
    let asked = (method, &uri);
    pass(
        &gate.app,
        version,
        &caller,
        "usage-metrics",
        asked,
        headers,
        Body::from(body),
    )
    .await
}

/// Which of the two bodies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Plain,
    Usage,
}

impl Sort {
    /// How long storing may take, and what Postgres gets of it at least. Nobody waits for what is told again anyhow: the
    /// SDK gives up after five seconds.
    const fn patience(self) -> (Duration, Duration) {
        match self {
            Self::Plain => (Duration::from_millis(1500), Duration::ZERO),
            Self::Usage => (Duration::from_secs(8), Duration::from_secs(3)),
        }
    }
}

/// Stores what can be understood of a body. One that cannot be understood has nothing to store: it is CAPI's to judge.
async fn keep(
    gate: &Gate,
    machine: &Machine,
    headers: &HeaderMap,
    body: &Bytes,
    sort: Sort,
) -> Result<(), DbError> {
    let begun = Instant::now();
    let (patience, least) = sort.patience();
    let left = || patience.saturating_sub(begun.elapsed());
    let busy = || DbError::Unavailable("too many metrics at once".to_owned());
    let _turn = TURNS.take(machine.tenant.id(), patience).await.ok_or_else(busy)?;
    let plain = read_limited(headers, Body::from(body.clone()), BODY_LIMIT, UNPACKED).await;
    let told = match plain {
        Ok(plain) => read(plain, sort).await?,
        Err(_) => Err(Unreadable),
    };
    let Ok(told) = told else {
        metrics::counter!("garrison_metrics_unreadable_total").increment(1);
        tracing::info!(machine = machine.id, "metrics that cannot be read are passed on");
        return Ok(());
    };
    let turn = tokio::time::timeout(left(), gate.storing.acquire()).await;
    let _place = turn.map_err(|_| busy())?;
    let whole = sort == Sort::Usage;
    let stored = patiently(left().max(least), || {
        queries::insert(&gate.app.db, machine, &told, whole)
    })
    .await?;
    let known = told.sets.len() as u64 - stored.min(told.sets.len() as u64);
    for (outcome, n) in [
        ("stored", stored),
        ("duplicate", known),
        ("skipped", told.skipped as u64),
    ] {
        metrics::counter!("garrison_usage_metrics_total", "outcome" => outcome).increment(n);
    }
    if told.skipped > 0 {
        tracing::info!(
            machine = machine.id,
            skipped = told.skipped,
            "parts of metrics could not be read"
        );
    }
    Ok(())
}

/// A large body would hold up the other requests of this thread; a small one is not worth the way.
async fn read(body: Bytes, sort: Sort) -> Result<Result<Told, Unreadable>, DbError> {
    let small = body.len() <= 256 * 1024;
    let read = move || match sort {
        Sort::Plain => model::read_plain(&body),
        Sort::Usage => model::read_usage(&body, Timestamp::now()),
    };
    if small {
        return Ok(read());
    }
    let work = tokio::task::spawn_blocking(read).await;
    work.map_err(|e| DbError::Internal(e.to_string()))
}
