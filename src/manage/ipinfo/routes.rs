mod known;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Known, Scope, subject};
use crate::app::App;
use crate::http::{ApiError, Operator, Problem};
use crate::kernel::time::rfc3339_millis;
use crate::outbound::registration::Registration;

/// Addresses.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show))
}

/// What the world tells of an address.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IpInfoView {
    /// The address, in its canonical form.
    ip: String,
    /// `global`, `private`, `loopback`, `link-local`, `shared`, `documentation`, `multicast` or `reserved`: only of a global
    /// one somebody else is asked.
    scope: &'static str,
    /// The names that its owner gave it, ten at most: they may claim anything.
    reverse_dns: Vec<String>,
    /// The registration of its network; null when nobody told.
    whois: Option<Registration>,
    /// The registry that told.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// When it was looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    fetched_at: Option<String>,
    /// What did not work, or why nobody was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Who has an address: its names by reverse DNS, and the registration of its network by WHOIS or RDAP. Answers are kept
/// and shared by all replicas and tenants; failures are no errors, but told in `error`.
#[utoipa::path(get, path = "/api/ip-info/{ip}", tag = "Addresses", operation_id = "get_ip_info",
    params(("ip" = String, Path, description = "an address, or a range with its slash as %2F, of which the first address is taken")),
    responses((status = 200, body = IpInfoView), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 429, body = Problem)))]
async fn show(
    State(app): State<App>,
    operator: Operator,
    Path(ip): Path<String>,
) -> Result<Json<IpInfoView>, ApiError> {
    let ip = subject(&ip).ok_or_else(|| ApiError::field("ip", "must be an IP address or a range (CIDR)"))?;
    let scope = Scope::of(ip);
    let mut view = IpInfoView {
        ip: ip.to_string(),
        scope: scope.name(),
        reverse_dns: Vec::new(),
        whois: None,
        source: None,
        fetched_at: None,
        error: scope.silence(),
    };
    if scope == Scope::Global {
        let known = known::find(&app, operator.tenant, ip).await?;
        let Known { told, fetched_at, .. } = known.as_ref();
        view.reverse_dns.clone_from(&told.names);
        view.whois.clone_from(&told.registration);
        view.source.clone_from(&told.source);
        view.fetched_at = Some(rfc3339_millis(*fetched_at));
        view.error = (!told.failures.is_empty()).then(|| told.failures.join("; "));
    }
    Ok(Json(view))
}
