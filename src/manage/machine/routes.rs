use axum::Json;
use axum::extract::{DefaultBodyLimit, Path, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::queries::{self, MachineRow};
use crate::app::App;
use crate::http::{Acting, ApiError, Editor, JsonBody, Operator, Problem};
use crate::kernel::time::rfc3339_millis;

const NOT_FOUND: ApiError = ApiError::NotFound("machine not found");

/// Machines.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, change))
        .layer(DefaultBodyLimit::max(16 * 1024))
}

/// A CrowdSec engine.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MachineView {
    id: i64,
    /// Its login at CAPI.
    login: String,
    /// The name it was enrolled by.
    name: String,
    /// `issued` by us, or `capi`: made by the engine and accepted there.
    credentials: &'static str,
    /// The program, as it names itself.
    user_agent: Option<String>,
    /// The engine's version, where the program's name tells.
    version: Option<String>,
    created_at: String,
    last_seen_at: Option<String>,
    /// Whether the tenant's bans and allowlists ride on its decisions stream.
    deliver: bool,
    /// What it sent in the last 24 hours.
    last_day: Counts,
    forwarding: Forwarding,
}

/// Items by what became of them: received = stored + duplicate + rejected; filtered ones are among the stored.
#[derive(Debug, Serialize, ToSchema)]
pub struct Counts {
    received: i64,
    stored: i64,
    duplicate: i64,
    rejected: i64,
    filtered: i64,
}

/// How far its alerts are on their way to CAPI.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Forwarding {
    /// Alerts that wait.
    waiting: i64,
    /// Since when the oldest of them waits, seconds; 0 when none does.
    lag_seconds: i64,
    /// Failures in a row.
    failures: i32,
    last_error: Option<String>,
    next_try_at: Option<String>,
    last_success_at: Option<String>,
}

impl MachineView {
    fn new(row: MachineRow, now: Timestamp) -> Self {
        let version = row.user_agent.as_deref().and_then(|agent| agent.split_once('/'));
        let version = version.map(|(_, v)| v.split([' ', ';']).next().unwrap_or_default().to_owned());
        Self {
            id: row.id,
            login: row.login,
            name: row.name,
            credentials: if row.issued { "issued" } else { "capi" },
            version,
            user_agent: row.user_agent,
            created_at: rfc3339_millis(row.created_at),
            last_seen_at: row.last_seen_at.map(rfc3339_millis),
            deliver: row.delivers,
            last_day: Counts {
                received: row.received,
                stored: row.stored,
                duplicate: row.duplicate,
                rejected: row.rejected,
                filtered: row.filtered,
            },
            forwarding: Forwarding {
                waiting: row.waiting,
                lag_seconds: row
                    .oldest
                    .map_or(0, |oldest| (now.as_second() - oldest.as_second()).max(0)),
                failures: row.failures,
                last_error: row.last_error,
                next_try_at: (row.failures > 0)
                    .then(|| row.next_try_at.map(rfc3339_millis))
                    .flatten(),
                last_success_at: row.last_ok_at.map(rfc3339_millis),
            },
        }
    }
}

/// What of a machine can be changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MachineChange {
    /// Whether the tenant's bans and allowlists ride on its decisions stream. Switched off, what the machine was given
    /// is taken back at its next pulls, for a week.
    deliver: bool,
}

/// The tenant's machines.
#[utoipa::path(get, path = "/api/machines", tag = "Machines",
    responses((status = 200, body = Vec<MachineView>), (status = 401, body = Problem)))]
async fn list(State(app): State<App>, operator: Operator) -> Result<Json<Vec<MachineView>>, ApiError> {
    let now = Timestamp::now();
    let rows = queries::list(&app.db, operator.tenant).await?;
    Ok(Json(
        rows.into_iter().map(|row| MachineView::new(row, now)).collect(),
    ))
}

/// One machine.
#[utoipa::path(get, path = "/api/machines/{id}", tag = "Machines", operation_id = "get_machine", params(("id" = i64, Path)),
    responses((status = 200, body = MachineView), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn show(
    State(app): State<App>,
    operator: Operator,
    Path(id): Path<String>,
) -> Result<Json<MachineView>, ApiError> {
    Ok(Json(find(&app, operator, &id).await?))
}

/// Switches delivery through a machine's stream on or off.
#[utoipa::path(patch, path = "/api/machines/{id}", tag = "Machines", operation_id = "change_machine", params(("id" = i64, Path)), request_body = MachineChange,
    responses((status = 200, body = MachineView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem)))]
async fn change(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(id): Path<String>,
    JsonBody(change): JsonBody<MachineChange>,
) -> Result<Json<MachineView>, ApiError> {
    let number: i64 = id.parse().map_err(|_| NOT_FOUND)?;
    if !queries::update_delivers(&app.db, operator.tenant, number, change.deliver).await? {
        return Err(NOT_FOUND);
    }
    Ok(Json(find(&app, operator, &id).await?))
}

async fn find(app: &App, operator: Operator, id: &str) -> Result<MachineView, ApiError> {
    let id: i64 = id.parse().map_err(|_| NOT_FOUND)?;
    let rows = queries::list(&app.db, operator.tenant).await?;
    let row = rows.into_iter().find(|row| row.id == id).ok_or(NOT_FOUND)?;
    Ok(MachineView::new(row, Timestamp::now()))
}
