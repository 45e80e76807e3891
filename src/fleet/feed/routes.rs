mod manage;
mod read;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::ApiError;

const NOT_FOUND: ApiError = ApiError::NotFound("Feed not found");

/// Feeds.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(manage::list, manage::create))
        .routes(routes!(read::read, manage::delete))
        .routes(routes!(manage::create_token))
        .routes(routes!(manage::delete_token))
        .layer(DefaultBodyLimit::max(64 * 1024))
}
