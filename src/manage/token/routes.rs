use axum::Json;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Draft, LONGEST_OVERLAP, OVERLAP, Wrong, ends_soon, lifetime};
use super::queries::{self, Made, TokenRow};
use crate::app::App;
use crate::http::{Acting, ApiError, Editor, JsonBody, Operator, Permissions, Problem};
use crate::kernel::time::rfc3339_millis;

const NOT_FOUND: ApiError = ApiError::NotFound("token not found");

/// API tokens.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, revoke))
        .routes(routes!(rotate))
        .layer(DefaultBodyLimit::max(16 * 1024))
}

/// A token, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenView {
    id: i64,
    name: String,
    /// Its last four characters.
    last4: String,
    /// `read`, `admin`, or permissions such as `alerts:read`.
    scopes: Vec<String>,
    /// Where it may be used from; from anywhere when empty.
    networks: Vec<String>,
    created_at: String,
    created_by: String,
    expires_at: Option<String>,
    /// Whether it ends within two weeks.
    expires_soon: bool,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
    /// The token that it is in place of.
    rotated_from: Option<i64>,
}

impl TokenView {
    fn new(row: TokenRow, now: Timestamp) -> Self {
        Self {
            expires_soon: row.revoked_at.is_none() && ends_soon(row.expires_at, now),
            id: row.id,
            name: row.name,
            last4: row.last4,
            scopes: row.scopes,
            networks: row.networks.iter().map(ToString::to_string).collect(),
            created_at: rfc3339_millis(row.created_at),
            created_by: row.created_by,
            expires_at: row.expires_at.map(rfc3339_millis),
            last_used_at: row.last_used_at.map(rfc3339_millis),
            revoked_at: row.revoked_at.map(rfc3339_millis),
            rotated_from: row.rotated_from,
        }
    }
}

/// A token just made. The text is shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeView {
    /// What the program shows.
    token: String,
    #[serde(flatten)]
    view: TokenView,
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenBody {
    /// What people know it by, at most 100 bytes.
    #[serde(default)]
    name: String,
    /// `read`, `admin`, or permissions such as `alerts:read`: nothing that its maker has not.
    scopes: Vec<String>,
    /// Addresses and networks that it may be used from; from anywhere when empty.
    #[serde(default)]
    networks: Vec<String>,
    /// How long it is good, such as `90d` or `12h`; for ever when not given.
    #[serde(default)]
    expires: Option<String>,
}

/// How to rotate.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotateBody {
    /// How long the old token is good beside the new one: 0 to 2592000, a day when not given.
    #[serde(default)]
    overlap_seconds: Option<i64>,
    /// How long the new one is good; for as long as the old one was made for when not given.
    #[serde(default)]
    expires: Option<String>,
}

fn invalid(wrong: Wrong) -> ApiError {
    ApiError::field(wrong.field, wrong.reason)
}

/// Refuses to give away what the giver has not.
fn within(operator: &Operator, wish: Permissions) -> Result<(), ApiError> {
    let missing = wish.names().find(|name| {
        crate::http::Permission::from_name(name)
            .is_some_and(|permission| !operator.permissions.has(permission))
    });
    missing.map_or(Ok(()), |name| Err(ApiError::Lacks(name)))
}

/// The tenant's tokens, revoked ones too.
#[utoipa::path(get, path = "/api/tokens", tag = "Tokens", operation_id = "list_tokens",
    responses((status = 200, body = Vec<TokenView>), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn list(State(app): State<App>, operator: Operator) -> Result<Json<Vec<TokenView>>, ApiError> {
    let (rows, now) = (queries::list(&app.db, operator.tenant).await?, Timestamp::now());
    Ok(Json(
        rows.into_iter().map(|row| TokenView::new(row, now)).collect(),
    ))
}

/// A new token. Its text is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/tokens", tag = "Tokens", operation_id = "create_token", request_body = TokenBody,
    responses((status = 201, body = MadeView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem, description = "also for a scope that reaches further than the maker's"), (status = 413, body = Problem), (status = 415, body = Problem)))]
