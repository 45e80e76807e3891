mod accept;
mod login;
mod me;
mod own;
mod users;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub use login::{count_entry, is_secure, note_refused, session_cookie};

/// People of a tenant, invitations, oneself.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(users::list, users::invite))
        .routes(routes!(users::change, users::remove))
        .routes(routes!(users::reset))
        .routes(routes!(users::list_invitations))
        .routes(routes!(users::uninvite))
        .routes(routes!(accept::accept))
        .routes(routes!(accept::reset))
        .routes(routes!(me::show))
        .routes(routes!(own::set_password))
        .routes(routes!(own::enrol))
        .routes(routes!(own::confirm))
        .routes(routes!(own::disable))
        .routes(routes!(login::login))
        .routes(routes!(login::logout))
        .layer(DefaultBodyLimit::max(8 * 1024))
}
