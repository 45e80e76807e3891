//! Search, ban, unban.

mod act;
mod ban;
mod coverage;
mod replay;
mod search;
mod unban;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub use search::ask;

/// Decisions.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(search::search))
        .routes(routes!(ban::ban))
        .routes(routes!(unban::unban))
        .routes(routes!(unban::unban_everywhere))
        .routes(routes!(coverage::coverage))
        .layer(DefaultBodyLimit::max(16 * 1024))
}

/// The text of the first API for what is no address.
const NO_ADDRESS: &str = "Invalid IP address or CIDR format";
