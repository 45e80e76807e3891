use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Draft, SERVER_LIMIT, Server, Standing, breaker, is_name};
use super::queries::{self, Refused};
use crate::app::App;
use crate::db::{DbError, patiently};
use crate::http::limits::OwnLimits;
use crate::http::{Acting, ApiError, Editor, JsonBody, Operator, Problem};
use crate::kernel::time::rfc3339_millis;
use crate::outbound::lapi::Try;

/// How long a deletion is tried again.
const PATIENCE: Duration = Duration::from_secs(8);

const NOT_FOUND: ApiError = ApiError::NotFound("LAPI server not found");

/// LAPI servers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, replace, delete))
        .layer(DefaultBodyLimit::max(64 * 1024))
}

/// A LAPI server. Its secrets are never shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerView {
    name: String,
    /// In its canonical form.
    url: String,
    /// Whether there are a machine and a password to write with.
    can_ban: bool,
    machine_id: Option<String>,
    /// Whether decisions from elsewhere go there.
    replicate_decisions: bool,
    /// The agents behind it: what they report does not go back there.
    source_machine_ids: Vec<String>,
    tags: Vec<String>,
    created_at: String,
    updated_at: String,
    /// What worked when it was last tried.
    check: Option<CheckView>,
    /// How replication stands.
    replication: Option<ReplicationView>,
}

/// What of a server works.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckView {
    at: String,
    /// It answers as a LAPI does.
    reachable: bool,
    /// It takes the key; null when that could not be tried.
    key: Option<bool>,
    /// It takes the machine's login; null when that could not be tried or there is none.
    login: Option<bool>,
    /// What its routes tell of its release.
    version: Option<String>,
    /// The first thing that does not work.
    error: Option<String>,
}

/// How replication with a server stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicationView {
    /// Decisions that should be on it because of what others say.
    wanted: i64,
    /// Those that Garrison put there.
    delivered: i64,
    /// Of these, those that were seen there.
    present: i64,
    /// Those that it refuses for good.
    refused: i64,
    /// When all that is there was last compared with what should be.
    compared_at: Option<String>,
    /// Changes on their way to it.
    backlog: i64,
    /// The oldest of them.
    backlog_since: Option<String>,
    /// `closed`: it is written to; `open`: it failed five times in a row, and is tried again at `nextTryAt`; `halfOpen`:
    /// that try is under way.
    breaker: &'static str,
    /// Failures in a row.
    failures: i32,
    last_success_at: Option<String>,
    last_error: Option<String>,
    next_try_at: Option<String>,
    /// When its own decisions were last read.
    read_at: Option<String>,
    read_error: Option<String>,
    /// Its clock minus ours.
    clock_skew_ms: i64,
}

impl From<Standing> for ReplicationView {
    fn from(state: Standing) -> Self {
        let breaker = breaker(state.failures, state.busy);
        Self {
            wanted: state.wanted,
            delivered: state.delivered,
            present: state.present,
            refused: state.refused,
            compared_at: state.compared_at.map(rfc3339_millis),
            backlog: state.waiting,
            backlog_since: state.waiting_since.map(rfc3339_millis),
            breaker,
            failures: state.failures,
            last_success_at: state.ok_at.max(state.read_ok_at).map(rfc3339_millis),
            last_error: state.error,
            next_try_at: state
                .next_try_at
                .filter(|_| state.failures > 0)
                .map(rfc3339_millis),
            read_at: state.read_at.map(rfc3339_millis),
            read_error: state.read_error,
            clock_skew_ms: state.skew_ms,
        }
    }
}

impl From<Server> for ServerView {
    fn from(server: Server) -> Self {
        Self {
            can_ban: server.can_ban(),
            name: server.name,
            url: server.url,
            machine_id: server.machine_id,
            replicate_decisions: server.replicate_decisions,
            source_machine_ids: server.source_machine_ids,
            tags: server.tags,
            created_at: rfc3339_millis(server.created_at),
            updated_at: rfc3339_millis(server.updated_at),
            check: server.checked.map(|(at, check)| CheckView {
                at: rfc3339_millis(at),
                reachable: check.reachable,
                key: check.key,
                login: check.login,
                version: check.version.map(Into::into),
                error: check.error,
            }),
            replication: None,
        }
    }
}

/// A server to store, or to put in another's place. It holds secrets: no `Debug`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerBody {
    /// Letters, digits, `_` and `-`, at most 64; in a replacement it may only repeat the name.
    #[schema(pattern = "^[a-zA-Z0-9_-]{1,64}$")]
    name: Option<String>,
    /// http or https, without user, query and fragment.
    url: String,
    /// A bouncer's key at that server. In a replacement it may be left out as long as the URL stays.
    api_key: Option<String>,
    /// A machine at that server, to write with.
    machine_id: Option<String>,
    /// That machine's password. In a replacement it may be left out as long as URL and machine stay.
    password: Option<String>,
    #[serde(default)]
    replicate_decisions: bool,
    #[serde(default)]
    source_machine_ids: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
}

impl ServerBody {
    fn draft(self, name: String) -> Draft {
        Draft {
            name,
            url: self.url,
            bouncer_key: self.api_key.map(Into::into),
            machine_id: self.machine_id,
            machine_password: self.password.map(Into::into),
            replicate_decisions: self.replicate_decisions,
            source_machine_ids: self.source_machine_ids,
            tags: self.tags,
        }
    }
}

/// The tenant's LAPI servers, by name.
#[utoipa::path(get, path = "/api/lapi-servers", tag = "LAPI servers",
    responses((status = 200, body = Vec<ServerView>), (status = 401, body = Problem)))]
