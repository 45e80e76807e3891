use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::NOT_FOUND;
use crate::app::App;
use crate::db::DbError;
use crate::fleet::feed::model::{Draft, FEED_LIMIT, Feed, TOKEN_LIMIT};
use crate::fleet::feed::queries::{self, TokenRow};
use crate::http::{Acting, ApiError, Editor, JsonBody, Operator, Problem};
use crate::kernel::secret::{self, Kind};
use crate::kernel::time::rfc3339_millis;

/// A feed as it was defined.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeedView {
    name: String,
    description: String,
    /// Of these origins only; empty is all.
    origins: Vec<String>,
    /// Of these types only.
    types: Vec<String>,
    /// Of scenarios with one of these texts in their names; empty is all.
    scenarios: Vec<String>,
    ipv4only: bool,
    ipv6only: bool,
    aggregate: bool,
    max_entries: Option<i32>,
    created_at: String,
    tokens: Vec<FeedTokenView>,
}

/// A token of a feed; its text is not kept.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeedTokenView {
    id: i64,
    last4: String,
    created_at: String,
    last_used_at: Option<String>,
}

impl FeedView {
    fn of(feed: Feed, tokens: Vec<FeedTokenView>) -> Self {
        Self {
            name: feed.name,
            description: feed.description,
            origins: feed.origins,
            types: feed.types,
            scenarios: feed.scenarios,
            ipv4only: feed.family == Some(4),
            ipv6only: feed.family == Some(6),
            aggregate: feed.aggregate,
            max_entries: feed.max_entries,
            created_at: rfc3339_millis(feed.created_at),
            tokens,
        }
    }
}

impl From<TokenRow> for FeedTokenView {
    fn from(token: TokenRow) -> Self {
        Self {
            id: token.id,
            last4: token.last4,
            created_at: rfc3339_millis(token.created_at),
            last_used_at: token.last_used_at.map(rfc3339_millis),
        }
    }
}

/// A feed to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FeedBody {
    /// Letters, digits, `_` and `-`, at most 64.
    #[schema(pattern = "^[a-zA-Z0-9_-]{1,64}$")]
    name: String,
    #[serde(default)]
    #[schema(max_length = 500)]
    description: String,
    /// Of these origins only, in any case.
    #[serde(default)]
    origins: Vec<String>,
    /// Of these types only; `ban` where it is left out: a firewall can show no captcha.
    #[serde(default)]
    types: Vec<String>,
    /// Of scenarios with one of these texts in their names.
    #[serde(default)]
    scenarios: Vec<String>,
    #[serde(default)]
    ipv4only: bool,
    #[serde(default)]
    ipv6only: bool,
    /// As few networks as hold the same addresses.
    #[serde(default)]
    aggregate: bool,
    /// At most so many lines: the newest are kept.
    #[schema(minimum = 1)]
    max_entries: Option<i64>,
}

/// A new token, shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewTokenView {
    id: i64,
    token: String,
}

/// The tenant's feeds, by name.
#[utoipa::path(get, path = "/api/feeds", tag = "Feeds", operation_id = "list_feeds",
    responses((status = 200, body = Vec<FeedView>), (status = 401, body = Problem)))]
pub async fn list(State(app): State<App>, operator: Operator) -> Result<Json<Vec<FeedView>>, ApiError> {
    let (feeds, rows) = queries::list(&app.db, operator.tenant).await?;
    let mut tokens: HashMap<i64, Vec<FeedTokenView>> = HashMap::new();
    for row in rows {
        tokens.entry(row.feed).or_default().push(row.into());
    }
    let view = |feed: Feed| {
        let own = tokens.remove(&feed.id).unwrap_or_default();
        FeedView::of(feed, own)
    };
    Ok(Json(feeds.into_iter().map(view).collect()))
}

/// A new feed. From a tenant's first one on its set of decisions is kept up, and fills within seconds.
#[utoipa::path(post, path = "/api/feeds", tag = "Feeds", operation_id = "create_feed", request_body = FeedBody,
    responses((status = 201, body = FeedView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem)))]
pub async fn create(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    JsonBody(body): JsonBody<FeedBody>,
) -> Result<(StatusCode, Json<FeedView>), ApiError> {
    let draft = Draft {
        name: body.name,
        description: body.description,
        origins: body.origins,
        types: body.types,
        scenarios: body.scenarios,
        ipv4_only: body.ipv4only,
        ipv6_only: body.ipv6only,
        aggregate: body.aggregate,
        max_entries: body.max_entries,
    };
    let feed = draft.check().map_err(ApiError::Invalid)?;
    let made = queries::insert(&app.db, operator.tenant, &feed).await;
    let made = made.map_err(|e| match e {
        DbError::Conflict(_) => ApiError::Conflict("there is a feed of this name already".to_owned()),
        other => other.into(),
    })?;
    let full = || ApiError::Conflict(format!("a tenant may have {FEED_LIMIT} feeds"));
    let made = made.ok_or_else(full)?;
    Ok((StatusCode::CREATED, Json(FeedView::of(made, Vec::new()))))
}

/// Deletes a feed. Its tokens open nothing any more within 5 seconds.
#[utoipa::path(delete, path = "/api/feeds/{name}", tag = "Feeds", operation_id = "delete_feed", params(("name" = String, Path)),
    responses((status = 204, description = "gone"), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn delete(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    if !name.contains('\0') && queries::delete(&app.db, operator.tenant, &name).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(NOT_FOUND)
    }
}

/// A new token for a firewall. It opens this feed and nothing else, and is shown this once.
#[utoipa::path(post, path = "/api/feeds/{name}/tokens", tag = "Feeds", operation_id = "create_feed_token", params(("name" = String, Path)),
    responses((status = 201, body = NewTokenView), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn create_token(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<NewTokenView>), ApiError> {
    if name.contains('\0') {
        return Err(NOT_FOUND);
    }
    let feed = queries::get(&app.db, operator.tenant, &name)
        .await?
        .ok_or(NOT_FOUND)?;
    let token = secret::generate(Kind::FeedToken);
    let made = queries::insert_token(&app.db, &app.ring, operator.tenant, feed.id, &token).await?;
    let full = || ApiError::Conflict(format!("a feed may have {TOKEN_LIMIT} tokens"));
    let id = made.ok_or_else(full)?;
    Ok((StatusCode::CREATED, Json(NewTokenView { id, token })))
}

/// Revokes a feed's token: felt by every replica within 5 seconds.
#[utoipa::path(delete, path = "/api/feeds/{name}/tokens/{id}", tag = "Feeds", operation_id = "delete_feed_token",
    params(("name" = String, Path), ("id" = i64, Path, minimum = 1)),
    responses((status = 204, description = "revoked"), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn delete_token(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path((name, id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let found = match id.parse() {
        Ok(id) if !name.contains('\0') => queries::delete_token(&app.db, operator.tenant, &name, id).await?,
        _ => false,
    };
    if found {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound("Feed token not found"))
    }
}
