use axum::Json;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::is_name;
use super::queries::{self, Change, TenantRow};
use crate::app::App;
use crate::db::Tenant;
use crate::http::limits::OwnLimits;
use crate::http::{ActsBy as _, ApiError, JsonBody, Principal, Problem, QueryOf, Trace};
use crate::kernel::time::rfc3339_millis;
use crate::manage::erase;
use crate::manage::stats::{self, MonthsQuery, Usage};

const NOT_FOUND: ApiError = ApiError::NotFound("tenant not found");

/// Tenants, for the platform's admin.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, change, delete))
        .routes(routes!(usage))
        .routes(routes!(limits, set_limits))
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
    state: Life,
    /// Of one that was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    erasure: Option<ErasureView>,
}

/// How a tenant is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    /// In service.
    Active,
    /// Its people and programs are shut out, its engines are served.
    Suspended,
    /// Nothing of its opens anything any more, and its rows go.
    Deleting,
    /// They are gone.
    Erased,
}

/// How far an erasure is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErasureView {
    asked_at: String,
    /// When nothing was left.
    erased_at: Option<String>,
    /// How many rows went so far.
    rows: i64,
}

impl From<TenantRow> for TenantView {
    fn from(row: TenantRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            forward_enabled: row.forward_enabled,
            created_at: rfc3339_millis(row.created_at),
            state: match (&row.erasure, row.suspended_at) {
                (Some(erasure), _) if erasure.done_at.is_some() => Life::Erased,
                (Some(_), _) => Life::Deleting,
                (None, Some(_)) => Life::Suspended,
                (None, None) => Life::Active,
            },
            suspended_at: row.suspended_at.map(rfc3339_millis),
            erasure: row.erasure.map(|erasure| ErasureView {
                asked_at: rfc3339_millis(erasure.asked_at),
                erased_at: erasure.done_at.map(rfc3339_millis),
                rows: erasure.rows,
            }),
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

/// One tenant, also one that was deleted: then with how far its erasure is.
#[utoipa::path(get, path = "/api/tenants/{id}", tag = "Tenants", operation_id = "get_tenant", params(("id" = i32, Path)),
    responses((status = 200, body = TenantView), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<TenantView>, ApiError> {
    let row = queries::get(&app.db, id.parse().map_err(|_| NOT_FOUND)?).await?;
    Ok(Json(row.ok_or(NOT_FOUND)?.into()))
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

/// Says that it is meant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteBody {
    /// The tenant's name once more.
    name: String,
    /// Leave decisions on its LAPI servers until they end.
    #[serde(default)]
    leave_servers: bool,
}

/// Deletes a tenant with all that it has. Its credentials open nothing any more within five seconds; its rows go in the
/// background. 409 while decisions stand on its LAPI servers, which nobody would take back.
#[utoipa::path(delete, path = "/api/tenants/{id}", tag = "Tenants", operation_id = "delete_tenant", params(("id" = i32, Path)), request_body = DeleteBody,
    responses((status = 202, body = TenantView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem)))]
async fn delete(
    State(app): State<App>,
    trace: Trace,
    principal: Principal,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<DeleteBody>,
) -> Result<(StatusCode, Json<TenantView>), ApiError> {
    let by = trace.by(&principal.actor());
    let (actor, app) = (by.name.to_string(), app.by(by));
    let (row, tenant) = owner(&app, &id).await?;
    if body.name != row.name {
        return Err(ApiError::field(
            "name",
            "must be the name of the tenant, to be sure",
        ));
    }
    let copies = erase::count_copies(&app.db, tenant).await?;
    if copies > 0 && !body.leave_servers {
        return Err(ApiError::Conflict(format!(
            "{copies} decisions stand on its LAPI servers: lift them, use `garrison erase`, or say leaveServers"
        )));
    }
    queries::delete(&app.db, tenant, &actor).await?;
    let row = queries::get(&app.db, row.id).await?.ok_or(NOT_FOUND)?;
    Ok((StatusCode::ACCEPTED, Json(row.into())))
}

/// What a tenant used by month, this one first. It stays when rows age.
#[utoipa::path(get, path = "/api/tenants/{id}/usage", tag = "Tenants", operation_id = "get_tenant_usage", params(("id" = i32, Path), MonthsQuery),
    responses((status = 200, body = Vec<Usage>), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn usage(
    State(app): State<App>,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<MonthsQuery>,
) -> Result<Json<Vec<Usage>>, ApiError> {
    let months = query.check()?;
    let (_, tenant) = owner(&app, &id).await?;
    Ok(Json(stats::list_usage(&app.db, tenant, months).await?))
}

/// A tenant's limits.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitsView {
    /// Those of its own; null is as configured.
    own: OwnLimits,
    /// What holds for its requests.
    in_force: InForce,
}

/// Limits that hold; 0 is no limit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct InForce {
    token_requests: u64,
    tenant_requests: u64,
    tenant_items: u64,
    tenant_bytes: u64,
    machine_items: u64,
    machine_bytes: u64,
    pushes: usize,
    reads: usize,
    heavy: usize,
    changes: usize,
}

