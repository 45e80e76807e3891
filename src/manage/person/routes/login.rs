//! Logging in and out.

use std::net::IpAddr;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{
    Actor, ApiError, COOKIE, MAX_AGE, NO_COOKIE, NewSession, Owner, Principal, Problem, Shown, Trace, Who,
    client, form_pairs, hashing, read_limited,
};
use crate::kernel::time::rfc3339_millis;
use crate::kernel::totp;
use crate::manage::person::model::{email, network, totp_place};
use crate::manage::person::queries::{self, Counted};

/// Largest body.
const BODY: usize = 8 << 10;

/// A person, by address and password; or a program's API token.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginBody {
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    password: Option<String>,
    /// The code of the authenticator, where the person has one.
    #[serde(default)]
    totp: Option<String>,
    /// The tenant to act in; needed of a person who belongs to several, and can be said by each request, too.
    #[serde(default)]
    tenant: Option<String>,
    /// An API token instead of address and password.
    #[serde(default)]
    token: Option<String>,
}

/// A session. What proves it is in the cookie `csm_auth`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginView {
    /// What requests by cookie that change something show as `X-CSRF-Token`, or forms as `csrf_token`.
    csrf_token: String,
    expires_at: String,
    /// The tenant that is acted in; null for a person who has not said in which of several.
    tenant: Option<String>,
    /// The address of the person, or the name of the token.
    user: String,
}

/// How an answer is worded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Accent {
    Json,
    Form,
}

/// Logs in, always into a new session. A form is answered with a page, JSON with JSON. Ten wrong passwords in a quarter of
/// an hour are 429; what else is wrong is told nobody: an unknown address, a wrong password and a disabled account look the
/// same.
#[utoipa::path(post, path = "/login", tag = "Users", operation_id = "login", request_body(content((LoginBody = "application/json"), (LoginBody = "application/x-www-form-urlencoded"))),
    responses((status = 200, body = LoginView, headers(("set-cookie" = String))), (status = 303, description = "a form that was right: to the front page", headers(("set-cookie" = String))),
        (status = 400, body = Problem), (status = 401, body = Problem, description = "wrong; a form is shown again"), (status = 403, body = Problem, description = "another site's page sent this, or the token is not good here"),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 429, body = Problem, description = "too many tries, or too many at once"), (status = 503, body = Problem)))]
