//! What is done with a text that was given once: its holder has nothing else yet.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{Actor, ApiError, Client, JsonBody, Problem, Trace, hashing};
use crate::kernel::secret::{self, Kind};
use crate::manage::person::model::{PASSWORD_RULE, is_name, is_password, network};
use crate::manage::person::queries::{self, Counted};

const NOT_FOUND: ApiError = ApiError::NotFound("this is not good, or not any more");

/// An invitation, and who takes it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptBody {
    /// The text of the invitation.
    token: String,
    /// A new password; for who has one already, that one.
    password: String,
    /// What the person is called; as the invitation says when not given.
    #[serde(default)]
    name: Option<String>,
}

/// Takes an invitation: whoever is new gets an account, whoever has one proves it with the password.
#[utoipa::path(post, path = "/api/invitations/accept", tag = "Users", operation_id = "accept_invitation", request_body = AcceptBody,
    responses((status = 204, description = "log in now"), (status = 400, body = Problem), (status = 401, body = Problem, description = "there is an account, and this is not its password"),
        (status = 404, body = Problem, description = "no invitation, or used, or too old"), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem)))]
pub async fn accept(
    State(app): State<App>,
    trace: Trace,
    client: Option<Extension<Client>>,
    JsonBody(body): JsonBody<AcceptBody>,
) -> Result<StatusCode, ApiError> {
    if !secret::is_well_formed(Kind::Invitation, &body.token) {
        return Err(NOT_FOUND);
    }
    let hash = app.ring.token_hash(&body.token);
    let invitation = queries::get_invitation(&app.db, &hash).await?.ok_or(NOT_FOUND)?;
    let name = body.name.unwrap_or_else(|| invitation.name.clone());
    let name = name.trim();
    if !is_name(name) {
        return Err(ApiError::field(
            "name",
            "must have at most 100 bytes without control characters",
        ));
    }
    if !is_password(&body.password) {
        return Err(ApiError::field("password", PASSWORD_RULE));
    }
    let by = trace.by(&Actor::User {
        id: 0,
        name: invitation.email.as_str().into(),
    });
    let known = queries::get_login(&app.db, &invitation.email).await?;
    let done = match known {
        Some(known) => {
            // Whoever invites holds the invitation, and must not try passwords with it.
            let from = network(client.map(|Extension(Client(address))| address));
            let counted = queries::count_try(&app.db, &app.ring, Some(&invitation.email), &from).await?;
            let done = match counted {
                Counted::Fine(done) => done,
                Counted::Full(seconds) => return Err(ApiError::TooMany("too many wrong passwords", seconds)),
            };
            let right = hashing::verify(body.password, known.password_hash).await?;
            if right {
                queries::forgive(&app.db, &done).await?;
            }
            if !right || known.disabled {
                return Err(ApiError::Unauthorized);
            }
            queries::accept(&app.db, &by, &invitation, name, Ok(known.id)).await?
        }
        None => {
            let hash = hashing::hash(body.password).await?;
            queries::accept(&app.db, &by, &invitation, name, Err(&hash)).await?
        }
    };
    if !done {
        return Err(ApiError::Conflict(
            "this has just been changed: try again".to_owned(),
        ));
    }
    tracing::info!(
        tenant = invitation.tenant.id(),
        role = invitation.role.name(),
        "invitation_accepted"
    );
    Ok(StatusCode::NO_CONTENT)
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetBody {
    /// The text that an admin gave.
    token: String,
    /// The new password: 12 bytes or more.
    password: String,
}

/// Sets a new password with the text that an admin gave. It is good once; every session of the person has ended.
#[utoipa::path(post, path = "/api/password/reset", tag = "Users", operation_id = "reset_password", request_body = ResetBody,
    responses((status = 204, description = "log in now"), (status = 400, body = Problem), (status = 404, body = Problem, description = "unknown, used, or too old"), (status = 413, body = Problem), (status = 415, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem)))]
pub async fn reset(
    State(app): State<App>,
    trace: Trace,
    JsonBody(body): JsonBody<ResetBody>,
) -> Result<StatusCode, ApiError> {
    if !secret::is_well_formed(Kind::PasswordReset, &body.token) {
        return Err(NOT_FOUND);
    }
    let hash = app.ring.token_hash(&body.token);
    let (person, email) = queries::get_by_reset(&app.db, &hash).await?.ok_or(NOT_FOUND)?;
    if !is_password(&body.password) {
        return Err(ApiError::field("password", PASSWORD_RULE));
    }
    let password = hashing::hash(body.password).await?;
    let db = app.db.by(trace.by(&Actor::User {
        id: person,
        name: email.into(),
    }));
    if !queries::set_password_by_reset(&db, &hash, &password).await? {
        return Err(NOT_FOUND);
    }
    tracing::info!(person, "password_reset");
    Ok(StatusCode::NO_CONTENT)
}
