//! What the fleet should enforce: the tenants' LAPI servers and the decisions on them.

pub mod allowlist;
pub mod analyzer;
pub mod decision;
pub mod explain;
pub mod feed;
pub mod lapi;
pub mod replication;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// The routes of the fleet.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(lapi::routes())
        .merge(decision::routes())
        .merge(allowlist::routes())
        .merge(explain::routes())
        .merge(feed::routes())
        .merge(analyzer::routes())
}
