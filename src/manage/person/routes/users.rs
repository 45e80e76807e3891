//! A tenant's people, by its admins.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{Acting, ApiError, Editor, JsonBody, Operator, Problem, Role};
use crate::kernel::time::rfc3339_millis;
use crate::manage::person::model::{email, is_name};
use crate::manage::person::queries::{self, Gone, Member};

const NOT_FOUND: ApiError = ApiError::NotFound("user not found");

/// A person in the tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    id: i64,
    email: String,
    name: String,
    role: Role,
    /// Whether groups of the identity provider gave the role, and take it away again; changing it here makes it one by hand.
    by_groups: bool,
    /// Since when they belong to the tenant.
    since: String,
    last_login_at: Option<String>,
    /// Whether a code is asked of them beside the password.
    totp: bool,
    /// Whether they are shut out of the installation.
    disabled: bool,
}

impl From<Member> for UserView {
    fn from(member: Member) -> Self {
        Self {
            id: member.person.id,
            email: member.person.email,
            name: member.person.name,
            role: member.role,
            by_groups: member.by_groups,
            since: rfc3339_millis(member.since),
            last_login_at: member.person.last_login_at.map(rfc3339_millis),
            totp: member.person.totp,
            disabled: member.person.disabled,
        }
    }
}

/// Somebody to invite.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteBody {
    /// What they log in with.
    email: String,
    /// What they are called.
    #[serde(default)]
    name: String,
    /// No role that may do more than who invites.
    role: Role,
}

/// An invitation that waits.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvitationView {
    id: i64,
    email: String,
    name: String,
    role: Role,
    created_at: String,
    created_by: String,
    expires_at: String,
}

/// An invitation just made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvitedView {
    id: i64,
    email: String,
    role: Role,
    /// What the invited person sends to `/api/invitations/accept`. Shown this once: give it to nobody else.
    token: String,
    expires_at: String,
}

/// A new role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleBody {
    role: Role,
}

/// A way to a new password.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResetView {
    /// What the person sends to `/api/password/reset`. Shown this once: give it to nobody else.
    token: String,
    expires_at: String,
}

/// Who belongs to the tenant.
#[utoipa::path(get, path = "/api/users", tag = "Users", operation_id = "list_users",
    responses((status = 200, body = Vec<UserView>), (status = 401, body = Problem)))]
pub async fn list(State(app): State<App>, operator: Operator) -> Result<Json<Vec<UserView>>, ApiError> {
    let members = queries::list_members(&app.db, operator.tenant, None).await?;
    Ok(Json(members.into_iter().map(Into::into).collect()))
}

/// Invites somebody. Whether there is an account of this address is not told: who has none makes one with the
/// invitation, who has one proves it.
#[utoipa::path(post, path = "/api/users", tag = "Users", operation_id = "invite_user", request_body = InviteBody,
    responses((status = 201, body = InvitedView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem)))]
pub async fn invite(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    JsonBody(body): JsonBody<InviteBody>,
) -> Result<(StatusCode, Json<InvitedView>), ApiError> {
    let email = email(&body.email)
        .ok_or_else(|| ApiError::field("email", "must be an address such as ada@example.org"))?;
    let name = body.name.trim();
    if !is_name(name) {
        return Err(ApiError::field(
            "name",
            "must have at most 100 bytes without control characters",
        ));
    }
    within(&operator, body.role)?;
    let wish = (&*email, name, body.role);
    let made = queries::invite(&app.db, &app.ring, operator.tenant, wish, &operator.shown()).await?;
    let view = InvitedView {
        id: made.id,
        role: body.role,
        token: made.text,
        expires_at: rfc3339_millis(made.expires_at),
        email,
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// Changes what somebody is in the tenant, within five seconds on every replica. The last admin stays one.
#[utoipa::path(patch, path = "/api/users/{id}", tag = "Users", operation_id = "change_user", params(("id" = i64, Path)), request_body = RoleBody,
    responses((status = 200, body = UserView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem, description = "the last admin"), (status = 413, body = Problem), (status = 415, body = Problem)))]
