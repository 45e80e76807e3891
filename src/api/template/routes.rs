use axum::Json;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{SIZE, Template, show};
use crate::app::App;
use crate::http::{ActsBy as _, ApiError, JsonBody, Principal, Problem, Trace};
use crate::manage::tenant::{self, NewTenantView, owner, read_name};

/// How a tenant is made, by the platform's admin.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(template))
        .layer(DefaultBodyLimit::max(SIZE))
}

/// A tenant to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantBody {
    /// 1 to 100 bytes.
    name: String,
    /// Whether its alerts may leave to CAPI: true, if the template does not say otherwise.
    #[serde(default)]
    forward_enabled: Option<bool>,
    /// What it begins with, as `GET /api/tenants/{id}/template` shows it: `forwardEnabled`, `filters`, `retention` and
    /// `allowlists`, each of which may be left out.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    template: Option<Value>,
}

/// A new tenant, with the default filter rules or from a template, at once or not at all.
#[utoipa::path(post, path = "/api/tenants", tag = "Tenants", operation_id = "create_tenant", request_body = TenantBody,
    responses((status = 201, body = NewTenantView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem)))]
async fn create(
    State(app): State<App>,
    trace: Trace,
    principal: Principal,
    JsonBody(body): JsonBody<TenantBody>,
) -> Result<(StatusCode, Json<NewTenantView>), ApiError> {
    let by = trace.by(&principal.actor());
    let (actor, app) = (by.name.to_string(), app.by(by));
    let name = read_name(&body.name)?;
    let lifetimes = &app.settings.lifetimes;
    let read = body
        .template
        .map(|value| Template::read(value, Some(lifetimes), Timestamp::now()));
    let template = read.transpose().map_err(ApiError::Invalid)?.unwrap_or_default();
    let forwards = body.forward_enabled.or(template.forward_enabled).unwrap_or(true);
    let made = tenant::insert(&app.db, &app.ring, name, forwards, async |tx| {
        template.fill(tx, &actor).await
    })
    .await?;
    let made = made.ok_or_else(|| ApiError::Conflict(format!("there is a tenant {name} already")))?;
    let (row, _) = owner(&app, &made.id.to_string()).await?;
    let view = NewTenantView {
        tenant: row.into(),
        enrollment_key: made.enrolment_key,
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// A tenant as a template: filter rules and how they are read, retention, allowlists, forwarding.
#[utoipa::path(get, path = "/api/tenants/{id}/template", tag = "Tenants", operation_id = "get_tenant_template", params(("id" = i32, Path)),
    responses((status = 200, body = Object), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn template(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (row, tenant) = owner(&app, &id).await?;
    Ok(Json(show(&app.db, tenant, row.forward_enabled).await?))
}
