use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::part::chosen;
use crate::app::App;
use crate::gate::link::model::feed;
use crate::gate::link::model::token::{Link, Subject};
use crate::gate::link::model::{is_unmodified, last_modified};
use crate::gate::link::queries;
use crate::http::{ApiError, Delivery, Machine, Problem, Turns};

/// Lists that are made at the same time, and for one tenant's machines: each reads the whole set.
static TURNS: LazyLock<Turns> = LazyLock::new(|| Turns::new(16, 4));
/// How long a turn is waited for: engines fetch all their links at once, and a fleet may pull at the same minute.
const PATIENCE: Duration = Duration::from_secs(15);

const NOT_FOUND: ApiError = ApiError::NotFound("this link opens nothing");

/// A list that a decisions stream linked to: values line by line for a blocklist, JSON objects line by line for an
/// allowlist. The link is the credential, for three hours: engines send no other.
#[utoipa::path(get, path = "/links/{token}", tag = "CAPI", security(()), params(("token" = String, Path, description = "from the stream")),
    responses((status = 200, description = "the list", body = String, content_type = "text/plain"), (status = 304, description = "not modified since"),
        (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn fetch(
    State(app): State<App>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let link = Link::read(&token, &app.ring, Timestamp::now()).ok_or(NOT_FOUND)?;
    let machine = app
        .auth
        .linked(link.tenant, link.machine)
        .await?
        .ok_or(NOT_FOUND)?;
    let Some(_turn) = TURNS.take(link.tenant, PATIENCE).await else {
        return Err(ApiError::Unavailable(5));
    };
    let (body, changed) = list(&app, &machine, &link.subject).await?.ok_or(NOT_FOUND)?;
    let now = Timestamp::now();
    let since = headers
        .get(header::IF_MODIFIED_SINCE)
        .and_then(|value| value.to_str().ok());
    let kind = match link.subject {
        Subject::Block(_) => "text/plain; charset=utf-8",
        Subject::Allow(_) => "application/x-ndjson",
    };
    let mut response = if is_unmodified(since, changed, now) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind)], body).into_response()
    };
    if let Some(at) = last_modified(changed, now).and_then(|at| HeaderValue::from_str(&at).ok()) {
        response.headers_mut().insert(header::LAST_MODIFIED, at);
    }
    Ok(response)
}

/// What the list holds, and since when; none when the machine is not to have it.
async fn list(
    app: &App,
    machine: &Machine,
    subject: &Subject,
) -> Result<Option<(String, Timestamp)>, ApiError> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, machine.tenant).await?;
    let (body, kind, name) = match (subject, machine.delivery) {
        (_, Delivery::Off) | (Subject::Block(_), Delivery::TakingBack) => return Ok(None),
        (Subject::Block(list), Delivery::On) => {
            let chosen = chosen(&tx, machine).await?;
            let name = format!("{} {}", list.scope(), list.kind);
            (feed::blocklist(&chosen, list), 1, name)
        }
        (Subject::Allow(id), Delivery::On) => {
            let entries = queries::list_entries(&tx, *id).await?;
            (feed::allowlist(&entries), 2, id.to_string())
        }
        (Subject::Allow(id), Delivery::TakingBack) => (String::new(), 2, id.to_string()),
    };
    let hash = digest(&SHA256, body.as_bytes());
    let changed = queries::upsert_digest(&tx, machine.id, kind, &name, hash.as_ref()).await?;
    tx.commit().await?;
    Ok(Some((body, changed)))
}
