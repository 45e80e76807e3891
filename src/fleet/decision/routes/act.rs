use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::NO_ADDRESS;
use crate::app::App;
use crate::fleet::decision::model::{Act, Audit, Ban, Subject, alert, protected, seconds};
use crate::fleet::decision::queries;
use crate::fleet::lapi;
use crate::http::{ApiError, Editor, FieldError, JsonBody, Operator, Problem, QueryOf};
use crate::kernel::net::parse_block;
use crate::outbound::lapi::{LapiError, Target};

/// Who is banned, where, how long and why.
#[derive(Debug, Deserialize, ToSchema)]
pub struct BanBody {
    /// The LAPI server's name.
    #[schema(pattern = "^[a-zA-Z0-9_-]+$")]
    server: String,
    /// An address or a range.
    #[schema(min_length = 1)]
    ip: String,
    /// At most five years.
    #[schema(pattern = r"^\d+[smh]$")]
    duration: String,
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// Why a decision is lifted.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UnbanBody {
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
    /// The address or range it is about; the record says whether the server agrees.
    ip: String,
}

/// Where.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ServerQuery {
    /// The LAPI server's name.
    #[param(required = true, pattern = "^[a-zA-Z0-9_-]+$")]
    server: Option<String>,
}

/// It is done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DoneView {
    success: bool,
    message: String,
    server: String,
    /// The decision's number on that server, where it told.
    decision_id: Option<i64>,
}

/// Bans an address or a range on one LAPI server, from now on. Private, own and absurdly wide ranges are refused.
#[utoipa::path(post, path = "/api/decisions/ban", tag = "Decisions", request_body = BanBody,
    params(("x-crowdsieve-actor" = Option<String>, Header, description = "for whom; kept as a note")),
    responses((status = 200, body = DoneView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem), (status = 500, body = Problem), (status = 502, body = Problem)))]
pub async fn ban(
    State(app): State<App>,
    Editor(operator): Editor,
    headers: HeaderMap,
    JsonBody(body): JsonBody<BanBody>,
) -> Result<Json<DoneView>, ApiError> {
    let mut wrong = check_common(&body.server, &body.reason);
    if body.ip.is_empty() {
        wrong.push(field("ip", "must NOT have fewer than 1 characters"));
    }
    if seconds(&body.duration).is_none() {
        let expected = r#"must match pattern "^\d+[smh]$", be more than nothing and at most five years"#;
        wrong.push(field("duration", expected));
    }
    let (subject, reason) = check_subject(wrong, &body.ip, &body.reason)?;
    if let Some(why) = protected(&subject.0, &app.settings.own_addresses) {
        return Err(ApiError::BadRequest(why));
    }
    let (target, actor) = writable(&app, operator, &body.server).await?;
    let (reason, note) = (reason.to_owned(), note(&headers));
    let work = async move {
        let ban = Ban {
            subject,
            duration: &body.duration,
            reason: &reason,
            actor: &actor,
        };
        let ids = app
            .lapis
            .post_alerts(&target, &[alert(&ban, Timestamp::now())])
            .await;
        let ids = ids.map_err(|e| refused(&e, &[400, 401, 403, 404, 500]))?;
        let Some(id) = ids.first() else {
            return Err(ApiError::Upstream(
                StatusCode::BAD_GATEWAY,
                "the LAPI server stored nothing".to_owned(),
            ));
        };
        // The ban stands; its number is only for the record.
        let decision_id = app.lapis.decision_of(&target, id).await.unwrap_or_default();
        let audit = Audit {
            kind: Act::Ban {
                duration: &body.duration,
            },
            server: &body.server,
            subject,
            decision_id,
            reason: &reason,
            actor: &actor,
            note: note.as_deref(),
        };
        record(&app, operator, &audit).await;
        Ok(Json(DoneView {
            success: true,
            message: format!("{} banned for {}", subject.value(), body.duration),
            server: body.server,
            decision_id,
        }))
    };
    to_the_end(work).await
}

/// Lifts one decision on one LAPI server. Its bouncers are told.
#[utoipa::path(delete, path = "/api/decisions/{id}", tag = "Decisions", params(("id" = i64, Path, minimum = 1), ServerQuery,
        ("x-crowdsieve-actor" = Option<String>, Header, description = "for whom; kept as a note")), request_body = UnbanBody,
    responses((status = 200, body = DoneView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem), (status = 500, body = Problem), (status = 502, body = Problem)))]
