use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{ApiError, Principal, Problem, Role, Who, csrf};
use crate::manage::person::queries;
use crate::manage::tenant;

/// Who asks, and what they may do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeView {
    /// `token` or `user`.
    kind: &'static str,
    id: i64,
    /// The token's name, or the address that the person logs in with.
    name: String,
    /// The tenant that is acted in; null for a person who has not said in which of several.
    tenant: Option<String>,
    /// What the person is there; null for tokens, and for the platform's admin where they are no member.
    role: Option<Role>,
    permissions: Vec<&'static str>,
    platform_admin: bool,
    /// What requests by cookie that change something show as `X-CSRF-Token`; null for a token in a header.
    csrf_token: Option<String>,
    /// Where the person belongs.
    tenants: Vec<PlaceView>,
}

/// A tenant that a person belongs to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlaceView {
    name: String,
    role: Role,
    /// Whether its people and programs are shut out.
    suspended: bool,
}

/// Who one is, and what one may do here.
#[utoipa::path(get, path = "/api/me", tag = "Users", operation_id = "get_me",
    responses((status = 200, body = MeView), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub async fn show(State(app): State<App>, principal: Principal) -> Result<Json<MeView>, ApiError> {
    let tenant = match principal.tenant {
        Some(tenant) => tenant::get(&app.db, tenant.id()).await?.map(|row| row.name),
        None => None,
    };
    let (kind, id, tenants) = match principal.who {
        Who::Token(id) => ("token", id, Vec::new()),
        Who::User(id) => ("user", id, queries::list_memberships(&app.db, id).await?),
    };
    let place = |belongs: queries::Belongs| PlaceView {
        name: belongs.tenant,
        role: belongs.role,
        suspended: belongs.suspended,
    };
    Ok(Json(MeView {
        kind,
        id,
        name: principal.name.as_str().to_owned(),
        tenant,
        role: principal.role,
        permissions: principal.permissions.names().collect(),
        platform_admin: principal.is_platform_admin,
        csrf_token: principal.csrf.as_ref().map(csrf::text),
        tenants: tenants.into_iter().map(place).collect(),
    }))
}