async fn list(State(app): State<App>, operator: Operator) -> Result<Json<Vec<ServerView>>, ApiError> {
    let servers = queries::list(&app.db, operator.tenant).await?;
    let mut standings = queries::list_state(&app.db, operator.tenant, None).await?;
    let view = |server: Server| {
        let standing = standings.remove(&server.id);
        ServerView {
            replication: standing.map(Into::into),
            ..server.into()
        }
    };
    Ok(Json(servers.into_iter().map(view).collect()))
}

/// A new server. It is tried at once, and `check` says what works; it is kept whatever the outcome.
#[utoipa::path(post, path = "/api/lapi-servers", tag = "LAPI servers", request_body = ServerBody,
    responses((status = 201, body = ServerView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem), (status = 429, body = Problem, description = "ten servers did not answer within a minute")))]
async fn create(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    JsonBody(mut body): JsonBody<ServerBody>,
) -> Result<(StatusCode, Json<ServerView>), ApiError> {
    let name = body.name.take().unwrap_or_default();
    let draft = body
        .draft(name)
        .check(app.lapis.policy(), None)
        .map_err(ApiError::Invalid)?;
    let begun = begin(&app, operator).await?;
    let own = app.auth.own_limits(operator.tenant.id()).await;
    let most = OwnLimits::many(own.lapi_servers, SERVER_LIMIT);
    let stored = queries::insert(&app.db, &app.ring, operator.tenant, &draft, most).await;
    let server = match stored {
        Ok(server) => server,
        Err(e) => {
            begun.forgive();
            return Err(match e {
                Refused::Db(e) => e.into(),
                refused => ApiError::Conflict(refused.to_string()),
            });
        }
    };
    let server = checked(&app, operator, server, begun).await?;
    Ok((StatusCode::CREATED, Json(server.into())))
}

/// One server.
#[utoipa::path(get, path = "/api/lapi-servers/{name}", tag = "LAPI servers", operation_id = "get_lapi_server", params(("name" = String, Path)),
    responses((status = 200, body = ServerView), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn show(
    State(app): State<App>,
    operator: Operator,
    Path(name): Path<String>,
) -> Result<Json<ServerView>, ApiError> {
    let server = find(&app, operator, &name).await?;
    let mut standings = queries::list_state(&app.db, operator.tenant, Some(server.id)).await?;
    Ok(Json(ServerView {
        replication: standings.remove(&server.id).map(Into::into),
        ..server.into()
    }))
}

/// Replaces a server. Secrets that are left out stay, as long as the URL does. It is tried at once.
#[utoipa::path(put, path = "/api/lapi-servers/{name}", tag = "LAPI servers", params(("name" = String, Path)), request_body = ServerBody,
    responses((status = 200, body = ServerView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem), (status = 429, body = Problem, description = "ten servers did not answer within a minute")))]
async fn replace(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(name): Path<String>,
    JsonBody(body): JsonBody<ServerBody>,
) -> Result<Json<ServerView>, ApiError> {
    let before = find(&app, operator, &name).await?;
    if body.name.as_ref().is_some_and(|new| *new != name) {
        return Err(ApiError::field("name", "cannot change: make another server"));
    }
    let draft = body.draft(name).check(app.lapis.policy(), Some(&before));
    let draft = draft.map_err(ApiError::Invalid)?;
    let begun = begin(&app, operator).await?;
    let server = match queries::update(&app.db, &app.ring, operator.tenant, &before, &draft).await {
        Ok(Some(server)) => server,
        Ok(None) => {
            begun.forgive();
            let text = "the LAPI server has just been changed";
            return Err(ApiError::Conflict(text.to_owned()));
        }
        Err(e) => {
            begun.forgive();
            return Err(e.into());
        }
    };
    let server = checked(&app, operator, server, begun).await?;
    Ok(Json(server.into()))
}

/// Forgets a server. Its decisions stay on it.
#[utoipa::path(delete, path = "/api/lapi-servers/{name}", tag = "LAPI servers", params(("name" = String, Path)),
    responses((status = 204, description = "gone"), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
async fn delete(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    if !is_name(&name) {
        return Err(NOT_FOUND);
    }
    // Its writer may hold what goes, and want what is held. Gone at a second try is gone by the first.
    let tries = AtomicUsize::new(0);
    let once = || async {
        let again = tries.fetch_add(1, Ordering::Relaxed) > 0;
        Ok(queries::delete(&app.db, operator.tenant, &name).await? || again)
    };
    if patiently(PATIENCE, once).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(NOT_FOUND)
    }
}

/// Before anything is stored: a request that may not try a server does nothing at all.
async fn begin(app: &App, operator: Operator) -> Result<Try, ApiError> {
    const TOO_MANY: &str = "too many servers did not answer a moment ago, or have not answered yet";
    let begun = app.lapis.begin(operator.tenant.id()).await;
    begun.map_err(|seconds| ApiError::TooMany(TOO_MANY, seconds))
}

async fn checked(app: &App, operator: Operator, server: Server, begun: Try) -> Result<Server, ApiError> {
    let checked = queries::check(&app.db, &app.ring, &app.lapis, operator.tenant, server).await?;
    let (server, reached) = checked;
    begun.end(reached).await;
    Ok(server)
}

async fn find(app: &App, operator: Operator, name: &str) -> Result<Server, ApiError> {
    if !is_name(name) {
        return Err(NOT_FOUND);
    }
    let found: Result<_, DbError> = queries::get(&app.db, operator.tenant, name).await;
    found?.ok_or(NOT_FOUND)
}
