//! What a person changes of their own account.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{ApiError, JsonBody, Principal, Problem, Trace, Who, hashing};
use crate::kernel::totp;
use crate::manage::person::model::{PASSWORD_RULE, is_password, totp_place};
use crate::manage::person::queries::{self, Counted};

/// The password that a person has, to prove it is them who sits there.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofBody {
    password: String,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordBody {
    /// The one they have.
    current: String,
    /// The one they want: 12 bytes or more.
    new: String,
}

/// A code of the authenticator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeBody {
    code: String,
}

/// What an authenticator takes. Shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TotpView {
    /// In base 32.
    secret: String,
    /// The same for a QR code.
    url: String,
}

fn person(principal: &Principal) -> Result<i64, ApiError> {
    match principal.who {
        Who::User(id) => Ok(id),
        Who::Token(_) => Err(ApiError::Forbidden(
            "only a person who logged in has a password and codes",
        )),
    }
}

/// Whether it is them who sits there: counted as a login is.
async fn prove(app: &App, id: i64, password: String) -> Result<queries::Own, ApiError> {
    let own = queries::get_own(&app.db, id)
        .await?
        .ok_or(ApiError::Unauthorized)?;
    let here = format!("self {id}");
    let counted = queries::count_try(&app.db, &app.ring, Some(&own.email), &here).await?;
    let done = match counted {
        Counted::Fine(done) => done,
        Counted::Full(seconds) => return Err(ApiError::TooMany("too many wrong passwords", seconds)),
    };
    if password.len() > 1024 || !hashing::verify(password, own.password_hash.clone()).await? {
        return Err(ApiError::Forbidden("this is not your password"));
    }
    queries::forgive(&app.db, &done).await?;
    Ok(own)
}

/// Changes one's password. Every other session of the person ends.
#[utoipa::path(post, path = "/api/me/password", tag = "Users", operation_id = "change_password", request_body = PasswordBody,
    responses((status = 204, description = "changed"), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem)))]
pub async fn set_password(
    State(app): State<App>,
    trace: Trace,
    principal: Principal,
    JsonBody(body): JsonBody<PasswordBody>,
) -> Result<StatusCode, ApiError> {
    let id = person(&principal)?;
    if !is_password(&body.new) {
        return Err(ApiError::field("new", PASSWORD_RULE));
    }
    prove(&app, id, body.current).await?;
    let hash = hashing::hash(body.new).await?;
    let db = app.db.by(trace.by(&principal.actor()));
    queries::set_password(&db, id, &hash, principal.session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a secret for an authenticator. It counts once a code of it was confirmed.
#[utoipa::path(post, path = "/api/me/totp", tag = "Users", operation_id = "enrol_totp", request_body = ProofBody,
    responses((status = 201, body = TotpView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem, description = "there is one"), (status = 413, body = Problem), (status = 415, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem)))]
pub async fn enrol(
    State(app): State<App>,
    principal: Principal,
    JsonBody(body): JsonBody<ProofBody>,
) -> Result<(StatusCode, Json<TotpView>), ApiError> {
    let id = person(&principal)?;
    let own = prove(&app, id, body.password).await?;
    if own.totp.is_some() {
        return Err(ApiError::Conflict(
            "codes are asked for already: disable them first".to_owned(),
        ));
    }
    let mut secret = [0u8; 20];
    rand::rng().fill(&mut secret[..]);
    queries::set_totp_pending(&app.db, id, &app.ring.seal(&totp_place(id), &secret)).await?;
    let text = totp::base32(&secret);
    let account: String = own.email.bytes().map(escaped).collect();
    let view = TotpView {
        url: format!("otpauth://totp/Garrison:{account}?secret={text}&issuer=Garrison"),
        secret: text,
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// A byte of an address as a URL has it.
fn escaped(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// Confirms the secret with a code of it. From now on a login needs one; every other session of the person ends.
#[utoipa::path(post, path = "/api/me/totp/confirm", tag = "Users", operation_id = "confirm_totp", request_body = CodeBody,
    responses((status = 204, description = "codes are asked for"), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem)))]
pub async fn confirm(
    State(app): State<App>,
    trace: Trace,
    principal: Principal,
    JsonBody(body): JsonBody<CodeBody>,
) -> Result<StatusCode, ApiError> {
    let id = person(&principal)?;
    let own = queries::get_own(&app.db, id)
        .await?
        .ok_or(ApiError::Unauthorized)?;
    let none = || ApiError::Conflict("there is no secret to confirm: make one first".to_owned());
    let sealed = own.totp_pending.ok_or_else(none)?;
    let secret = app.ring.open(&totp_place(id), &sealed);
    let secret = secret.map_err(|e| ApiError::Internal(e.to_string()))?;
    let step = totp::matching(&secret, &body.code, Timestamp::now().as_second(), own.totp_step);
    let step = step.ok_or_else(|| ApiError::field("code", "is not the code of now"))?;
    let db = app.db.by(trace.by(&principal.actor()));
    queries::set_totp(&db, id, Some(&sealed), step, principal.session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks for no more codes. Every other session of the person ends.
#[utoipa::path(post, path = "/api/me/totp/disable", tag = "Users", operation_id = "disable_totp", request_body = ProofBody,
    responses((status = 204, description = "no codes any more"), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem)))]
pub async fn disable(
    State(app): State<App>,
    trace: Trace,
    principal: Principal,
    JsonBody(body): JsonBody<ProofBody>,
) -> Result<StatusCode, ApiError> {
    let id = person(&principal)?;
    let own = prove(&app, id, body.password).await?;
    let db = app.db.by(trace.by(&principal.actor()));
    queries::set_totp(&db, id, None, own.totp_step, principal.session).await?;
    Ok(StatusCode::NO_CONTENT)
}