impl LimitsView {
    fn of(app: &App, own: OwnLimits) -> Self {
        let limits = app.limits.of(&own);
        Self {
            own,
            in_force: InForce {
                token_requests: limits.token_requests.per_minute,
                tenant_requests: limits.tenant_requests.per_minute,
                tenant_items: limits.tenant_items.per_minute,
                tenant_bytes: limits.tenant_bytes.per_minute,
                machine_items: limits.machine_items.per_minute,
                machine_bytes: limits.machine_bytes.per_minute,
                pushes: limits.ingest.tenant,
                reads: limits.read.tenant,
                heavy: limits.heavy.tenant,
                changes: limits.change.tenant,
            },
        }
    }
}

/// The limits of a tenant.
#[utoipa::path(get, path = "/api/tenants/{id}/limits", tag = "Tenants", operation_id = "get_tenant_limits", params(("id" = i32, Path)),
    responses((status = 200, body = LimitsView), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn limits(State(app): State<App>, Path(id): Path<String>) -> Result<Json<LimitsView>, ApiError> {
    let (_, tenant) = owner(&app, &id).await?;
    let own = queries::get_limits(&app.db, tenant).await?;
    Ok(Json(LimitsView::of(&app, own)))
}

/// Gives a tenant limits of its own, in place of those that it had: what is not said or null is as configured. Felt on every
/// replica within five seconds.
#[utoipa::path(put, path = "/api/tenants/{id}/limits", tag = "Tenants", operation_id = "set_tenant_limits", params(("id" = i32, Path)), request_body = OwnLimits,
    responses((status = 200, body = LimitsView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem)))]
async fn set_limits(
    State(app): State<App>,
    trace: Trace,
    principal: Principal,
    Path(id): Path<String>,
    JsonBody(own): JsonBody<OwnLimits>,
) -> Result<Json<LimitsView>, ApiError> {
    let app = app.by(trace.by(&principal.actor()));
    let (_, tenant) = owner(&app, &id).await?;
    own.check().map_err(ApiError::Invalid)?;
    queries::update_limits(&app.db, tenant, &own).await?;
    app.auth.forget_limits(tenant.id()).await;
    Ok(Json(LimitsView::of(&app, own)))
}

/// The tenant that a path names, if it is in service.
///
/// # Errors
/// When there is none.
pub async fn owner(app: &App, id: &str) -> Result<(TenantRow, Tenant), ApiError> {
    let row = find(app, id).await?;
    let tenant = queries::find(&app.db, &row.name).await?.ok_or(NOT_FOUND)?;
    Ok((row, tenant))
}

async fn find(app: &App, id: &str) -> Result<TenantRow, ApiError> {
    let id = id.parse().map_err(|_| NOT_FOUND)?;
    let row = queries::get(&app.db, id).await?;
    row.filter(|row| row.erasure.is_none()).ok_or(NOT_FOUND)
}