pub async fn unban(
    State(app): State<App>,
    Editor(operator): Editor,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<ServerQuery>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<UnbanBody>,
) -> Result<Json<DoneView>, ApiError> {
    let server = query.server.unwrap_or_default();
    let mut wrong = check_common(&server, &body.reason);
    let id = id.parse::<i64>().ok().filter(|id| *id >= 1);
    if id.is_none() {
        wrong.push(field("id", "must be an integer >= 1"));
    }
    let (given, reason) = check_subject(wrong, &body.ip, &body.reason)?;
    let id = id.unwrap_or_default();
    let (target, actor) = writable(&app, operator, &server).await?;
    let (reason, note) = (reason.to_owned(), note(&headers));
    let work = async move {
        let found = confirm(&app, &target, id, given).await;
        app.lapis
            .delete_decision(&target, id)
            .await
            .map_err(|e| match e {
                LapiError::NoDecision => ApiError::NotFound("Decision not found"),
                e => refused(&e, &[400, 401, 500]),
            })?;
        let audit = Audit {
            kind: Act::Unban {
                confirmed: found.is_some(),
            },
            server: &server,
            subject: found.unwrap_or(given),
            decision_id: Some(id),
            reason: &reason,
            actor: &actor,
            note: note.as_deref(),
        };
        record(&app, operator, &audit).await;
        Ok(Json(DoneView {
            success: true,
            message: format!("Decision {id} deleted"),
            server,
            decision_id: Some(id),
        }))
    };
    to_the_end(work).await
}

/// Runs on although the caller goes away: what was done on a server is put on record.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|e| Err(ApiError::Internal(format!("an action on a LAPI server: {e}"))))
}

fn field(name: &str, reason: &str) -> FieldError {
    FieldError {
        field: name.to_owned(),
        reason: reason.to_owned(),
    }
}

/// The part of the first API's schema that both have.
fn check_common(server: &str, reason: &str) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let good = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
    if server.is_empty() || !server.bytes().all(good) {
        wrong.push(field("server", r#"must match pattern "^[a-zA-Z0-9_-]+$""#));
    }
    if !(1..=500).contains(&reason.chars().count()) || reason.contains('\0') {
        wrong.push(field("reason", "must have 1 to 500 characters and no NUL"));
    }
    wrong
}

/// What comes after the schema, in the first API's order and words.
fn check_subject<'a>(
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

/// The server to write to, and who writes.
async fn writable(app: &App, operator: Operator, name: &str) -> Result<(Target, String), ApiError> {
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
    let actor = queries::get_actor(&app.db, operator.tenant, operator.token_id).await?;
    Ok((target, actor))
}

/// What the decision is about, as the server says; none when it does not say.
async fn confirm(app: &App, target: &Target, id: i64, given: Subject) -> Option<Subject> {
    let list = app.lapis.decisions(target, &given.value()).await.ok()?;
    let decision = list
        .into_iter()
        .find(|decision| decision.get("id").and_then(serde_json::Value::as_i64) == Some(id))?;
    parse_block(decision.get("value")?.as_str()?).map(Subject)
}

/// What a server's refusal is to the caller: its own status where it is one of these, else 502.
fn refused(e: &LapiError, passed: &[u16]) -> ApiError {
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
fn note(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all("x-crowdsieve-actor");
    let texts = all.iter().map(|v| String::from_utf8_lossy(v.as_bytes()));
    let mut texts = texts.map(|text| text.trim().chars().take(256).collect::<String>());
    texts.find(|text| !text.is_empty())
}

/// Writes down what was done. It is done already: a failure here is only told.
async fn record(app: &App, operator: Operator, audit: &Audit<'_>) {
    tracing::info!(
        tenant = operator.tenant.id(),
        actor = audit.actor,
        note = audit.note,
        server = audit.server,
        target = audit.subject.value(),
        scope = audit.subject.scope(),
        reason = audit.reason,
        decision = audit.decision_id,
        "{}",
        if matches!(audit.kind, Act::Ban { .. }) {
            "manual_ban"
        } else {
            "manual_unban"
        }
    );
    if let Err(e) = queries::insert_audit(&app.db, operator.tenant, audit).await {
        tracing::error!(cause = %e, tenant = operator.tenant.id(), record = audit.raw(), "an audit row was not written");
    }
}