pub async fn login(State(app): State<App>, request: Request<Body>) -> Response {
    let kind = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default()
        .trim();
    let accent = match kind.to_ascii_lowercase().as_str() {
        "application/json" => Accent::Json,
        "application/x-www-form-urlencoded" => Accent::Form,
        _ => {
            let text = "send content-type: application/json or application/x-www-form-urlencoded";
            return ApiError::Unsupported(text.to_owned()).into_response();
        }
    };
    let (headers, from) = (request.headers().clone(), client(request.extensions()));
    match enter(&app, accent, request).await {
        Ok((session, view)) => {
            let mut response = match accent {
                Accent::Json => Json(view).into_response(),
                Accent::Form => (StatusCode::SEE_OTHER, [(header::LOCATION, "/")]).into_response(),
            };
            if let Some(value) = session_cookie(&app, &headers, from, &session) {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
            response
        }
        Err(refusal) => refuse(accent, refusal),
    }
}

/// What a browser keeps of a session, for the request that it is made by.
#[must_use]
pub fn session_cookie(
    app: &App,
    headers: &HeaderMap,
    from: Option<IpAddr>,
    session: &NewSession,
) -> Option<HeaderValue> {
    let secure = if is_secure(app, headers, from) {
        " Secure;"
    } else {
        ""
    };
    let text = format!(
        "{COOKIE}={}; Path=/; HttpOnly;{secure} SameSite=Strict; Max-Age={MAX_AGE}",
        session.cookie
    );
    HeaderValue::from_str(&text).ok()
}

/// A way in that was tried, which counts as wrong until it was right.
pub struct Entry(queries::Try);

impl Entry {
    /// It was right.
    ///
    /// # Errors
    /// As the statement fails.
    pub async fn forgive(self, app: &App) -> Result<(), ApiError> {
        Ok(queries::forgive(&app.db, &self.0).await?)
    }
}

/// Counts a way in that is tried from an address, beside wrong logins.
///
/// # Errors
/// 429 from where there were too many; as the statements fail.
pub async fn count_entry(app: &App, from: Option<IpAddr>) -> Result<Entry, ApiError> {
    let counted = queries::count_try(&app.db, &app.ring, None, &network(from)).await?;
    counted_or_full(counted).map(Entry)
}

fn refuse(accent: Accent, refusal: ApiError) -> Response {
    let response = refusal.into_response();
    if accent == Accent::Json {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let said = match parts.status {
        StatusCode::UNAUTHORIZED => "That was not right.",
        StatusCode::TOO_MANY_REQUESTS => "Too many tries: wait a moment.",
        _ => "That cannot be done now.",
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::WWW_AUTHENTICATE);
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    parts.headers.insert(header::CONTENT_TYPE, html);
    let policy = HeaderValue::from_static("default-src 'none'; form-action 'self'; frame-ancestors 'none'");
    parts.headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    let page = format!(
        "<!doctype html><html lang=\"en\"><title>Garrison</title><p>{said}</p><form method=\"post\" action=\"/login\">\
         <p><label>Address <input name=\"email\" type=\"email\" autocomplete=\"username\"></label></p>\
         <p><label>Password <input name=\"password\" type=\"password\" autocomplete=\"current-password\"></label></p>\
         <p><label>Code <input name=\"totp\" inputmode=\"numeric\" autocomplete=\"one-time-code\"></label></p>\
         <p><button>Log in</button></p></form></html>"
    );
    Response::from_parts(parts, page.into())
}

async fn enter(
    app: &App,
    accent: Accent,
    request: Request<Body>,
) -> Result<(NewSession, LoginView), ApiError> {
    let (parts, body) = request.into_parts();
    let before = Shown::of(&parts.headers, &parts.extensions).ok();
    let trace = Trace::of(&parts);
    let bytes = read_limited(&parts.headers, body, BODY, BODY).await?;
    let body = read(accent, &bytes)?;
    let (session, view) = match (&body.token, &body.email, &body.password) {
        (Some(token), None, None) => with_token(app, token, &trace).await?,
        (None, Some(email), Some(password)) => with_password(app, &body, email, password, &trace).await?,
        _ => {
            return Err(ApiError::BadRequest(
                "send email and password, or token".to_owned(),
            ));
        }
    };
    app.auth.end_shown(before).await?;
    Ok((session, view))
}

fn read(accent: Accent, bytes: &[u8]) -> Result<LoginBody, ApiError> {
    if accent == Accent::Json {
        return serde_json::from_slice(bytes).map_err(|e| ApiError::field("body", e.to_string()));
    }
    let mut body = LoginBody::default();
    for (name, value) in form_pairs(bytes) {
        let value = Some(value).filter(|value| !value.is_empty());
        match name.as_str() {
            "email" => body.email = value,
            "password" => body.password = value,
            "totp" => body.totp = value,
            "tenant" => body.tenant = value,
            "token" => body.token = value,
            _ => {}
        }
    }
    Ok(body)
}

async fn with_token(app: &App, token: &str, trace: &Trace) -> Result<(NewSession, LoginView), ApiError> {
    let from = trace.source();
    let counted = queries::count_try(&app.db, &app.ring, None, &network(from)).await?;
    let done = counted_or_full(counted)?;
    let principal = app.auth.authenticate(&Shown::token(token, from)).await?;
    let operator = principal.operator()?;
    let Who::Token(id) = operator.who else {
        return Err(ApiError::Unauthorized);
    };
    queries::forgive(&app.db, &done).await?;
    let db = app.db.by(trace.by(&operator.actor()));
    queries::record_token_login(&db, operator.tenant, id).await?;
    let session = app
        .auth
        .begin_session(Owner::Token(operator.tenant.id(), id))
        .await?;
    let tenant = crate::manage::tenant::get(&app.db, operator.tenant.id()).await?;
    let view = LoginView {
        csrf_token: session.csrf.clone(),
        expires_at: rfc3339_millis(session.expires_at),
        tenant: tenant.map(|row| row.name),
        user: principal.name.as_str().to_owned(),
    };
    Ok((session, view))
}

fn counted_or_full(counted: Counted) -> Result<queries::Try, ApiError> {
    match counted {
        Counted::Fine(done) => Ok(done),
        Counted::Full(seconds) => Err(ApiError::TooMany("too many wrong logins", seconds)),
    }
}

async fn with_password(
    app: &App,
    body: &LoginBody,
    address: &str,
    password: &str,
    trace: &Trace,
) -> Result<(NewSession, LoginView), ApiError> {
    let from = trace.source();
    if password.len() > 1024 || password.contains('\0') {
        return Err(ApiError::field(
            "password",
            "must have at most 1024 bytes without NUL",
        ));
    }
    if address.len() > 254 {
        return Err(ApiError::field("email", "must have at most 254 bytes"));
    }
    // What is no address at all takes the same way, and finds nobody.
    let address = email(address).unwrap_or_else(|| format!("? {}", address.trim()));
    // Whoever is too many is sent away before anything is written.
    let place = hashing::Place::take()?;
    let counted = queries::count_try(&app.db, &app.ring, Some(&address), &network(from)).await?;
    let done = counted_or_full(counted)?;
    let known = if address.contains('\0') {
        None
    } else {
        queries::get_login(&app.db, &address).await?
    };
    let hash = known.as_ref().and_then(|known| known.password_hash.clone());
    let right = place.verify(password.to_owned(), hash).await?;
    if let Some(known) = known.as_ref().filter(|known| !right || known.disabled) {
        note_refused(app, known.id, &address, trace);
    }
    let known = known
        .filter(|known| right && !known.disabled)
        .ok_or(ApiError::Unauthorized)?;
    let by = trace.by(&Actor::User {
        id: known.id,
        name: address.as_str().into(),
    });
    let step = match &known.totp {
        None => None,
        Some(sealed) => Some(code(
            app,
            known.id,
            sealed,
            body.totp.as_deref(),
            known.totp_step,
        )?),
    };
    let places = queries::list_memberships(&app.db, known.id).await?;
    let chosen = match &body.tenant {
        None => None,
        Some(name) => {
            let place = places.iter().find(|place| place.tenant == *name);
            let place = place.ok_or_else(|| ApiError::field("tenant", "is none that you belong to"))?;
            Some(place.place.id())
        }
    };
    // A code is good once, whichever replica sees it first.
    if !queries::update_login(&app.db.by(by), known.id, step).await? {
        return Err(ApiError::Unauthorized);
    }
    queries::forgive(&app.db, &done).await?;
    let session = app.auth.begin_session(Owner::Person(known.id, chosen)).await?;
    let only = if places.len() == 1 { places.first() } else { None };
    let acts = places
        .iter()
        .find(|place| Some(place.place.id()) == chosen)
        .or(only);
    let view = LoginView {
        csrf_token: session.csrf.clone(),
        expires_at: rfc3339_millis(session.expires_at),
        tenant: acts.map(|place| place.tenant.clone()),
        user: address,
    };
    tracing::info!(person = known.id, "login");
    Ok((session, view))
}

/// Puts a wrong login on record where the person belongs, beside the request: how long that takes tells nothing.
pub fn note_refused(app: &App, person: i64, address: &str, trace: &Trace) {
    let by = trace.by(&Actor::User {
        id: person,
        name: address.into(),
    });
    let app = app.clone();
    tokio::spawn(async move {
        match queries::list_memberships(&app.db, person).await {
            Ok(places) => {
                for place in places {
                    app.refusals
                        .note(place.place, by.clone(), "user.login", person.to_string());
                }
            }
            Err(e) => tracing::warn!(person, cause = %e, "a refused login was not put on record"),
        }
    });
}

/// The step of the code that was shown.
fn code(app: &App, person: i64, sealed: &[u8], shown: Option<&str>, used: i64) -> Result<i64, ApiError> {
    let Some(shown) = shown else {
        return Err(ApiError::CodeNeeded);
    };
    let secret = app.ring.open(&totp_place(person), sealed);
    let secret = secret.map_err(|e| ApiError::Internal(e.to_string()))?;
    totp::matching(&secret, shown, Timestamp::now().as_second(), used).ok_or(ApiError::Unauthorized)
}

/// Whether a browser is to send the cookie through TLS only. Not where it sits on this very machine and nothing stands in
/// between: there is no TLS there, and nobody reads along.
pub fn is_secure(app: &App, headers: &HeaderMap, from: Option<IpAddr>) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let host = host.parse::<axum::http::uri::Authority>().ok();
    let host = host
        .as_ref()
        .map_or("", |host| host.host())
        .trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let passed_on = [
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
        "via",
    ];
    let direct = !passed_on.iter().any(|name| headers.contains_key(*name));
    let public = app.settings.public_url.as_deref().unwrap_or_default();
    !(here && direct && from.is_some_and(|ip| ip.is_loopback()) && !public.starts_with("https://"))
}

/// Logs out: the session ends on every replica within five seconds, and the cookie is taken away.
#[utoipa::path(post, path = "/logout", tag = "Users", operation_id = "logout",
    responses((status = 204, description = "out"), (status = 401, body = Problem), (status = 403, body = Problem, description = "without X-CSRF-Token, or from another site"), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub async fn logout(State(app): State<App>, principal: Principal) -> Result<Response, ApiError> {
    if let Some(session) = principal.session {
        app.auth.end_session(session).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, NO_COOKIE)]).into_response())
}
