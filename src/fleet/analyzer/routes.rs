use std::time::Duration;

use axum::Json;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::jobs::{self, TOPIC};
use super::model::{Analyzer, Finding, Push, Rule, Run};
use super::queries::{self, Refused};
use crate::app::App;
use crate::db::{DbError, Tenant};
use crate::fleet::lapi::is_name;
use crate::http::{Acting, ApiError, Editor, JsonBody, Operator, Problem, QueryOf};
use crate::jobs::{claim_one, give_back};
use crate::kernel::time::rfc3339_millis;

const NOT_FOUND: ApiError = ApiError::NotFound("Analyzer not found");
/// How long a run that a person asked for holds the lane: longer than a source may take.
const TERM: Duration = Duration::from_mins(1);
/// How long the person waits for it.
const PATIENCE: Duration = Duration::from_secs(22);
/// How long for a turn.
const TURN: Duration = Duration::from_secs(2);

/// Analyzers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, replace, delete))
        .routes(routes!(runs))
        .routes(routes!(run))
        .layer(DefaultBodyLimit::max(64 * 1024))
}

/// All analyzers.
#[derive(Serialize, ToSchema)]
pub struct AnalyzersView {
    /// Analyzers always run here.
    enabled: bool,
    analyzers: Vec<AnalyzerStatusView>,
}

/// How an analyzer stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalyzerStatusView {
    id: String,
    name: String,
    enabled: bool,
    /// Without its results, which `/runs` has.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<AnalyzerRunView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_run: Option<String>,
    interval_ms: i64,
}

/// A rule and how it stands.
#[derive(Serialize, ToSchema)]
pub struct AnalyzerView {
    analyzer: Rule,
    status: AnalyzerStatusView,
}

/// One run.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalyzerRunView {
    analyzer_id: String,
    /// `schedule`, or `manual` where a person asked for it.
    trigger: &'static str,
    started_at: String,
    completed_at: String,
    /// `success` or `error`.
    status: &'static str,
    logs_fetched: i32,
    /// Lines that could not be read, or do not have the field.
    lines_skipped: i32,
    /// Values that came too often.
    alerts_generated: i32,
    /// Those that are decided about now.
    decisions_pushed: i32,
    /// Those that must not be.
    refused: i32,
    /// Whether anything was cut off; `truncation` says what.
    truncated: bool,
    truncation: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
    /// The first hundred, the most distinct first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Finding>>)]
    results: Option<Value>,
    #[schema(value_type = Vec<Push>)]
    push_results: Value,
}

impl AnalyzerRunView {
    fn of(run: Run, slug: &str) -> Self {
        Self {
            analyzer_id: slug.to_owned(),
            trigger: if run.by_hand { "manual" } else { "schedule" },
            started_at: rfc3339_millis(run.started_at),
            completed_at: rfc3339_millis(run.completed_at),
            status: if run.error.is_some() { "error" } else { "success" },
            logs_fetched: run.lines,
            lines_skipped: run.skipped,
            alerts_generated: run.detections,
            decisions_pushed: run.decisions,
            refused: run.refused,
            truncated: !run.truncated.is_empty(),
            truncation: run.truncated,
            error_message: run.error,
            results: run.results,
            push_results: run.pushes,
        }
    }
}

impl AnalyzerStatusView {
    fn of(analyzer: &Analyzer, last: Option<Run>) -> Self {
        Self {
            id: analyzer.slug.clone(),
            name: analyzer.rule.name.clone(),
            enabled: analyzer.enabled,
            last_run: last.map(|run| AnalyzerRunView::of(run, &analyzer.slug)),
            next_run: analyzer.next_at.map(rfc3339_millis),
            interval_ms: analyzer.rule.interval().saturating_mul(1000),
        }
    }
}

/// The runs of an analyzer.
#[derive(Serialize, ToSchema)]
pub struct AnalyzerRunsView {
    runs: Vec<AnalyzerRunView>,
}

/// What a run that was asked for did.
#[derive(Serialize, ToSchema)]
pub struct AnalyzerDoneView {
    /// Whether the run succeeded.
    success: bool,
    /// Absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<AnalyzerRunView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
}

/// Which analyzers.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AnalyzersQuery {
    /// With those that are off.
    #[serde(default)]
    all: bool,
}