pub async fn change(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<RoleBody>,
) -> Result<Json<UserView>, ApiError> {
    let member = find(&app, operator, &id).await?;
    within(&operator, body.role)?;
    within(&operator, member.role)?;
    let id = member.person.id;
    let done = queries::set_role(&app.db, operator.tenant, id, body.role, false).await?;
    done.map_err(refused)?;
    Ok(Json(find(&app, operator, &id.to_string()).await?.into()))
}

/// Takes somebody out of the tenant. The last admin stays.
#[utoipa::path(delete, path = "/api/users/{id}", tag = "Users", operation_id = "remove_user", params(("id" = i64, Path)),
    responses((status = 204, description = "gone"), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem, description = "the last admin")))]
pub async fn remove(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let member = find(&app, operator, &id).await?;
    within(&operator, member.role)?;
    let done = queries::remove(&app.db, operator.tenant, member.person.id).await?;
    done.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes somebody's password away, ends their sessions, and gives a text that sets a new one within a day. Of somebody who
/// belongs to other tenants, too, only the platform's admin can.
#[utoipa::path(post, path = "/api/users/{id}/reset-password", tag = "Users", operation_id = "reset_users_password", params(("id" = i64, Path)),
    responses((status = 201, body = ResetView), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn reset(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<ResetView>), ApiError> {
    let member = find(&app, operator, &id).await?;
    within(&operator, member.role)?;
    let id = member.person.id;
    if !operator.is_platform() {
        let elsewhere = queries::list_memberships(&app.db, id).await?;
        let elsewhere = elsewhere
            .iter()
            .any(|belongs| belongs.place.id() != operator.tenant.id());
        // Whoever resets it could log in as them.
        if elsewhere || member.person.is_platform_admin {
            return Err(ApiError::Forbidden(
                "only the platform's admin can reset the password of this person",
            ));
        }
    }
    let (token, end) = queries::reset(&app.db, &app.ring, id).await?.ok_or(NOT_FOUND)?;
    let view = ResetView {
        token,
        expires_at: rfc3339_millis(end),
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// The invitations that wait.
#[utoipa::path(get, path = "/api/invitations", tag = "Users", operation_id = "list_invitations",
    responses((status = 200, body = Vec<InvitationView>), (status = 401, body = Problem)))]
pub async fn list_invitations(
    State(app): State<App>,
    operator: Operator,
) -> Result<Json<Vec<InvitationView>>, ApiError> {
    let rows = queries::list_invitations(&app.db, operator.tenant).await?;
    let view = |row: queries::InvitationRow| InvitationView {
        id: row.id,
        email: row.email,
        name: row.name,
        role: row.role,
        created_at: rfc3339_millis(row.created_at),
        created_by: row.created_by,
        expires_at: rfc3339_millis(row.expires_at),
    };
    Ok(Json(rows.into_iter().map(view).collect()))
}

/// Takes an invitation back.
#[utoipa::path(delete, path = "/api/invitations/{id}", tag = "Users", operation_id = "delete_invitation", params(("id" = i64, Path)),
    responses((status = 204, description = "gone"), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn uninvite(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let not_found = ApiError::NotFound("invitation not found");
    let Ok(id) = id.parse() else { return Err(not_found) };
    if queries::uninvite(&app.db, operator.tenant, id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(not_found)
    }
}

/// Refuses to give, or to touch, a role that may do more than who acts.
fn within(operator: &Operator, role: Role) -> Result<(), ApiError> {
    if operator.permissions.covers(role.permissions()) {
        Ok(())
    } else {
        Err(ApiError::Forbidden("this role may do more than you may"))
    }
}

fn refused(why: Gone) -> ApiError {
    match why {
        Gone::NoMember => NOT_FOUND,
        Gone::LastAdmin => ApiError::Conflict("a tenant keeps its last admin: make another first".to_owned()),
    }
}

async fn find(app: &App, operator: Operator, id: &str) -> Result<Member, ApiError> {
    let id = id.parse().map_err(|_| NOT_FOUND)?;
    let mut members = queries::list_members(&app.db, operator.tenant, Some(id)).await?;
    members.pop().ok_or(NOT_FOUND)
}
