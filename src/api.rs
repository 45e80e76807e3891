//! The whole route table.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa::OpenApi;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::gate::{self, Gate};
use crate::http::{ApiError, COOKIE, EngineError, guard, limits, locate, refusals};
use crate::{db, fleet, jobs, manage};

mod describe;
mod operation;
mod process;
pub mod template;

pub use operation::Scrape;

#[derive(OpenApi)]
#[openapi(info(
    title = "Garrison",
    description = "Fleet gate and command post for defended servers. CrowdSec engines speak to the routes under `/v2` and `/v3` (and one under `/v1`) as if to CAPI; programs and people use the routes under `/api` with a token of their tenant.",
    license(name = "Apache-2.0", identifier = "Apache-2.0")
))]
struct Base;

/// Everything below `/api` and the engines' routes, with their description.
fn described() -> (Router<Gate>, utoipa::openapi::OpenApi) {
    let engines = gate::routes();
    OpenApiRouter::with_openapi(Base::openapi())
        .nest("/v1", gate::routes_v1())
        .nest("/v2", engines.clone())
        .nest("/v3", engines)
        .merge(gate::filter::routes())
        .merge(gate::link::routes())
        .merge(OpenApiRouter::<Gate>::from(Router::new()))
        .split_for_parts()
}

/// The description of the interface, from the code.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, mut doc) = described();
    let (_, managed) = OpenApiRouter::<App>::new()
        .merge(manage::routes())
        .merge(fleet::routes())
        .merge(operation::routes())
        .merge(template::routes())
        .split_for_parts();
    doc.merge(managed);
    let components = doc.components.get_or_insert_with(Default::default);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components
        .schemas
        .insert(describe::MESSAGE.to_owned(), RefOr::T(describe::message()));
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    components.add_security_scheme(
        "key",
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Api-Key"))),
    );
    components.add_security_scheme(
        "cookie",
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
            COOKIE,
            "a session, or an API token; requests that change something show X-CSRF-Token, too",
        ))),
    );
    let basic = HttpBuilder::new().scheme(HttpAuthScheme::Basic).build();
    components.add_security_scheme("basic", SecurityScheme::Http(basic));
    let any = |name: &str| SecurityRequirement::new(name, Vec::<String>::new());
    for (path, item) in &mut doc.paths.paths {
        let operations: [(&str, &mut Option<Operation>); 5] = [
            ("GET", &mut item.get),
            ("PUT", &mut item.put),
            ("POST", &mut item.post),
            ("DELETE", &mut item.delete),
            ("PATCH", &mut item.patch),
        ];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            // The same handlers serve all of CAPI's versions.
            let version = match path.get(..4) {
                Some("/v1/") => "_v1",
                Some("/v2/") => "_v2",
                _ => "",
            };
            operation.operation_id = operation.operation_id.take().map(|id| format!("{id}{version}"));
            describe::complete(operation, method, path);
            if operation.security.is_none() {
                let mut ways = vec![any("token")];
                if path.starts_with("/api/") {
                    ways.push(any("key"));
                    ways.push(any("cookie"));
                }
                operation.security = Some(ways);
            }
        }
    }
    doc
}

/// The router of a replica.
pub fn router(gate: Gate, scrape: Scrape) -> Router {
    let app = gate.app.clone();
    let limited = (app.auth.clone(), app.limits.clone());
    let watched = (app.auth.clone(), app.refusals.clone());
    let (engines, _) = described();
    let (managed, _) = OpenApiRouter::<App>::new()
        .merge(manage::routes())
        .merge(fleet::routes())
        .merge(operation::routes())
        .merge(template::routes())
        .split_for_parts();
    let doc = openapi();
    let text = serde_json::to_string(&doc).unwrap_or_default();
    let auth = app.auth.clone();
    let located = app.auth.clone();
    let late = axum::middleware::from_fn_with_state(app.db.clone(), crate::http::reads::late);
    Router::new()
        .merge(engines.with_state(gate))
        .merge(managed.with_state(app.clone()))
        .layer(late)
        .merge(scrape.route(app))
        .route(
            "/openapi.json",
            get(move || async move {
                (
                    [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))],
                    text,
                )
            }),
        )
        .merge(operation::docs(doc))
        // Round every route that there is: one that the table does not have is refused.
        .route_layer(from_fn_with_state(auth, guard))
        .layer(from_fn_with_state(watched, refusals::watch))
        .layer(from_fn_with_state(limited, limits::limit))
        .layer(from_fn_with_state(located, locate))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
}

/// The router of a worker: what a cluster asks of it.
pub fn probes(app: App, scrape: Scrape) -> Router {
    let (probes, _) = operation::routes().split_for_parts();
    probes
        .with_state(app.clone())
        .merge(scrape.route(app.clone()))
        .route_layer(from_fn_with_state(app.auth, guard))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
}

async fn not_found(uri: axum::http::Uri) -> Response {
    if is_engine_path(uri.path()) {
        return EngineError::new(StatusCode::NOT_FOUND, "there is no such route").into_response();
    }
    ApiError::NotFound("there is no such route").into_response()
}

async fn not_allowed(uri: axum::http::Uri) -> Response {
    if is_engine_path(uri.path()) {
        return EngineError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "this route does not know the method",
        )
        .into_response();
    }
    ApiError::MethodNotAllowed.into_response()
}

fn is_engine_path(path: &str) -> bool {
    ["/v1/", "/v2/", "/v3/"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

/// Whether the database is there, at the version this binary knows, and this replica is to be given work.
async fn is_ready(State(app): State<App>) -> Result<(), &'static str> {
    if app.is_draining() {
        return Err("draining");
    }
    let version = tokio::time::timeout(std::time::Duration::from_secs(2), db::schema_version(&app.db)).await;
    match version {
        // A newer one is a release that is being rolled out: migrations only add what older replicas can do without.
        Ok(Ok(version)) if version >= db::expected_version() => Ok(()),
        Ok(Ok(_)) => Err("the schema is older than this release"),
        Ok(Err(_)) | Err(_) => Err("the database cannot be asked"),
    }
}

/// What waits, for the metrics; none when the database cannot be asked.
async fn backlog(app: &App) -> Option<Vec<jobs::Backlog>> {
    tokio::time::timeout(std::time::Duration::from_secs(2), jobs::backlog(&app.db))
        .await
        .ok()?
        .ok()
}
