mod login;
mod logout;
mod session;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::ApiError;
use crate::outbound::oidc::{Failure, Provider};

/// Coming in and going out by way of a provider. The routes are there whether there is one or not, so that the description
/// of the interface does not depend on how an installation is set up.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(login::login))
        .routes(routes!(login::callback))
        .routes(routes!(login::callback_oidc))
        .routes(routes!(session::session))
        .routes(routes!(logout::logout))
        .routes(routes!(logout::backchannel))
        .layer(DefaultBodyLimit::max(logout::BODY))
}

fn provider(app: &App) -> Result<&Provider, ApiError> {
    app.provider
        .as_ref()
        .ok_or(ApiError::NotFound("no identity provider is set up here"))
}

/// What a failure is to who wanted to log in; its cause is for the log.
fn told(failure: &Failure) -> ApiError {
    use axum::http::StatusCode;
    tracing::warn!(cause = %failure, "a login through the identity provider failed");
    match failure {
        Failure::Down(_) => ApiError::Upstream(
            StatusCode::SERVICE_UNAVAILABLE,
            "the identity provider cannot be asked right now; who has a password here can log in with it"
                .to_owned(),
        ),
        Failure::Wrong(_) => ApiError::Upstream(
            StatusCode::BAD_GATEWAY,
            "what the identity provider answered was refused; the log says why".to_owned(),
        ),
        Failure::Stale(_) => begin_again(),
    }
}

/// For whatever does not belong to a login that was begun in this browser.
fn begin_again() -> ApiError {
    ApiError::BadRequest(
        "this login was not begun in this browser, was finished before, or took too long: begin again"
            .to_owned(),
    )
}
