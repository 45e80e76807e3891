//! What operators look at and administer.

pub mod alert;
pub mod audit;
pub mod erase;
pub mod event;
pub mod geoip;
pub mod ipinfo;
pub mod machine;
pub mod metrics;
pub mod oidc;
pub mod person;
pub mod retention;
pub mod stats;
pub mod tenant;
pub mod token;
pub mod transfer;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// The management routes.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(alert::routes())
        .merge(audit::routes())
        .merge(ipinfo::routes())
        .merge(event::routes())
        .merge(machine::routes())
        .merge(metrics::routes())
        .merge(retention::routes())
        .merge(stats::routes())
        .merge(token::routes())
        .merge(person::routes())
        .merge(oidc::routes())
        .merge(tenant::routes())
}
