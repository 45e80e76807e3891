//! What a ban and its lifting have in common.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::NO_ADDRESS;
use crate::app::App;
use crate::fleet::decision::model::{Act, Audit, Subject};
use crate::fleet::lapi::{self, Server};
use crate::http::{ApiError, FieldError, Operator};
use crate::jobs::{self, Lease};
use crate::kernel::net::parse_block;
use crate::outbound::lapi::{LapiError, Target};

/// How long a request waits for the writer of a server to be free, before it leaves its wish to that writer.
const TURN: Duration = Duration::from_secs(3);
/// How long a request holds the server's lane.
const TERM: Duration = Duration::from_secs(30);
/// How long a request waits for others to do what it asked for.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(100);

/// It is done, or promised.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DoneView {
    pub success: bool,
    pub message: String,
    /// The server's name, or `all`.
    pub server: String,
    /// The decision's number on that server, where it told.
    pub decision_id: Option<i64>,
    /// Some of it waits for a server that cannot be reached, and will be done once it can.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub queued: bool,
    /// One by one, where several servers were asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<OutcomeView>,
}

/// What became of it on one server.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutcomeView {
    pub server: String,
    /// `delivered`, `queued`, `refused`, or `notWritable`: it has no machine credentials here.
    pub status: &'static str,
    /// Why not, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Runs on although the caller goes away: what was done on a server is put on record.
pub async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|e| Err(ApiError::Internal(format!("an action on a LAPI server: {e}"))))
}

pub fn field(name: &str, reason: &str) -> FieldError {
    FieldError {
        field: name.to_owned(),
        reason: reason.to_owned(),
    }
}

/// The part of the first API's schema that a ban and its lifting share.
pub fn check_common(server: &str, reason: &str) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let good = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
    if server.is_empty() || !server.bytes().all(good) {
        wrong.push(field("server", r#"must match pattern "^[a-zA-Z0-9_-]+$""#));
    }
    wrong.extend(check_reason(reason));
    wrong
}

pub fn check_reason(reason: &str) -> Option<FieldError> {
    let good = (1..=500).contains(&reason.chars().count()) && !reason.contains('\0');
    (!good).then(|| field("reason", "must have 1 to 500 characters and no NUL"))
}

/// What comes after the schema, in the first API's order and words.
pub fn check_subject<'a>(
    wrong: Vec<FieldError>,
    ip: &str,
    reason: &'a str,
) -> Result<(Subject, &'a str), ApiError> {
    if !wrong.is_empty() {
        return Err(ApiError::Invalid(wrong));
    }
    let block = parse_block(ip).ok_or_else(|| ApiError::BadRequest(NO_ADDRESS.to_owned()))?;
    let reason = reason.trim();
    if reason.is_empty() {
        let text = "Invalid reason: must not be blank or whitespace-only";
        return Err(ApiError::BadRequest(text.to_owned()));
    }
    Ok((Subject(block), reason))
}

/// The server of this name that can be written to, and how.
pub async fn writable(app: &App, operator: Operator, name: &str) -> Result<(Server, Target), ApiError> {
    let found = if lapi::is_name(name) {
        lapi::get(&app.db, operator.tenant, name).await?
    } else {
        None
    };
    let server = found.ok_or(ApiError::NotFound("LAPI server not found"))?;
    if !server.can_ban() {
        let text = "LAPI server has no machine credentials configured";
        return Err(ApiError::BadRequest(text.to_owned()));
    }
    let target = server.target(&app.ring, operator.tenant.id());
    let target = target.map_err(|e| ApiError::Internal(format!("LAPI server {}: {e}", server.id)))?;
    Ok((server, target))
}

/// The right to write to a server, as its one writer; none when somebody else does for too long.
pub async fn turn(app: &App, operator: Operator, server: i64) -> Result<Option<Lease>, ApiError> {
    let begun = Instant::now();
    loop {
        let lease = jobs::claim_one(&app.db, operator.tenant, 2, server, TERM).await?;
        if lease.is_some() || begun.elapsed() > TURN {
            return Ok(lease);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Gives the right back. If that fails it ends by itself.
pub async fn give_back(app: &App, lease: &Lease) {
    if let Err(e) = jobs::give_back(&app.db, lease, true).await {
        tracing::warn!(cause = %e, "a lane was not given back; its lease will end");
    }
}

/// Waits for what others do, for a while; gives the last look.
pub async fn wait_until<T, F>(look: impl Fn() -> F, good: impl Fn(&T) -> bool) -> Result<T, ApiError>
where
    F: Future<Output = Result<T, ApiError>>,
{
    let begun = Instant::now();
    loop {
        let seen = look().await?;
        if good(&seen) || begun.elapsed() > PATIENCE {
            return Ok(seen);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What a server's refusal is to the caller: its own status where it is one of these, else 502.
pub fn refused(e: &LapiError, passed: &[u16]) -> ApiError {
    let (status, text) = match e {
        LapiError::LoginRefused => (500, "Failed to authenticate with LAPI".to_owned()),
        LapiError::Status(status) => {
            let shown = if passed.contains(status) { *status } else { 502 };
            (shown, format!("LAPI returned error: {status}"))
        }
        other => (502, other.to_string()),
    };
    tracing::info!(cause = ?e, "a LAPI server was written to in vain");
    ApiError::Upstream(
        StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY),
        text,
    )
}

/// For whom the caller says to act: the first header that says something.
pub fn note(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all("x-crowdsieve-actor");
    let texts = all.iter().map(|v| String::from_utf8_lossy(v.as_bytes()));
    let mut texts = texts.map(|text| text.trim().chars().take(256).collect::<String>());
    texts.find(|text| !text.is_empty())
}

/// Who acts.
pub fn actor(operator: Operator) -> String {
    operator.shown()
}

/// Tells the log what was done; the record is written with the deed.
pub fn tell(operator: Operator, audit: &Audit<'_>) {
    tracing::info!(
        tenant = operator.tenant.id(),
        actor = audit.actor,
        note = audit.note,
        server = audit.server,
        target = audit.subject.value(),
        scope = audit.subject.scope(),
        reason = audit.reason,
        decision = audit.decision_id,
        queued = audit.queued,
        "{}",
        if matches!(audit.kind, Act::Ban { .. }) {
            "manual_ban"
        } else {
            "manual_unban"
        }
    );
}

/// The moment a duration from now ends.
pub fn end(seconds: i64) -> Timestamp {
    let now = Timestamp::now();
    now.checked_add(jiff::SignedDuration::from_secs(seconds))
        .unwrap_or(now)
}
