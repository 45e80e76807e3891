mod export;

use std::sync::LazyLock;
use std::time::Duration;

use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{AlertView, Counting, ListQuery};
use super::queries;
use crate::app::App;
use crate::http::{ApiError, Operator, Problem, QueryOf, Turns};
use crate::kernel::page::{Position, next_link};

/// To count may take seconds and a connection: few at a time, and of one tenant fewer.
static TURNS: LazyLock<Turns> = LazyLock::new(|| Turns::new(6, 2));
const PATIENCE: Duration = Duration::from_secs(5);

/// Alerts.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(export::export))
        .routes(routes!(get))
}

/// Stored alerts, newest first. A `Link` header with `rel="next"` leads to the page after, as long as there is one.
#[utoipa::path(get, path = "/api/alerts", tag = "Alerts", params(ListQuery),
    responses((status = 200, body = Vec<AlertView>, headers(("link" = String, description = "the next page"),
            ("x-total-count" = i64, description = "with `count`: how many alerts the whole list has"),
            ("x-total-count-is" = String, description = "`exact` or `estimate`"))),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 429, body = Problem)))]
async fn list(
    State(app): State<App>,
    operator: Operator,
    OriginalUri(uri): OriginalUri,
    QueryOf(query): QueryOf<ListQuery>,
) -> Result<(HeaderMap, Json<Vec<AlertView>>), ApiError> {
    let (filter, mut page, cursor) = query.check(Timestamp::now())?;
    let identity = filter.identity();
    if let Some(cursor) = cursor {
        let position = Position::decode(&cursor, &app.ring, operator.tenant.id(), &identity);
        page.after = Some(position.map_err(|e| ApiError::field("cursor", e.to_string()))?);
    }
    let (alerts, last) = queries::list(&app.db, operator.tenant, &filter, &page).await?;
    let mut headers = HeaderMap::new();
    if let Some(how) = page.count {
        let turn = TURNS.take(operator.tenant.id(), PATIENCE).await;
        let turn = turn.ok_or(ApiError::TooMany("too many lists are being counted", 5))?;
        let (n, is) = queries::count(&app.db, operator.tenant, &filter, how).await?;
        drop(turn);
        headers.insert("x-total-count", n.into());
        let is = if is == Counting::Exact {
            "exact"
        } else {
            "estimate"
        };
        headers.insert("x-total-count-is", HeaderValue::from_static(is));
    }
    if let Some(last) = last {
        let cursor = last.encode(&app.ring, operator.tenant.id(), &identity);
        let link = next_link(uri.path(), uri.query(), &cursor);
        if let Ok(link) = HeaderValue::from_str(&link) {
            headers.insert(header::LINK, link);
        }
    }
    Ok((headers, Json(alerts)))
}

/// One alert, with the signal as it was received.
#[utoipa::path(get, path = "/api/alerts/{id}", tag = "Alerts", params(("id" = i64, Path, minimum = 1)),
    responses((status = 200, body = AlertView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn get(
    State(app): State<App>,
    operator: Operator,
    Path(id): Path<String>,
) -> Result<Json<AlertView>, ApiError> {
    let id: Option<i64> = id.parse().ok().filter(|n| *n >= 1);
    let id = id.ok_or_else(|| ApiError::field("id", "must be an integer >= 1"))?;
    let alert = queries::get(&app.db, operator.tenant, id).await?;
    alert.map(Json).ok_or(ApiError::NotFound("Alert not found"))
}
