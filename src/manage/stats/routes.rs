use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::StatsQuery;
use super::model::views::{Decisions, Distribution, Heatmap, Map, Summary, Timeline};
use super::queries;
use crate::app::App;
use crate::http::{ApiError, Operator, Problem, QueryOf};

/// Statistics.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(summary))
        .routes(routes!(distribution))
        .routes(routes!(decisions))
        .routes(routes!(heatmap))
        .routes(routes!(map))
        .routes(routes!(timeline))
}

/// Everything in a few numbers; of all time unless a period is named.
#[utoipa::path(get, path = "/api/stats", tag = "Statistics", operation_id = "get_stats", params(StatsQuery),
    responses((status = 200, body = Summary), (status = 400, body = Problem), (status = 401, body = Problem)))]
async fn summary(
    State(app): State<App>,
    operator: Operator,
    QueryOf(query): QueryOf<StatsQuery>,
) -> Result<Json<Summary>, ApiError> {
    let question = query.check(Timestamp::now(), "all")?;
    Ok(Json(queries::summary(&app.db, operator.tenant, &question).await?))
}

/// Alerts by day, weekday, hour, country and scenario.
#[utoipa::path(get, path = "/api/stats/distribution", tag = "Statistics", operation_id = "get_stats_distribution", params(StatsQuery),
    responses((status = 200, body = Distribution), (status = 400, body = Problem), (status = 401, body = Problem)))]
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
    responses((status = 200, body = Decisions), (status = 400, body = Problem), (status = 401, body = Problem)))]
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
    responses((status = 200, body = Heatmap), (status = 400, body = Problem), (status = 401, body = Problem)))]
async fn heatmap(
    State(app): State<App>,
    operator: Operator,
    QueryOf(query): QueryOf<StatsQuery>,
) -> Result<Json<Heatmap>, ApiError> {
    let question = query.check(Timestamp::now(), "30d")?;
    Ok(Json(queries::heatmap(&app.db, operator.tenant, &question).await?))
}

/// Alerts by country and by cell of one degree.
#[utoipa::path(get, path = "/api/stats/map", tag = "Statistics", operation_id = "get_stats_map", params(StatsQuery),
    responses((status = 200, body = Map), (status = 400, body = Problem), (status = 401, body = Problem)))]
async fn map(
    State(app): State<App>,
    operator: Operator,
    QueryOf(query): QueryOf<StatsQuery>,
) -> Result<Json<Map>, ApiError> {
    let question = query.check(Timestamp::now(), "30d")?;
    Ok(Json(queries::map(&app.db, operator.tenant, &question).await?))
}

/// Alerts over time, in as many pieces as show the range well.
#[utoipa::path(get, path = "/api/stats/timeline", tag = "Statistics", operation_id = "get_stats_timeline", params(StatsQuery),
    responses((status = 200, body = Timeline), (status = 400, body = Problem), (status = 401, body = Problem)))]
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
