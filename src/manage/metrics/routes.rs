use std::sync::LazyLock;
use std::time::Duration;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, HeaderValue, header};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{BouncerNames, ListQuery, MetricsView};
use super::queries;
use crate::app::App;
use crate::http::{ApiError, Operator, Problem, QueryOf, Turns};
use crate::kernel::page::{Position, next_link};

/// A page may hold megabytes of details: few at a time, and of one tenant fewer.
static TURNS: LazyLock<Turns> = LazyLock::new(|| Turns::new(6, 2));
/// How long a question waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Usage metrics.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(list_names))
}

/// What bouncers and log processors counted, newest first. A `Link` header with `rel="next"` leads to the page after, as
/// long as there is one.
#[utoipa::path(get, path = "/api/bouncer-metrics", tag = "Bouncer metrics", operation_id = "list_bouncer_metrics", params(ListQuery),
    responses((status = 200, body = Vec<MetricsView>, headers(("link" = String, description = "the next page"))),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 429, body = Problem)))]
async fn list(
    State(app): State<App>,
    operator: Operator,
    OriginalUri(uri): OriginalUri,
    QueryOf(query): QueryOf<ListQuery>,
) -> Result<(HeaderMap, Json<Vec<MetricsView>>), ApiError> {
    let (mut question, cursor) = query.check()?;
    let (owner, identity) = (operator.tenant.id(), question.identity());
    if let Some(cursor) = cursor {
        let position = Position::decode(&cursor, &app.ring, owner, &identity);
        question.after = Some(position.map_err(|e| ApiError::field("cursor", e.to_string()))?);
    }
    let turn = TURNS.take(owner, PATIENCE).await;
    let _turn = turn.ok_or(ApiError::TooMany("too many lists are being read", 5))?;
    let (rows, last) = queries::list(&app.db, operator.tenant, &question).await?;
    let mut headers = HeaderMap::new();
    if let Some(last) = last {
        let cursor = last.encode(&app.ring, owner, &identity);
        let link = next_link(uri.path(), uri.query(), &cursor);
        if let Ok(link) = HeaderValue::from_str(&link) {
            headers.insert(header::LINK, link);
        }
    }
    Ok((headers, Json(rows)))
}

/// The names that the list can be asked for: everything that engines told of in the last 90 days.
#[utoipa::path(get, path = "/api/bouncer-metrics/names", tag = "Bouncer metrics", operation_id = "list_bouncer_names",
    responses((status = 200, body = BouncerNames), (status = 401, body = Problem)))]
async fn list_names(State(app): State<App>, operator: Operator) -> Result<Json<BouncerNames>, ApiError> {
    let (servers, known) = queries::list_names(&app.db, operator.tenant).await?;
    Ok(Json(BouncerNames {
        bouncers: servers.names(known),
    }))
}
