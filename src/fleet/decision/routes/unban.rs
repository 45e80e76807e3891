use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::act::{
    DoneView, OutcomeView, actor, check_common, check_reason, check_subject, field, give_back, note, refused,
    tell, to_the_end, turn, wait_until, writable,
};
use super::replay::once;
use crate::app::App;
use crate::fleet::decision::model::{Act, Audit, Fact, OUR_ORIGIN, Subject, is_local};
use crate::fleet::decision::queries::{self, Source, announce, delete_said, lift, list_by_address};
use crate::fleet::lapi::Server;
use crate::fleet::replication;
use crate::http::{Acting, ApiError, Editor, JsonBody, Operator, Problem, QueryOf};
use crate::kernel::net::parse_block;
use crate::outbound::lapi::{LapiError, Target};

/// Why a decision is lifted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct UnbanBody {
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
    /// The address or range it is about; the record says whether the server agrees.
    ip: String,
}

/// Where.
#[derive(Debug, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ServerQuery {
    /// The LAPI server's name.
    #[param(required = true, pattern = "^[a-zA-Z0-9_-]+$")]
    server: Option<String>,
}

/// Lifts one decision on one LAPI server. Its bouncers are told. Where it was replicated from there it goes, too; and a copy
/// of Garrison's is lifted where it came from, and everywhere.
#[utoipa::path(delete, path = "/api/decisions/{id}", tag = "Decisions", params(("id" = i64, Path, minimum = 1), ServerQuery,
        ("x-crowdsieve-actor" = Option<String>, Header, description = "for whom; kept as a note")), request_body = UnbanBody,
    responses((status = 200, body = DoneView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem), (status = 500, body = Problem), (status = 502, body = Problem)))]
pub async fn unban(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<ServerQuery>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<UnbanBody>,
) -> Result<Response, ApiError> {
    let name = query.server.unwrap_or_default();
    let mut wrong = check_common(&name, &body.reason);
    let id = id.parse::<i64>().ok().filter(|id| *id >= 1);
    if id.is_none() {
        wrong.push(field("id", "must be an integer >= 1"));
    }
    let (given, reason) = check_subject(wrong, &body.ip, &body.reason)?;
    let (server, target) = writable(&app, operator, &name).await?;
    let wish = Wish {
        id: id.unwrap_or_default(),
        given,
        reason: reason.to_owned(),
        note: note(&headers),
        actor: actor(operator),
    };
    let asked = ("DELETE /api/decisions", wish.id, &name, &body);
    let work = Box::pin(to_the_end(here(app.clone(), operator, wish, server, target)));
    once(&app, operator, &headers, &asked, work).await
}

struct Wish {
    id: i64,
    given: Subject,
    reason: String,
    note: Option<String>,
    actor: String,
}

async fn here(
    app: App,
    operator: Operator,
    wish: Wish,
    server: Server,
    target: Target,
) -> Result<(StatusCode, DoneView), ApiError> {
    let Some(lease) = turn(&app, operator, server.id).await? else {
        let text = "the LAPI server is being written to: try again in a moment";
        return Err(ApiError::Upstream(StatusCode::BAD_GATEWAY, text.to_owned()));
    };
    let found = confirm(&app, &target, wish.id, wish.given).await;
    let deleted = app.lapis.delete_decision(&target, wish.id).await;
    let recorded = match deleted {
        Ok(()) => record(&app, operator, &wish, &server, found).await,
        Err(LapiError::NoDecision) => Err(ApiError::NotFound("Decision not found")),
        Err(e) => Err(refused(&e, &[400, 401, 500])),
    };
    give_back(&app, &lease).await;
    recorded?;
    app.outbox.notify_one();
    let done = DoneView {
        success: true,
        message: format!("Decision {} deleted", wish.id),
        server: server.name,
        decision_id: Some(wish.id),
        ..DoneView::default()
    };
    Ok((StatusCode::OK, done))
}

/// What the decision is, as the server says; none when it does not say.
async fn confirm(app: &App, target: &Target, id: i64, given: Subject) -> Option<Map<String, Value>> {
    let list = app.lapis.decisions(target, &given.value()).await.ok()?;
    list.into_iter()
        .find(|decision| decision.get("id").and_then(Value::as_i64) == Some(id))
}

