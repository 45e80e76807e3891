use axum::Json;
use axum::extract::State;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::NO_ADDRESS;
use crate::app::App;
use crate::db::Tenant;
use crate::fleet::decision::model::{Decision, ServerResult, Subject, group};
use crate::fleet::lapi::{self, Server};
use crate::http::{ApiError, Operator, Problem, QueryOf};
use crate::kernel::net::parse_block;

/// What is searched.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SearchQuery {
    /// An address or a range.
    #[param(required = true)]
    ip: Option<String>,
}

/// What the fleet says of an address.
#[derive(Debug, Serialize, ToSchema)]
pub struct SearchView {
    /// What was searched, in its canonical form.
    ip: String,
    /// One entry a server, by name.
    results: Vec<ServerResult>,
    /// Decisions of CAPI or a list that every server which answered has.
    shared: Vec<Decision>,
}

/// Asks every LAPI server of the tenant for the decisions that hold for an address. A server that fails hides nothing of
/// the others: its entry says why.
#[utoipa::path(get, path = "/api/decisions", tag = "Decisions", params(SearchQuery),
    responses((status = 200, body = SearchView), (status = 400, body = Problem), (status = 401, body = Problem)))]
pub async fn search(
    State(app): State<App>,
    operator: Operator,
    QueryOf(query): QueryOf<SearchQuery>,
) -> Result<Json<SearchView>, ApiError> {
    let text = query.ip.ok_or_else(|| ApiError::field("ip", "is required"))?;
    let block = parse_block(&text).ok_or_else(|| ApiError::BadRequest(NO_ADDRESS.to_owned()))?;
    let ip = Subject(block).value();
    let (results, shared) = group(ask(&app, operator.tenant, &ip).await?);
    Ok(Json(SearchView { ip, results, shared }))
}

/// Asks every LAPI server of the tenant at the same time what holds for an address, in its canonical form.
///
/// # Errors
/// When the servers cannot be listed; a server that fails says so in its entry.
pub async fn ask(app: &App, tenant: Tenant, ip: &str) -> Result<Vec<ServerResult>, ApiError> {
    let servers = lapi::list(&app.db, tenant).await?;
    let asked = servers.iter().map(|server| ask_one(app, tenant, server, ip));
    Ok(join_all(asked).await)
}

async fn ask_one(app: &App, tenant: Tenant, server: &Server, ip: &str) -> ServerResult {
    let answer = match server.target(&app.ring, tenant.id()) {
        Ok(target) => app.lapis.decisions(&target, ip).await.map_err(|e| {
            tracing::info!(tenant = tenant.id(), server = server.id, cause = ?e, "a LAPI server was asked in vain");
            e.to_string()
        }),
        Err(e) => {
            tracing::error!(tenant = tenant.id(), server = server.id, cause = %e, "a LAPI server's secrets do not open");
            Err("its stored credentials cannot be read".to_owned())
        }
    };
    let read = answer.and_then(|list| {
        let decisions: Result<Vec<Decision>, _> = list
            .into_iter()
            .map(|d| serde_json::from_value(Value::Object(d)))
            .collect();
        decisions.map_err(|_| "the server does not answer as a LAPI does".to_owned())
    });
    let (decisions, error) = match read {
        Ok(decisions) => (decisions, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    ServerResult {
        server: server.name.clone(),
        decisions,
        error,
    }
}