/// How many runs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RunsQuery {
    #[param(minimum = 1, maximum = 100, default = 10)]
    limit: Option<i64>,
}

/// The tenant's analyzers that run, by id.
#[utoipa::path(get, path = "/api/analyzers", tag = "Analyzers", operation_id = "list_analyzers", params(AnalyzersQuery),
    responses((status = 200, body = AnalyzersView), (status = 400, body = Problem), (status = 401, body = Problem)))]
async fn list(
    State(app): State<App>,
    operator: Operator,
    QueryOf(query): QueryOf<AnalyzersQuery>,
) -> Result<Json<AnalyzersView>, ApiError> {
    let all = queries::list(&app.db, operator.tenant).await?;
    let mut last = queries::list_last(&app.db, operator.tenant, None).await?;
    let shown = all.iter().filter(|analyzer| analyzer.enabled || query.all);
    Ok(Json(AnalyzersView {
        enabled: true,
        analyzers: shown
            .map(|analyzer| AnalyzerStatusView::of(analyzer, last.remove(&analyzer.id)))
            .collect(),
    }))
}

/// A new analyzer. It runs at once, and then at every interval.
#[utoipa::path(post, path = "/api/analyzers", tag = "Analyzers", operation_id = "create_analyzer", request_body = Rule,
    responses((status = 201, body = AnalyzerView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem)))]
async fn create(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    JsonBody(rule): JsonBody<Rule>,
) -> Result<(StatusCode, Json<AnalyzerView>), ApiError> {
    let checked = rule.check(app.logs.policy(), None).map_err(ApiError::Invalid)?;
    let stored = queries::insert(&app.db, &app.ring, operator.tenant, &checked).await;
    stored.map_err(|e| match e {
        Refused::Db(e) => e.into(),
        refused => ApiError::Conflict(refused.to_string()),
    })?;
    app.outbox.notify_one();
    let made = view(&app, operator.tenant, &checked.rule.id).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// One analyzer: its rule, whose token is never shown, and how it stands.
#[utoipa::path(get, path = "/api/analyzers/{id}", tag = "Analyzers", operation_id = "get_analyzer", params(("id" = String, Path)),
    responses((status = 200, body = AnalyzerView), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn show(
    State(app): State<App>,
    operator: Operator,
    Path(id): Path<String>,
) -> Result<Json<AnalyzerView>, ApiError> {
    view(&app, operator.tenant, &id).await.map(Json)
}

/// Replaces an analyzer; it runs at once. A token that is left out stays, as long as the URL does. Lines that were acted
/// upon do not count again.
#[utoipa::path(put, path = "/api/analyzers/{id}", tag = "Analyzers", operation_id = "replace_analyzer", params(("id" = String, Path)), request_body = Rule,
    responses((status = 200, body = AnalyzerView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem)))]
async fn replace(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(id): Path<String>,
    JsonBody(mut rule): JsonBody<Rule>,
) -> Result<Json<AnalyzerView>, ApiError> {
    let before = find(&app, operator.tenant, &id).await?;
    if rule.id.is_empty() {
        rule.id.clone_from(&id);
    }
    if rule.id != id {
        return Err(ApiError::field("id", "cannot change: make another analyzer"));
    }
    let checked = rule.check(app.logs.policy(), Some(&before));
    let checked = checked.map_err(ApiError::Invalid)?;
    if !queries::update(&app.db, &app.ring, operator.tenant, &before, &checked).await? {
        let text = "the analyzer has just been changed";
        return Err(ApiError::Conflict(text.to_owned()));
    }
    app.outbox.notify_one();
    view(&app, operator.tenant, &id).await.map(Json)
}