/// What follows for the set, and the record, together.
async fn record(
    app: &App,
    operator: Operator,
    wish: &Wish,
    server: &Server,
    found: Option<Map<String, Value>>,
) -> Result<(), ApiError> {
    let text = |name: &str| found.as_ref().and_then(|d| d.get(name)?.as_str());
    let (scope, value, kind) = (text("scope"), text("value"), text("type"));
    let origin = text("origin").unwrap_or_default();
    let fact = match (scope, value, kind) {
        (Some(scope), Some(value), Some(kind)) => Fact::read(scope, value, kind),
        _ => None,
    };
    let said = value.and_then(parse_block).map(Subject);
    let audit = Audit {
        kind: Act::Unban {
            confirmed: found.is_some(),
        },
        server: &server.name,
        subject: said.unwrap_or(wish.given),
        decision_id: Some(wish.id),
        reason: &wish.reason,
        actor: &wish.actor,
        note: wish.note.as_deref(),
        queued: false,
    };
    tell(operator, &audit);
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, operator.tenant).await?;
    if let Some(fact) = fact {
        let key = fact.key();
        if origin == OUR_ORIGIN {
            lift(&tx, &[key]).await?;
            announce(&tx, &[key], true).await?;
        } else if is_local(origin) {
            let gone = [(key, origin.to_owned())];
            let gone = delete_said(&tx, Source::Server(server.id), &gone).await?;
            announce(&tx, &gone, false).await?;
        }
    }
    let place = app.geoip.files().place(audit.subject.0.lo());
    // The server may have several about the same, or not have said which it was.
    replication::read_anew(&tx, server.id).await?;
    queries::insert_audit(&tx, &audit, place).await?;
    Ok(tx.commit().await?)
}

/// Lifts all that the fleet itself decided about exactly this address or range, on every LAPI server. What comes from CAPI
/// or a list stays: `DELETE /api/decisions/{id}` lifts it on one server.
#[utoipa::path(post, path = "/api/decisions/unban", tag = "Decisions", request_body = UnbanBody,
    params(("x-crowdsieve-actor" = Option<String>, Header, description = "for whom; kept as a note"),
        ("idempotency-key" = Option<String>, Header, description = "1 to 255 printable characters, remembered for a day")),
    responses((status = 200, body = DoneView), (status = 202, body = DoneView, description = "queued for a server that cannot be reached"), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem)))]
pub async fn unban_everywhere(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    headers: HeaderMap,
    JsonBody(body): JsonBody<UnbanBody>,
) -> Result<Response, ApiError> {
    let wrong = check_reason(&body.reason).into_iter().collect();
    let (given, reason) = check_subject(wrong, &body.ip, &body.reason)?;
    let wish = Wish {
        id: 0,
        given,
        reason: reason.to_owned(),
        note: note(&headers),
        actor: actor(operator),
    };
    let asked = ("POST /api/decisions/unban", &body);
    let work = Box::pin(everywhere(app.clone(), operator, wish));
    once(&app, operator, &headers, &asked, work).await
}

async fn everywhere(app: App, operator: Operator, wish: Wish) -> Result<(StatusCode, DoneView), ApiError> {
    let keys = lift_all(&app, operator, &wish).await?;
    app.outbox.notify_one();
    let look = || async { Ok(queries::list_lifting(&app.db, operator.tenant, &keys).await?) };
    let is_settled = |left: &Vec<queries::Standing>| !left.iter().any(|standing| standing.writable);
    let left = wait_until(look, is_settled).await?;
    let queued = !is_settled(&left);
    // Where nothing can be written nothing is promised either.
    let results = left.into_iter().map(|standing| OutcomeView {
        server: standing.name,
        status: if standing.writable {
            "queued"
        } else {
            "notWritable"
        },
        error: standing.error.filter(|_| standing.writable),
    });
    let done = DoneView {
        success: true,
        message: format!("{} is free", wish.given.value()),
        server: "all".to_owned(),
        queued,
        results: results.collect(),
        ..DoneView::default()
    };
    let status = if queued {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok((status, done))
}

async fn lift_all(app: &App, operator: Operator, wish: &Wish) -> Result<Vec<Uuid>, ApiError> {
    let audit = Audit {
        kind: Act::Unban { confirmed: true },
        server: "all",
        subject: wish.given,
        decision_id: None,
        reason: &wish.reason,
        actor: &wish.actor,
        note: wish.note.as_deref(),
        queued: true,
    };
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, operator.tenant).await?;
    let about = list_by_address(&tx, &wish.given.0).await?;
    let value = wish.given.value();
    let keys: Vec<Uuid> = about
        .iter()
        .filter(|said| said.value == value && said.lifted_at.is_none())
        .map(|said| said.key)
        .collect();
    if keys.is_empty() {
        return Err(ApiError::NotFound(
            "the fleet has no decision of its own about this",
        ));
    }
    tell(operator, &audit);
    let lifted = lift(&tx, &keys).await?;
    announce(&tx, &lifted, true).await?;
    let place = app.geoip.files().place(audit.subject.0.lo());
    queries::insert_audit(&tx, &audit, place).await?;
    tx.commit().await?;
    Ok(keys)
}
