use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::model::{self, BatchError, Item, Occurrences, OwnLogin, Rejection};
use super::queries::{self, Batch, Columns, Receipt};
use crate::db::{DbError, patiently};
use crate::gate::filter::model::{Ruleset, judge};
use crate::gate::{ApiVersion, Gate};
use crate::http::limits::Meter;
use crate::http::{EngineError, Machine, read_limited};
use crate::outbound::geoip::Files;

/// Largest push on the wire. 1,000 signals of a kilobyte are one megabyte; 250 of the SDK 150 KB.
const WIRE_LIMIT: usize = 12 << 20;
/// Largest push unpacked.
const BODY_LIMIT: usize = 16 << 20;
/// How long a batch is tried again when Postgres is away: the engine hangs up after 5 s and never sends it again.
const PATIENCE: Duration = Duration::from_millis(3500);

/// What storing gets at least, however long judging took.
const LEAST: Duration = Duration::from_millis(1500);

/// Pushed signals.
pub fn routes() -> OpenApiRouter<Gate> {
    OpenApiRouter::new().routes(routes!(push))
}

/// One item of a push that is no alert.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RejectedItem {
    /// Its place in the array, from 0.
    index: usize,
    /// The field that is wrong.
    field: String,
    /// What is wrong with it.
    reason: String,
}

/// The answer to a push.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PushAnswer {
    /// `OK`, or what is wrong with all of them.
    message: String,
    /// The items that are not stored; absent when all are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rejected: Vec<RejectedItem>,
}

/// Signals of an engine: judged by the tenant's filters and stored, all in one transaction, before the answer. What may
/// leave is forwarded to CAPI later. A broken item is rejected alone; 422 says that no item could be read.
#[utoipa::path(post, path = "/signals", tag = "CAPI", request_body(content = Vec<Object>, description = "1 to 1000 signals, plain or gzip"),
    responses((status = 200, body = PushAnswer), (status = 400, description = "no JSON array"), (status = 401, description = "unknown token"),
        (status = 403, description = "no tenant"), (status = 413, description = "too large"), (status = 415, description = "unknown encoding"),
        (status = 422, body = PushAnswer), (status = 503, description = "not stored: send again")))]
