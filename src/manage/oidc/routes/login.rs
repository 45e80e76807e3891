//! To the provider, and back with a code.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::{begin_again, provider, told};
use crate::app::App;
use crate::http::{
    ApiError, How, Identity, NewSession, Origin, Owner, Problem, Settled, Shown, Trace, client, cookie_of,
    form_pairs,
};
use crate::manage::oidc::model::{COOKIE, LENGTH, Pending};
use crate::manage::person;

/// Longest query that is looked at.
const QUERY: usize = 8 << 10;

/// Sends a browser to the identity provider, to log in there (code flow with PKCE).
#[utoipa::path(get, path = "/api/auth/login", tag = "Users", operation_id = "login_by_provider",
    responses((status = 302, description = "to the provider", headers(("location" = String), ("set-cookie" = String))),
        (status = 404, body = Problem, description = "no identity provider is set up here"),
        (status = 503, body = Problem, description = "the provider cannot be asked")))]
pub async fn login(State(app): State<App>, request: Request<Body>) -> Response {
    let (parts, _) = request.into_parts();
    match begin(&app, &parts).await {
        Ok(response) => response,
        Err(refusal) => refuse(&parts.headers, refusal),
    }
}

async fn begin(app: &App, parts: &Parts) -> Result<Response, ApiError> {
    let provider = provider(app)?;
    let pending = Pending::new(Timestamp::now().as_second());
    let url = provider
        .login_url(&pending.state, &pending.nonce, &pending.challenge())
        .await
        .map_err(|failure| told(&failure))?;
    let mut response = StatusCode::FOUND.into_response();
    let headers = response.headers_mut();
    let location = HeaderValue::from_str(&url).map_err(|e| ApiError::Internal(e.to_string()))?;
    headers.insert(header::LOCATION, location);
    keep(app, parts, headers, &pending.sealed(&app.ring), LENGTH);
    Ok(response)
}

/// Lax, and not Strict as the session's: it has to come back with a browser that the provider sends.
fn keep(app: &App, parts: &Parts, headers: &mut HeaderMap, value: &str, seconds: i64) {
    let secure = if person::is_secure(app, &parts.headers, client(&parts.extensions)) {
        " Secure;"
    } else {
        ""
    };
    let cookie =
        format!("{COOKIE}={value}; Path=/api/auth; HttpOnly;{secure} SameSite=Lax; Max-Age={seconds}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        headers.append(header::SET_COOKIE, cookie);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Where the provider sends a browser back to: looks at what it brings, and logs in.
#[utoipa::path(get, path = "/api/auth/callback", tag = "Users", operation_id = "finish_login_by_provider",
    params(("code" = Option<String>, Query), ("state" = Option<String>, Query), ("iss" = Option<String>, Query), ("error" = Option<String>, Query)),
    responses((status = 200, content_type = "text/html", body = String, description = "in; the page leads to the front page", headers(("set-cookie" = String))),
        (status = 400, body = Problem, description = "not begun in this browser, finished before, or too long ago"),
        (status = 403, body = Problem, description = "a person who may not come in, or whom the provider did not log in"),
        (status = 404, body = Problem, description = "no identity provider is set up here"),
        (status = 429, body = Problem, description = "too many tries"),
        (status = 502, body = Problem, description = "what the provider answered was refused"),
        (status = 503, body = Problem, description = "the provider cannot be asked")))]
pub async fn callback(State(app): State<App>, request: Request<Body>) -> Response {
    let (parts, _) = request.into_parts();
    match Box::pin(finish(&app, &parts)).await {
        Ok(session) => welcome(&app, &parts, &session),
        Err(refusal) => refuse(&parts.headers, refusal),
    }
}

/// The same, at the address that `CrowdSieve` had: `oidc.redirect_path` says which one the provider is told.
#[utoipa::path(get, path = "/api/auth/callback/oidc", tag = "Users", operation_id = "finish_login_by_provider_at_old_address",
    params(("code" = Option<String>, Query), ("state" = Option<String>, Query), ("iss" = Option<String>, Query), ("error" = Option<String>, Query)),
    responses((status = 200, content_type = "text/html", body = String, description = "in; the page leads to the front page", headers(("set-cookie" = String))),
        (status = 400, body = Problem, description = "not begun in this browser, finished before, or too long ago"),
        (status = 403, body = Problem, description = "a person who may not come in, or whom the provider did not log in"),
        (status = 404, body = Problem, description = "no identity provider is set up here"),
        (status = 429, body = Problem, description = "too many tries"),
        (status = 502, body = Problem, description = "what the provider answered was refused"),
        (status = 503, body = Problem, description = "the provider cannot be asked")))]
pub async fn callback_oidc(state: State<App>, request: Request<Body>) -> Response {
    callback(state, request).await
}

