use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Event, Fix, Verdict, events, fixes, situation, verdict};
use super::queries;
use crate::app::App;
use crate::fleet::decision::{Subject, ask, protected};
use crate::http::{ApiError, Operator, Problem, QueryOf};
use crate::kernel::net::parse_block;

/// Explanations.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(explain))
}

/// Who is asked.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExplainQuery {
    /// Ask the LAPI servers, too: what they have from CAPI and lists is known to nobody else.
    #[serde(default)]
    live: bool,
}

/// All that is known of an address.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplainView {
    /// What was asked about, in its canonical form.
    ip: String,
    verdict: Verdict,
    /// One sentence.
    summary: String,
    /// Everything that says something about it, in the order of time.
    events: Vec<Event>,
    /// What can be done, the narrowest first; only what applies.
    fixes: Vec<Fix>,
}

/// Why an address is banned, or is not, and what can be done about it: the desired set, Garrison's copies on the LAPI
/// servers, the last 50 alerts, allowlists and protected ranges. Told from Garrison's own rows, which know nothing of
/// CAPI's decisions and lists on the servers; with `live=true` every server is asked, and those are told, too.
#[utoipa::path(get, path = "/api/ips/{ip}/explain", tag = "Decisions", operation_id = "explain_ip",
    params(("ip" = String, Path, description = "an address, or a range with its slash as %2F"), ExplainQuery),
    responses((status = 200, body = ExplainView), (status = 400, body = Problem), (status = 401, body = Problem)))]
async fn explain(
    State(app): State<App>,
    operator: Operator,
    Path(ip): Path<String>,
    QueryOf(query): QueryOf<ExplainQuery>,
) -> Result<Json<ExplainView>, ApiError> {
    let block =
        parse_block(&ip).ok_or_else(|| ApiError::field("ip", "must be an IP address or a range (CIDR)"))?;
    let ip = Subject(block).value();
    let known = queries::known(&app.db, operator.tenant, &block).await?;
    let live = if query.live {
        ask(&app, operator.tenant, &ip).await?
    } else {
        Vec::new()
    };
    let protected = protected(&block, &app.settings.own_addresses);
    let (verdict, summary) = verdict(&known, &live, &block);
    Ok(Json(ExplainView {
        verdict,
        summary,
        events: events(&known, protected, &live, &block, Timestamp::now()),
        fixes: fixes(&situation(&known, &live, query.live, &block)),
        ip,
    }))
}
