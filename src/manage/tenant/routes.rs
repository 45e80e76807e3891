use axum::Json;
use axum::extract::{DefaultBodyLimit, Path, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::is_name;
use super::queries::{self, Change, TenantRow};
use crate::app::App;
use crate::http::{ActsBy as _, ApiError, JsonBody, Principal, Problem, Trace};
use crate::kernel::time::rfc3339_millis;

const NOT_FOUND: ApiError = ApiError::NotFound("tenant not found");

/// Tenants, for the platform's admin.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, change))
        .layer(DefaultBodyLimit::max(8 * 1024))
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantView {
    id: i32,
    name: String,
    /// Whether its alerts may leave to CAPI.
    forward_enabled: bool,
    created_at: String,
    /// Since when its people and programs are shut out.
    suspended_at: Option<String>,
}

impl From<TenantRow> for TenantView {
    fn from(row: TenantRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            forward_enabled: row.forward_enabled,
            created_at: rfc3339_millis(row.created_at),
            suspended_at: row.suspended_at.map(rfc3339_millis),
        }
    }
}

/// A tenant just made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewTenantView {
    #[serde(flatten)]
    /// As it is listed.
    pub tenant: TenantView,
    /// What `cscli console enroll` takes to bring an engine in. Shown this once.
    pub enrollment_key: String,
}

/// What is to be another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeBody {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    forward_enabled: Option<bool>,
    /// Whether its people and programs are shut out. Its engines are served all along.
    #[serde(default)]
    suspended: Option<bool>,
}

/// A tenant's name as somebody says it.
///
/// # Errors
/// When it cannot be one.
pub fn read_name(text: &str) -> Result<&str, ApiError> {
    let text = text.trim();
    if is_name(text) {
        Ok(text)
    } else {
        Err(ApiError::field(
            "name",
            "must have 1 to 100 bytes without control characters",
        ))
    }
}

/// All tenants.
#[utoipa::path(get, path = "/api/tenants", tag = "Tenants", operation_id = "list_tenants",
    responses((status = 200, body = Vec<TenantView>), (status = 401, body = Problem)))]
async fn list(State(app): State<App>) -> Result<Json<Vec<TenantView>>, ApiError> {
    let rows = queries::list(&app.db).await?;
    Ok(Json(rows.into_iter().map(Into::into).collect()))
}

/// One tenant.
#[utoipa::path(get, path = "/api/tenants/{id}", tag = "Tenants", operation_id = "get_tenant", params(("id" = i32, Path)),
    responses((status = 200, body = TenantView), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<TenantView>, ApiError> {
    Ok(Json(find(&app, &id).await?.into()))
}

/// Renames a tenant, suspends it or lets it go on, or switches its forwarding to CAPI.
#[utoipa::path(patch, path = "/api/tenants/{id}", tag = "Tenants", operation_id = "change_tenant", params(("id" = i32, Path)), request_body = ChangeBody,
    responses((status = 200, body = TenantView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem)))]
async fn change(
    State(app): State<App>,
    trace: Trace,
    principal: Principal,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<ChangeBody>,
) -> Result<Json<TenantView>, ApiError> {
    let app = app.by(trace.by(&principal.actor()));
    let row = find(&app, &id).await?;
    let change = Change {
        name: body.name.as_deref().map(read_name).transpose()?,
        forward_enabled: body.forward_enabled,
        suspended: body.suspended,
    };
    queries::update(&app.db, row.id, &change).await?;
    Ok(Json(find(&app, &id).await?.into()))
}

/// The tenant that a path names.
///
/// # Errors
/// When there is none.
pub async fn find(app: &App, id: &str) -> Result<TenantRow, ApiError> {
    let id = id.parse().map_err(|_| NOT_FOUND)?;
    queries::get(&app.db, id).await?.ok_or(NOT_FOUND)
}