/// What the provider sends along.
#[derive(Default)]
struct Brought {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

fn brought(parts: &Parts) -> Result<Brought, ApiError> {
    let query = parts.uri.query().unwrap_or_default();
    if query.len() > QUERY {
        return Err(begin_again());
    }
    let mut all = Brought::default();
    for (name, value) in form_pairs(query.as_bytes()) {
        let place = match name.as_str() {
            "code" => &mut all.code,
            "state" => &mut all.state,
            "iss" => &mut all.iss,
            "error" => &mut all.error,
            _ => continue,
        };
        // Which of two counts should not be a matter of who reads them.
        if place.replace(value).is_some() {
            return Err(begin_again());
        }
    }
    Ok(all)
}

async fn finish(app: &App, parts: &Parts) -> Result<NewSession, ApiError> {
    let provider = provider(app)?;
    let trace = Trace::of(parts);
    let brought = brought(parts)?;
    let now = Timestamp::now().as_second();
    let state = brought.state.ok_or_else(begin_again)?;
    let kept = cookie_of(&parts.headers, COOKIE).ok_or_else(begin_again)?;
    let pending = Pending::open(&app.ring, kept, &state, now).ok_or_else(begin_again)?;
    let failed = |failure| told(&failure);
    provider
        .check_sender(brought.iss.as_deref())
        .await
        .map_err(failed)?;
    if let Some(error) = brought.error {
        let error: String = error.chars().take(60).collect();
        tracing::info!(error, "the identity provider did not log somebody in");
        return Err(ApiError::Forbidden("the identity provider did not log you in"));
    }
    let code = brought.code.ok_or_else(begin_again)?;
    let counted = person::count_entry(app, trace.source()).await?;
    // From here on this login is over, however it ends, and on every replica.
    #[allow(clippy::cast_precision_loss)] // minutes
    if !app
        .auth
        .use_once(&format!("login {state}"), LENGTH as f64)
        .await?
    {
        return Err(begin_again());
    }
    let claims = provider
        .trade(&code, &pending.verifier, &pending.nonce)
        .await
        .map_err(failed)?;
    let settings = provider.settings();
    let who = Identity {
        issuer: settings.issuer.clone(),
        subject: claims.subject,
        email: claims.email,
        name: claims.name,
        groups: claims.groups,
    };
    let id = match app.auth.settle(&who, How::Login("oidc"), &trace).await? {
        Settled::In { id, .. } => id,
        Settled::Out(why, known) => {
            tracing::warn!(person = known, subject = who.subject, why = ?why, "a login through the identity provider was refused");
            metrics::counter!("garrison_refused_total", "action" => "user.login").increment(1);
            if let Some(known) = known {
                person::note_refused(app, known, who.email.as_deref().unwrap_or(&who.subject), &trace);
            }
            return Err(ApiError::Forbidden(why.text()));
        }
    };
    counted.forgive(app).await?;
    let origin = Origin {
        issuer: who.issuer,
        subject: claims.sub,
        sid: claims.sid,
    };
    let session = app
        .auth
        .begin_session_from(Owner::Person(id, None), Some(&origin))
        .await?;
    let before = Shown::of(&parts.headers, &parts.extensions).ok();
    app.auth.end_shown(before).await?;
    tracing::info!(person = id, "login through the identity provider");
    Ok(session)
}

/// A page, and not a redirect. The session's cookie is Strict: a browser stores it here, but would not send it along a
/// redirect, because it was another site, the provider, that sent it on its way. What this page leads to begins on ours.
fn welcome(app: &App, parts: &Parts, session: &NewSession) -> Response {
    let home = app.settings.public_url.as_deref().unwrap_or_default();
    let home = home.parse::<axum::http::Uri>().ok();
    let home = escaped(home.as_ref().map_or("/", axum::http::Uri::path));
    let mut response = page(
        StatusCode::OK,
        &format!("<meta http-equiv=\"refresh\" content=\"0; url={home}\">"),
        &format!("<p>You are logged in. <a href=\"{home}\">Go on</a></p>"),
    );
    let headers = response.headers_mut();
    keep(app, parts, headers, "", 0);
    if let Some(cookie) = person::session_cookie(app, &parts.headers, client(&parts.extensions), session) {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// A problem document; a page with the same words where a browser asks for pages.
fn refuse(asked: &HeaderMap, refusal: ApiError) -> Response {
    let accepts = asked.get_all(header::ACCEPT).iter();
    let page_wanted = accepts
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("text/html"));
    let said = match &refusal {
        ApiError::Forbidden(text) | ApiError::NotFound(text) | ApiError::TooMany(text, _) => {
            (*text).to_owned()
        }
        ApiError::BadRequest(text) | ApiError::Upstream(_, text) => text.clone(),
        _ => "that cannot be done now".to_owned(),
    };
    let response = refusal.into_response();
    if !page_wanted {
        return response;
    }
    let body = format!(
        "<p>Not logged in: {}.</p><p><a href=\"/api/auth/login\">Begin again</a></p>",
        escaped(&said)
    );
    let mut shown = page(response.status(), "", &body);
    for (name, value) in response.headers() {
        if name == header::RETRY_AFTER {
            shown.headers_mut().insert(name, value.clone());
        }
    }
    shown
}

fn page(status: StatusCode, head: &str, body: &str) -> Response {
    let text = format!("<!doctype html><html lang=\"en\"><title>Garrison</title>{head}{body}</html>");
    let policy = "default-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";
    (
        status,
        [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
        ],
        text,
    )
        .into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