async fn push(
    State(gate): State<Gate>,
    ApiVersion(version): ApiVersion,
    machine: Machine,
    meter: Meter,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, EngineError> {
    let body = read_limited(&headers, body, WIRE_LIMIT, BODY_LIMIT).await?;
    // An engine that hangs up must not undo what is about to be stored: it will not send it again.
    let work = tokio::spawn(async move { Box::pin(take(gate, machine, version, body, &meter)).await });
    work.await
        .map_err(|e| EngineError::from(DbError::Internal(e.to_string())))?
}

async fn take(
    gate: Gate,
    machine: Machine,
    version: u8,
    body: Bytes,
    meter: &Meter,
) -> Result<Response, EngineError> {
    let begun = Instant::now();
    let rules = patiently(PATIENCE, || gate.rules.of(&gate.app.db, machine.tenant)).await?;
    let enabled = gate.app.settings.forward_enabled && machine.forward_enabled;
    // Only a tenant with LAPI servers of its own can hear an echo.
    let ours = if machine.keeps_decisions {
        patiently(PATIENCE, || gate.own_logins.of(&gate.app.db, machine.tenant)).await?
    } else {
        Arc::default()
    };
    // The whole batch is looked up in the same files.
    let places = gate.app.geoip.files();
    let judged = {
        let machine = machine.clone();
        // Large bodies would hold up the other requests of this thread; small ones are not worth the way.
        if body.len() > 256 * 1024 {
            let work = tokio::task::spawn_blocking(move || {
                read(&body, &machine, version, &rules, &places, (enabled, &ours))
            });
            work.await
                .map_err(|e| EngineError::from(DbError::Internal(e.to_string())))?
        } else {
            read(&body, &machine, version, &rules, &places, (enabled, &ours))
        }
    };
    let (batch, rejected) = judged.map_err(|e| match e {
        BatchError::TooMany => EngineError::new(StatusCode::PAYLOAD_TOO_LARGE, e.to_string()),
        BatchError::Unreadable(_) => EngineError::bad_request(e.to_string()),
    })?;
    meter.items(batch.received);
    metrics::counter!("garrison_batches_total").increment(1);
    if batch.received == 0 {
        return Ok(answer(StatusCode::OK, "OK".to_owned(), rejected));
    }
    let receipt = store(
        &gate,
        &machine,
        &batch,
        PATIENCE.saturating_sub(begun.elapsed()).max(LEAST),
    )
    .await?;
    count(&batch, receipt);
    if receipt.stored > receipt.filtered || machine.keeps_decisions && receipt.stored > 0 {
        gate.app.outbox.notify_one();
    }
    if batch.rejected == batch.received {
        let first = rejected
            .first()
            .map_or_else(String::new, |r| format!("[{}].{} {}", r.index, r.field, r.reason));
        return Ok(answer(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("no item is a signal: {first}"),
            rejected,
        ));
    }
    Ok(answer(StatusCode::OK, "OK".to_owned(), rejected))
}

fn answer(status: StatusCode, message: String, rejected: Vec<RejectedItem>) -> Response {
    (status, Json(PushAnswer { message, rejected })).into_response()
}

/// Everything that needs no I/O: split, read, look up, judge, key, pack.
fn read(
    body: &[u8],
    machine: &Machine,
    version: u8,
    rules: &Ruleset,
    places: &Files,
    (enabled, ours): (bool, &[OwnLogin]),
) -> Result<(Batch, Vec<RejectedItem>), BatchError> {
    let items = model::split(body)?;
    let now = Timestamp::now();
    let tenant_key = hmac::Key::new(hmac::HMAC_SHA256, &machine.dedupe_key);
    let mut occurrences = Occurrences::default();
    let mut readable = Vec::with_capacity(items.len());
    let mut columns = Columns::default();
    let mut rejected = Vec::new();
    let mut reject = |index: usize, item: &Item<'_>, rejection: Rejection, columns: &mut Columns| {
        columns.reject(index, place(item), &rejection);
        let Rejection { field, reason } = rejection;
        rejected.push(RejectedItem { index, field, reason });
    };
    let mut decisions = 0;
    let mut seen = HashSet::new();
    for (index, item) in items.iter().enumerate() {
        match model::parse(item.text) {
            Ok((signal, _)) if decisions + signal.decisions.len() > 2 * model::DECISION_LIMIT => {
                let reason = format!(
                    "the batch holds more than {} decisions",
                    2 * model::DECISION_LIMIT
                );
                reject(
                    index,
                    item,
                    Rejection {
                        field: "decisions".to_owned(),
                        reason,
                    },
                    &mut columns,
                );
            }
            Ok((mut signal, value)) => {
                decisions += signal.decisions.len();
                if let Some(place) = model::address(&signal).and_then(|address| places.place(address)) {
                    model::enrich(&mut signal, place);
                }
                let verdict = judge(&value, &signal.geo, rules);
                let key = model::alert_key(&tenant_key, machine.id, &signal, now, &mut occurrences);
                if seen.insert(key) {
                    readable.push((key, *item, signal, verdict));
                }
            }
            Err(rejection) => reject(index, item, rejection, &mut columns),
        }
    }
    // In the order of keys, so that two batches with the same alerts wait for one another instead of dead-locking.
    readable.sort_by_key(|(key, ..)| *key);
    for (key, item, signal, verdict) in readable {
        let echo = model::is_echo(&signal, machine.id, ours);
        let forward = model::forward(&signal, verdict.filtered, enabled, echo);
        columns.push(key, place(&item), signal, &verdict, forward);
    }
    // Level 1: 7 : 1 on signals at 400 MB a second. Packing into memory does not fail.
    let packed = zstd::bulk::compress(body, 1).unwrap_or_default();
    let batch = Batch {
        id: Uuid::now_v7(),
        version,
        received: items.len(),
        rejected: rejected.len(),
        bytes: body.len(),
        body: packed,
        columns,
    };
    Ok((batch, rejected))
}

const fn place(item: &Item<'_>) -> (usize, usize) {
    (item.offset, item.text.len())
}

/// Stores the batch; while Postgres is away it is tried again, which is safe because a batch that did get in before
/// the answer was lost is found again by its keys.
async fn store(
    gate: &Gate,
    machine: &Machine,
    batch: &Batch,
    left: Duration,
) -> Result<Receipt, EngineError> {
    let begun = Instant::now();
    let turn = tokio::time::timeout(left, gate.storing.acquire()).await;
    let insert = async || {
        let stored = queries::insert(&gate.app.db, machine, batch).await;
        if let Err(DbError::MissingPartition(_)) = stored {
            // Made at once, so that the next try finds it.
            gate.app.partitions.notify_one();
        }
        stored
    };
    let left = left.saturating_sub(begun.elapsed());
    let stored = match turn {
        Ok(_turn) => patiently(left, insert).await,
        Err(_) => Err(DbError::Unavailable("too many batches at once".to_owned())),
    };
    stored.map_err(|e| {
        metrics::counter!("garrison_batches_failed_total").increment(1);
        e.into()
    })
}

/// Received = stored + duplicate + rejected, always.
fn count(batch: &Batch, receipt: Receipt) {
    let outcome = |outcome: &'static str, n: u64| {
        metrics::counter!("garrison_signals_total", "outcome" => outcome).increment(n);
    };
    metrics::counter!("garrison_signals_received_total").increment(batch.received as u64);
    outcome("stored", u64::from(receipt.stored.unsigned_abs()));
    outcome("duplicate", u64::from(receipt.duplicate.unsigned_abs()));
    outcome("rejected", batch.rejected as u64);
    metrics::counter!("garrison_alerts_filtered_total").increment(u64::from(receipt.filtered.unsigned_abs()));
}
