mod export;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Conditions, EntryView, Filter, HostEntryView};
use super::queries;
use crate::app::App;
use crate::http::{ApiError, Operator, Problem, QueryOf};
use crate::kernel::page::{Position, next_link};

/// Most entries of a page.
const MOST: i64 = 1000;
/// Entries that the host API shows.
const HOST: i64 = 200;

/// The audit trail.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(export::export))
        .routes(routes!(list_for_hosts))
}

/// Which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Entries of a page, 1 to 1000.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
    /// Where the page begins, from the `Link` header of the page before.
    cursor: Option<String>,
}

/// Who did what, newest first. A `Link` header with `rel="next"` leads to the page after, as long as there is one.
#[utoipa::path(get, path = "/api/audit", tag = "Audit", operation_id = "list_audit", params(AuditQuery, Conditions),
    responses((status = 200, body = Vec<EntryView>, headers(("link" = String, description = "the next page"))),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn list(
    State(app): State<App>,
    operator: Operator,
    OriginalUri(uri): OriginalUri,
    QueryOf(query): QueryOf<AuditQuery>,
    QueryOf(conditions): QueryOf<Conditions>,
) -> Result<(HeaderMap, Json<Vec<EntryView>>), ApiError> {
    let limit = query.limit.unwrap_or(100);
    if !(1..=MOST).contains(&limit) {
        return Err(ApiError::field("limit", format!("must be from 1 to {MOST}")));
    }
    let filter = conditions.check().map_err(ApiError::Invalid)?;
    let (owner, identity) = (operator.tenant.id(), filter.identity());
    let before = match query.cursor {
        None => i64::MAX,
        Some(text) => {
            let position = Position::decode(&text, &app.ring, owner, &identity);
            position.map_err(|e| ApiError::field("cursor", e.to_string()))?.id
        }
    };
    // One more than asked for says whether there are more.
    let mut rows = queries::list(&app.db, operator.tenant, &filter, before, limit + 1).await?;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > page;
    rows.truncate(page);
    let mut headers = HeaderMap::new();
    if let Some(last) = rows.last().filter(|_| more) {
        let position = Position { at: 0, id: last.seq };
        let cursor = position.encode(&app.ring, owner, &identity);
        let link = next_link(uri.path(), uri.query(), &cursor);
        if let Ok(link) = HeaderValue::from_str(&link) {
            headers.insert(header::LINK, link);
        }
    }
    Ok((headers, Json(rows.into_iter().map(Into::into).collect())))
}

/// The last 200 entries, newest first, as the first host API shows them.
#[utoipa::path(get, path = "/api/v1/audit", tag = "Audit", operation_id = "list_host_audit",
    responses((status = 200, body = Vec<HostEntryView>), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn list_for_hosts(
    State(app): State<App>,
    operator: Operator,
) -> Result<Json<Vec<HostEntryView>>, ApiError> {
    let rows = queries::list(&app.db, operator.tenant, &Filter::default(), i64::MAX, HOST).await?;
    let entries = rows.into_iter().map(EntryView::from);
    Ok(Json(entries.map(Into::into).collect()))
}
