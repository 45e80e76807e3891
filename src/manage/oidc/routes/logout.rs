//! Out: by oneself, and because the provider says so.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::provider;
use crate::app::App;
use crate::http::{ApiError, LoggedOut, NO_COOKIE, Principal, Problem, Shown, Who, form_pairs, read_limited};
use crate::outbound::oidc::{Failure, LogoutToken, TOKEN};

/// Largest body: a token, as a form writes it.
pub const BODY: usize = TOKEN + 1024;

/// Where to go on from here.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogoutView {
    /// Where the identity provider logs them out, too; null for sessions that did not come from it.
    logout_url: Option<String>,
}

/// What a provider is told of a logout token that does not hold.
#[derive(Serialize, ToSchema)]
pub struct LogoutRefusal {
    /// `invalid_request`.
    error: &'static str,
}

/// Where the provider logs out who came from it.
pub async fn url(app: &App, issuer: Option<&str>) -> Option<String> {
    let provider = app.provider.as_ref()?;
    if issuer != Some(provider.settings().issuer.as_str()) {
        return None;
    }
    provider.logout_url().await
}

/// Logs out here, on every replica within five seconds, and tells where the identity provider does. The same as `/logout`
/// for sessions that did not come from there.
#[utoipa::path(post, path = "/api/auth/logout", tag = "Users", operation_id = "logout_by_provider",
    responses((status = 200, body = LogoutView, headers(("set-cookie" = String))), (status = 401, body = Problem),
        (status = 403, body = Problem, description = "without X-CSRF-Token, from another site, or with a token in a header"), (status = 404, body = Problem)))]
pub async fn logout(
    State(app): State<App>,
    shown: Shown,
    principal: Principal,
) -> Result<Response, ApiError> {
    if matches!(principal.who, Who::Token(_)) && !shown.is_cookie() {
        return Err(ApiError::Forbidden("a token in a header has no session to end"));
    }
    let end = match principal.session {
        Some(session) => {
            let end = app.auth.session_end(session).await?;
            app.auth.end_session(session).await?;
            end
        }
        None => None,
    };
    let issuer = end.as_ref().and_then(|(_, issuer)| issuer.as_deref());
    let view = LogoutView {
        logout_url: url(&app, issuer).await,
    };
    Ok(([(header::SET_COOKIE, NO_COOKIE)], Json(view)).into_response())
}

/// The provider says that somebody is logged out (`OpenID` Connect Back-Channel Logout 1.0): their sessions end on every
/// replica within five seconds.
#[utoipa::path(post, path = "/api/auth/backchannel-logout", tag = "Users", operation_id = "logout_from_provider",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "`logout_token=…`"),
    responses((status = 200, description = "done"), (status = 400, body = LogoutRefusal, content_type = "application/json", description = "the token does not hold, or came before"),
        (status = 404, body = Problem, description = "no identity provider is set up here"),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 503, body = Problem, description = "the provider's keys cannot be asked for")))]
pub async fn backchannel(State(app): State<App>, request: Request<Body>) -> Response {
    let mut response = match take(&app, request).await {
        Ok(true) => StatusCode::OK.into_response(),
        Ok(false) => {
            let refusal = LogoutRefusal {
                error: "invalid_request",
            };
            (StatusCode::BAD_REQUEST, Json(json!(refusal))).into_response()
        }
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether the token holds; then the sessions are over.
async fn take(app: &App, request: Request<Body>) -> Result<bool, ApiError> {
    let provider = provider(app)?;
    let (parts, body) = request.into_parts();
    let bytes = read_limited(&parts.headers, body, BODY, BODY).await?;
    let mut tokens = form_pairs(&bytes)
        .into_iter()
        .filter(|(name, _)| name == "logout_token");
    let (Some((_, token)), None) = (tokens.next(), tokens.next()) else {
        return Ok(false);
    };
    let token = match provider.logout_token(&token).await {
        Ok(token) => token,
        Err(failure @ Failure::Down(_)) => return Err(super::told(&failure)),
        Err(failure) => {
            tracing::warn!(cause = %failure, "a logout token was refused");
            return Ok(false);
        }
    };
    let issuer = &provider.settings().issuer;
    let who = LoggedOut {
        issuer,
        subject: token.sub.as_deref(),
        sid: token.sid.as_deref(),
    };
    let once = format!("logout {issuer} {}", token.id);
    let ended = app.auth.log_out(who, &once, LogoutToken::REMEMBERED).await?;
    match ended {
        Some(sessions) => tracing::info!(sessions, "the identity provider logged somebody out"),
        None => tracing::warn!("a logout token came again"),
    }
    Ok(ended.is_some())
}