/// Deletes an analyzer and its runs. What it decided holds until it ends or is lifted.
#[utoipa::path(delete, path = "/api/analyzers/{id}", tag = "Analyzers", operation_id = "delete_analyzer", params(("id" = String, Path)),
    responses((status = 204, description = "gone"), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
async fn delete(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    if is_name(&id) && queries::delete(&app.db, operator.tenant, &id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(NOT_FOUND)
    }
}

/// The last runs of an analyzer, newest first: a hundred are kept, for thirty days.
#[utoipa::path(get, path = "/api/analyzers/{id}/runs", tag = "Analyzers", operation_id = "list_analyzer_runs", params(("id" = String, Path), RunsQuery),
    responses((status = 200, body = AnalyzerRunsView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn runs(
    State(app): State<App>,
    operator: Operator,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<RunsQuery>,
) -> Result<Json<AnalyzerRunsView>, ApiError> {
    let limit = query.limit.unwrap_or(10);
    if !(1..=100).contains(&limit) {
        return Err(ApiError::field("limit", "must be 1 to 100"));
    }
    let analyzer = find(&app, operator.tenant, &id).await?;
    let runs = queries::list_runs(&app.db, operator.tenant, analyzer.id, limit).await?;
    Ok(Json(AnalyzerRunsView {
        runs: runs
            .into_iter()
            .map(|run| AnalyzerRunView::of(run, &id))
            .collect(),
    }))
}

/// Runs an analyzer now, also one that is off, and waits for it: `success` is that of the run. One run at a time: 409 while
/// there is one. 202 when it takes longer than 22 seconds; it goes on then.
#[utoipa::path(post, path = "/api/analyzers/{id}/run", tag = "Analyzers", operation_id = "run_analyzer", params(("id" = String, Path)),
    responses((status = 200, body = AnalyzerDoneView), (status = 202, body = AnalyzerDoneView, description = "it goes on"), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem, description = "it runs"), (status = 429, body = Problem, description = "too many others run, or ten sources did not answer within a minute")))]
async fn run(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    const TOO_MANY: &str = "too many analyzers run at the moment";
    const IN_VAIN: &str = "too many log sources did not answer a moment ago, or have not answered yet";
    let tenant = operator.tenant;
    let analyzer = find(&app, tenant, &id).await?;
    let begun = app.logs.begin(tenant.id()).await;
    let begun = begun.map_err(|seconds| ApiError::TooMany(IN_VAIN, seconds))?;
    let Some(turn) = app.logs.turn(tenant.id(), TURN).await else {
        begun.forgive();
        return Err(ApiError::TooMany(TOO_MANY, 10));
    };
    let lease = match claim_one(&app.db, tenant, TOPIC, analyzer.id, TERM).await {
        Ok(Some(lease)) => lease,
        Ok(None) => {
            begun.forgive();
            return Err(ApiError::Conflict("the analyzer runs already".to_owned()));
        }
        Err(e) => {
            begun.forgive();
            return Err(e.into());
        }
    };
    // To its end, whether or not the caller waits for it.
    let work = tokio::spawn(async move {
        let done = jobs::run(&app, &lease, &analyzer, begun, true).await;
        drop(turn);
        if let Err(e) = give_back(&app.db, &lease, false).await {
            tracing::warn!(cause = %e, "a lane was not given back; its lease will end");
        }
        done
    });
    match tokio::time::timeout(PATIENCE, work).await {
        Err(_) => {
            let going = AnalyzerDoneView {
                success: false,
                result: None,
                message: Some("it goes on; its end is among its runs"),
            };
            Ok((StatusCode::ACCEPTED, Json(going)).into_response())
        }
        Ok(Err(e)) => Err(ApiError::Internal(format!("an analyzer's run: {e}"))),
        Ok(Ok(done)) => {
            let gone =
                || ApiError::Conflict("the analyzer was deleted meanwhile, or runs already".to_owned());
            let run = match done {
                Ok(Some(run)) => run,
                // Its runs went with it.
                Ok(None) | Err(DbError::Conflict(_)) => return Err(gone()),
                Err(e) => return Err(e.into()),
            };
            let done = AnalyzerDoneView {
                success: run.error.is_none(),
                result: Some(AnalyzerRunView::of(run, &id)),
                message: None,
            };
            Ok(Json(done).into_response())
        }
    }
}

async fn find(app: &App, tenant: Tenant, id: &str) -> Result<Analyzer, ApiError> {
    if !is_name(id) {
        return Err(NOT_FOUND);
    }
    queries::get(&app.db, tenant, id).await?.ok_or(NOT_FOUND)
}

async fn view(app: &App, tenant: Tenant, id: &str) -> Result<AnalyzerView, ApiError> {
    let analyzer = find(app, tenant, id).await?;
    let mut last = queries::list_last(&app.db, tenant, Some(analyzer.id)).await?;
    Ok(AnalyzerView {
        status: AnalyzerStatusView::of(&analyzer, last.remove(&analyzer.id)),
        analyzer: analyzer.rule,
    })
}
