//! Search, ban, unban.

mod act;
mod coverage;
mod search;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub use search::ask;

/// Decisions.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(search::search))
        .routes(routes!(coverage::coverage))
        .routes(routes!(act::ban))
        .routes(routes!(act::unban))
        .layer(DefaultBodyLimit::max(16 * 1024))
}

/// The text of the first API for what is no address.
const NO_ADDRESS: &str = "Invalid IP address or CIDR format";
