use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{ApiError, Problem, Shown, csrf};
use crate::kernel::time::rfc3339_millis;

/// Whether somebody is logged in.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    authenticated: bool,
    /// The address of the person, or the name of the token.
    user: Option<String>,
    /// When the session ends; null where there is none: a token, or a person whom a proxy names.
    expires_at: Option<String>,
    /// Where the identity provider logs them out, too; null for other sessions.
    logout_url: Option<String>,
    /// Where to log in through the identity provider; null where none is set up.
    login_url: Option<&'static str>,
    /// What requests that change something show as `X-CSRF-Token`; null for a token in a header.
    csrf_token: Option<String>,
}

/// Whether somebody is logged in, and how they come in and go out. Without a credential, too.
#[utoipa::path(get, path = "/api/auth/session", tag = "Users", operation_id = "get_session",
    responses((status = 200, body = SessionView), (status = 400, body = Problem), (status = 403, body = Problem, description = "known, and not let in"), (status = 404, body = Problem, description = "no such tenant")))]
pub async fn session(State(app): State<App>, request: Request<Body>) -> Result<Json<SessionView>, ApiError> {
    let (parts, _) = request.into_parts();
    let nobody = SessionView {
        login_url: app.provider.as_ref().map(|_| "/api/auth/login"),
        ..SessionView::default()
    };
    let principal = match Shown::of(&parts.headers, &parts.extensions) {
        Ok(shown) => app.auth.authenticate(&shown).await,
        Err(refusal) => Err(refusal),
    };
    let principal = match principal {
        Ok(principal) => principal,
        Err(ApiError::Unauthorized) => return Ok(Json(nobody)),
        Err(refusal) => return Err(refusal),
    };
    let end = match principal.session {
        Some(session) => app.auth.session_end(session).await?,
        None => None,
    };
    let issuer = end.as_ref().and_then(|(_, issuer)| issuer.as_deref());
    Ok(Json(SessionView {
        authenticated: true,
        user: Some(principal.name.as_str().to_owned()),
        expires_at: end.as_ref().map(|(end, _)| rfc3339_millis(*end)),
        logout_url: super::logout::url(&app, issuer).await,
        csrf_token: principal.csrf.as_ref().map(csrf::text),
        ..nobody
    }))
}
