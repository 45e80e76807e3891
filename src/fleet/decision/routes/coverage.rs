use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::NO_ADDRESS;
use crate::app::App;
use crate::fleet::decision::model::{Copy, Place, Subject, holding, standing};
use crate::fleet::decision::queries::{self, Said};
use crate::http::{ApiError, Operator, Problem, QueryOf};
use crate::kernel::net::parse_block;
use crate::kernel::time::rfc3339_millis;

/// What is asked about.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CoverageQuery {
    /// An address or a range.
    #[param(required = true)]
    ip: Option<String>,
}

/// Where the decisions for an address are.
#[derive(Debug, Serialize, ToSchema)]
pub struct CoverageView {
    /// What was asked about, in its canonical form.
    ip: String,
    /// Whether every server has what it should have.
    complete: bool,
    /// Each decision of the set that holds for all of it.
    decisions: Vec<CoveredDecision>,
}

/// One decision, and how it stands on every server.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CoveredDecision {
    scope: String,
    value: String,
    #[serde(rename = "type")]
    kind: String,
    /// The latest end that anybody gives it.
    until: String,
    /// How many say it: engines, servers, a hand.
    said_by: usize,
    servers: Vec<ServerCoverage>,
}

/// How a decision stands on a server.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools)] // each is a fact of its own
pub struct ServerCoverage {
    server: String,
    /// Whether Garrison should put it there.
    wanted: bool,
    /// Until when it should hold there.
    wanted_until: Option<String>,
    /// Whether Garrison put it there, with that end.
    delivered: bool,
    placed_at: Option<String>,
    /// Whether Garrison's copy was seen there.
    present: bool,
    /// When it was last seen there.
    checked_at: Option<String>,
    /// Whether the server has it by itself.
    own: bool,
    /// Why the server refused it.
    error: Option<String>,
    /// When what is on the server was last compared with what should be.
    compared_at: Option<String>,
    /// When the server's own decisions were last read.
    read_at: Option<String>,
}

impl ServerCoverage {
    fn of(said: &[&Said], place: &Place, copy: Option<&Copy>) -> Self {
        let standing = standing(said, place, copy);
        let there = copy.filter(|copy| !copy.refused);
        Self {
            server: place.name.clone(),
            wanted: standing.wanted.is_some(),
            wanted_until: standing.wanted.map(rfc3339_millis),
            delivered: standing.delivered,
            placed_at: there.map(|copy| rfc3339_millis(copy.placed_at)),
            present: there.is_some_and(|copy| copy.checked_at.is_some()),
            checked_at: there.and_then(|copy| copy.checked_at).map(rfc3339_millis),
            own: standing.own,
            error: copy
                .filter(|copy| copy.refused)
                .map(|copy| copy.error.clone().unwrap_or_else(|| "refused there".to_owned())),
            compared_at: place.compared_at.map(rfc3339_millis),
            read_at: place.read_at.map(rfc3339_millis),
        }
    }
}

/// For each decision that holds for an address: on which LAPI server it should be, whether it was put there, and
/// whether it was seen there. Told from Garrison's own rows: no server is asked.
#[utoipa::path(get, path = "/api/decisions/coverage", tag = "Decisions", params(CoverageQuery),
    responses((status = 200, body = CoverageView), (status = 400, body = Problem), (status = 401, body = Problem)))]
pub async fn coverage(
    State(app): State<App>,
    operator: Operator,
    QueryOf(query): QueryOf<CoverageQuery>,
) -> Result<Json<CoverageView>, ApiError> {
    let text = query.ip.ok_or_else(|| ApiError::field("ip", "is required"))?;
    let block = parse_block(&text).ok_or_else(|| ApiError::BadRequest(NO_ADDRESS.to_owned()))?;
    let mut connection = app.db.read_connection().await?;
    let tx = app.db.tenant(&mut connection, operator.tenant).await?;
    let said = queries::list_by_address(&tx, &block).await?;
    let held = holding(&said, &block);
    let (mut places, mut copies) = (Vec::new(), Vec::new());
    if !held.is_empty() {
        let keys: Vec<Uuid> = held.iter().map(|(key, _)| *key).collect();
        places = queries::list_places(&tx).await?;
        copies = queries::list_copies(&tx, &keys).await?;
    }
    tx.commit().await?;
    let copies: HashMap<(Uuid, i64), Copy> = copies
        .into_iter()
        .map(|copy| ((copy.key, copy.server), copy))
        .collect();
    let decisions: Vec<CoveredDecision> = held
        .iter()
        .filter_map(|(key, rows)| {
            let first = rows.first()?;
            let on = |place: &Place| ServerCoverage::of(rows, place, copies.get(&(*key, place.id)));
            let live = rows.iter().filter(|row| row.lifted_at.is_none());
            let until: Timestamp = live.clone().map(|row| row.until).max()?;
            Some(CoveredDecision {
                scope: first.scope.clone(),
                value: first.value.clone(),
                kind: first.kind.clone(),
                until: rfc3339_millis(until),
                said_by: live.count(),
                servers: places.iter().map(on).collect(),
            })
        })
        .collect();
    let complete = decisions
        .iter()
        .flat_map(|decision| &decision.servers)
        .all(|server| !server.wanted || server.delivered);
    Ok(Json(CoverageView {
        ip: Subject(block).value(),
        complete,
        decisions,
    }))
}