async fn create(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    JsonBody(body): JsonBody<TokenBody>,
) -> Result<(StatusCode, Json<MadeView>), ApiError> {
    let draft = Draft::read(
        &body.name,
        &body.scopes,
        &body.networks,
        body.expires.as_deref(),
        Timestamp::now(),
    );
    let draft = draft.map_err(invalid)?;
    within(&operator, draft.permissions())?;
    let made = queries::insert(
        &app.db,
        &app.ring,
        operator.tenant,
        &draft,
        &operator.shown(),
        None,
    )
    .await?;
    Ok((StatusCode::CREATED, Json(made_view(&app, operator, made).await?)))
}

/// One token.
#[utoipa::path(get, path = "/api/tokens/{id}", tag = "Tokens", operation_id = "get_token", params(("id" = i64, Path)),
    responses((status = 200, body = TokenView), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
async fn show(
    State(app): State<App>,
    operator: Operator,
    Path(id): Path<String>,
) -> Result<Json<TokenView>, ApiError> {
    let row = find(&app, operator, &id).await?;
    Ok(Json(TokenView::new(row, Timestamp::now())))
}

/// Revokes a token: within five seconds no replica takes it.
#[utoipa::path(delete, path = "/api/tokens/{id}", tag = "Tokens", operation_id = "revoke_token", params(("id" = i64, Path)),
    responses((status = 204, description = "it opens nothing any more"), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
async fn revoke(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = id.parse().map_err(|_| NOT_FOUND)?;
    if queries::revoke(&app.db, operator.tenant, id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(NOT_FOUND)
    }
}

/// A new token in place of an old one, with its name, scopes and networks. The old one lives on for a while, so that
/// programs can be given the new one without a gap.
#[utoipa::path(post, path = "/api/tokens/{id}/rotate", tag = "Tokens", operation_id = "rotate_token", params(("id" = i64, Path)), request_body = RotateBody,
    responses((status = 201, body = MadeView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem, description = "revoked or expired"), (status = 413, body = Problem), (status = 415, body = Problem)))]
async fn rotate(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<RotateBody>,
) -> Result<(StatusCode, Json<MadeView>), ApiError> {
    let old = find(&app, operator, &id).await?;
    let overlap = body.overlap_seconds.unwrap_or(OVERLAP);
    if !(0..=LONGEST_OVERLAP).contains(&overlap) {
        return Err(ApiError::field("overlapSeconds", "must be 0 to 2592000"));
    }
    within(&operator, old.permissions())?;
    let now = Timestamp::now();
    let gone = || ApiError::Conflict("the token is revoked or expired: make another".to_owned());
    if !old.is_live(now) {
        return Err(gone());
    }
    let expires_at = match body.expires.as_deref() {
        Some(text) => Some(lifetime(text, now).map_err(invalid)?),
        None => old
            .expires_at
            .and_then(|end| now.checked_add(end.duration_since(old.created_at)).ok()),
    };
    let draft = Draft {
        name: old.name,
        scopes: old.scopes,
        networks: old.networks,
        expires_at,
    };
    #[allow(clippy::cast_precision_loss)] // at most thirty days
    let overlap = overlap as f64;
    let by = operator.shown();
    let made = queries::rotate(&app.db, &app.ring, operator.tenant, old.id, &draft, &by, overlap).await?;
    let made = made.ok_or_else(gone)?;
    Ok((StatusCode::CREATED, Json(made_view(&app, operator, made).await?)))
}

async fn made_view(app: &App, operator: Operator, made: Made) -> Result<MadeView, ApiError> {
    let row = queries::get(&app.db, operator.tenant, made.id)
        .await?
        .ok_or(NOT_FOUND)?;
    Ok(MadeView {
        token: made.text,
        view: TokenView::new(row, Timestamp::now()),
    })
}

async fn find(app: &App, operator: Operator, id: &str) -> Result<TokenRow, ApiError> {
    let id = id.parse().map_err(|_| NOT_FOUND)?;
    queries::get(&app.db, operator.tenant, id).await?.ok_or(NOT_FOUND)
}
