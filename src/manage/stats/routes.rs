use std::sync::LazyLock;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::views::{Decisions, Distribution, Heatmap, Map, Summary, Timeline, Usage};
use super::model::{Question, StatsQuery};
use super::queries;
use crate::app::App;
use crate::db::{DbError, Reading, Tenant};
use crate::http::{ApiError, Operator, Problem, QueryOf, Turns};

/// A statement may take ten seconds and a connection that engines need, too: few at a time, and of one tenant fewer.
static TURNS: LazyLock<Turns> = LazyLock::new(|| Turns::new(6, 2));
/// How long a question waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Statistics.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(summary))
        .routes(routes!(distribution))
        .routes(routes!(decisions))
        .routes(routes!(heatmap))
        .routes(routes!(map))
        .routes(routes!(timeline))
        .routes(routes!(usage))
}

/// Of how many months.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MonthsQuery {
    /// This one and those before it.
    #[param(minimum = 1, maximum = 120, default = 12)]
    months: Option<i32>,
}

impl MonthsQuery {
    /// How many are asked for.
    ///
    /// # Errors
    /// When it cannot be so many.
    pub fn check(&self) -> Result<i32, ApiError> {
        let months = self.months.unwrap_or(12);
        let good = (1..=120).contains(&months);
        good.then_some(months)
            .ok_or_else(|| ApiError::field("months", "must be from 1 to 120"))
    }
}

/// What was used by month, this one first. It stays when rows age.
#[utoipa::path(get, path = "/api/usage", tag = "Statistics", operation_id = "get_usage", params(MonthsQuery),
    responses((status = 200, body = Vec<Usage>), (status = 400, body = Problem), (status = 401, body = Problem)))]
async fn usage(
    State(app): State<App>,
    operator: Operator,
    QueryOf(query): QueryOf<MonthsQuery>,
) -> Result<Json<Vec<Usage>>, ApiError> {
    let months = query.check()?;
    Ok(Json(queries::list_usage(&app.db, operator.tenant, months).await?))
}

/// Everything in a few numbers; of all time unless a period is named.
#[utoipa::path(get, path = "/api/stats", tag = "Statistics", operation_id = "get_stats", params(StatsQuery),
    responses((status = 200, body = Summary), (status = 400, body = Problem), (status = 401, body = Problem), (status = 429, body = Problem)))]
async fn summary(
    State(app): State<App>,
    operator: Operator,
    QueryOf(query): QueryOf<StatsQuery>,
) -> Result<Json<Summary>, ApiError> {
    let count = |app: App, tenant, asked| async move { queries::summary(&app.db, tenant, &asked).await };
    answer(app, operator, query, "all", count).await
}

/// Alerts by day, weekday, hour, country and scenario.
#[utoipa::path(get, path = "/api/stats/distribution", tag = "Statistics", operation_id = "get_stats_distribution", params(StatsQuery),
    responses((status = 200, body = Distribution), (status = 400, body = Problem), (status = 401, body = Problem), (status = 429, body = Problem)))]
async fn distribution(
    State(app): State<App>,
    operator: Operator,
    QueryOf(query): QueryOf<StatsQuery>,
) -> Result<Json<Distribution>, ApiError> {
    let question = query.check(Timestamp::now(), "30d")?;
    Ok(Json(
        queries::distribution(&app.db, operator.tenant, &question).await?,
    ))
}

/// The decisions that alerts carried, whatever became of them.
#[utoipa::path(get, path = "/api/stats/decisions", tag = "Statistics", operation_id = "get_stats_decisions", params(StatsQuery),
    responses((status = 200, body = Decisions), (status = 400, body = Problem), (status = 401, body = Problem), (status = 429, body = Problem)))]
async fn decisions(
    State(app): State<App>,
    operator: Operator,
    QueryOf(query): QueryOf<StatsQuery>,
) -> Result<Json<Decisions>, ApiError> {
    let question = query.check(Timestamp::now(), "30d")?;
    Ok(Json(
        queries::decisions(&app.db, operator.tenant, &question).await?,
    ))
}

/// Alerts by weekday and hour, as a matrix.
#[utoipa::path(get, path = "/api/stats/heatmap", tag = "Statistics", operation_id = "get_stats_heatmap", params(StatsQuery),
    responses((status = 200, body = Heatmap), (status = 400, body = Problem), (status = 401, body = Problem), (status = 429, body = Problem)))]
async fn heatmap(
    State(app): State<App>,
    operator: Operator,
    QueryOf(query): QueryOf<StatsQuery>,
) -> Result<Json<Heatmap>, ApiError> {
    let count = |app: App, tenant, asked| async move { queries::heatmap(&app.db, tenant, &asked).await };
    answer(app, operator, query, "30d", count).await
}

/// Alerts by country and by cell of one degree.
#[utoipa::path(get, path = "/api/stats/map", tag = "Statistics", operation_id = "get_stats_map", params(StatsQuery),
    responses((status = 200, body = Map), (status = 400, body = Problem), (status = 401, body = Problem), (status = 429, body = Problem)))]
async fn map(
    State(app): State<App>,
    operator: Operator,
    QueryOf(query): QueryOf<StatsQuery>,
) -> Result<Json<Map>, ApiError> {
    let count = |app: App, tenant, asked| async move { queries::map(&app.db, tenant, &asked).await };
    answer(app, operator, query, "30d", count).await
}

/// Alerts over time, in as many pieces as show the range well.
#[utoipa::path(get, path = "/api/stats/timeline", tag = "Statistics", operation_id = "get_stats_timeline", params(StatsQuery),
    responses((status = 200, body = Timeline), (status = 400, body = Problem), (status = 401, body = Problem), (status = 429, body = Problem)))]
async fn timeline(
    State(app): State<App>,
    operator: Operator,
    QueryOf(query): QueryOf<StatsQuery>,
) -> Result<Json<Timeline>, ApiError> {
    let question = query.check(Timestamp::now(), "30d")?;
    Ok(Json(
        queries::timeline(&app.db, operator.tenant, &question).await?,
    ))
}

/// Counts in a task of its own: who hangs up leaves a statement behind, which goes on with its connection and its turn.
async fn answer<T, F>(
    app: App,
    operator: Operator,
    query: StatsQuery,
    default: &str,
    count: impl FnOnce(App, Tenant, Question) -> F,
) -> Result<Json<T>, ApiError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, DbError>> + Send + 'static,
{
    let question = query.check(Timestamp::now(), default)?;
    let turn = TURNS.take(operator.tenant.id(), PATIENCE).await;
    let turn = turn.ok_or(ApiError::TooMany("too many statistics are being counted", 5))?;
    let work = Reading::carried(count(app, operator.tenant, question));
    let counted = tokio::spawn(async move {
        let _turn = turn;
        work.await
    });
    match counted.await {
        Ok(Ok(counted)) => Ok(Json(counted)),
        // The only parameter that Postgres reads by itself.
        Ok(Err(DbError::Internal(text))) if text.contains("22023") => Err(ApiError::field(
            "tz",
            "is a time zone that the database does not know",
        )),
        Ok(Err(e)) => Err(e.into()),
        Err(e) => Err(ApiError::Internal(format!("a statistic: {e}"))),
    }
}
