mod fetch;
mod part;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::gate::Gate;

pub use part::{Asked, part, startup_is_owed, update_startup_owed};

/// What links open.
pub fn routes() -> OpenApiRouter<Gate> {
    let packed = tower_http::compression::CompressionLayer::new();
    OpenApiRouter::new().routes(routes!(fetch::fetch)).layer(packed)
}
