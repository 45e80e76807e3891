use axum::Json;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Expr, Mode};
use super::queries::{self, Draft, Refused, StoredRule};
use super::trial;
use crate::gate::Gate;
use crate::http::limits::OwnLimits;
use crate::http::{Acting, ApiError, Editor, JsonBody, Operator, Problem};

/// Most rules of one tenant that has no limit of its own: every signal is judged by all of them.
pub const RULE_LIMIT: i64 = 200;

/// Rules: read, write, try.
pub fn routes() -> OpenApiRouter<Gate> {
    OpenApiRouter::new()
        .routes(routes!(list, set_mode, create))
        .routes(routes!(get, replace, delete))
        .layer(DefaultBodyLimit::max(64 * 1024))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(test))
                .layer(DefaultBodyLimit::max(4 << 20)),
        )
}

/// How rules are read: `block` keeps back what a rule matches, `allow` keeps back what none matches.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModeName {
    /// A match keeps an alert back.
    Block,
    /// A match lets an alert go.
    Allow,
}

impl From<Mode> for ModeName {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Block => Self::Block,
            Mode::Allow => Self::Allow,
        }
    }
}

impl From<ModeName> for Mode {
    fn from(mode: ModeName) -> Self {
        match mode {
            ModeName::Block => Self::Block,
            ModeName::Allow => Self::Allow,
        }
    }
}

/// A filter rule.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleView {
    id: i64,
    name: String,
    enabled: bool,
    description: Option<String>,
    /// The condition, in the language of the README.
    #[schema(value_type = Object)]
    filter: Value,
    /// What in the condition can never match, such as a number where a text is compared.
    warnings: Vec<String>,
    /// The version of the set that last changed it.
    version: i64,
    created_at: String,
    updated_at: String,
}

impl From<StoredRule> for RuleView {
    fn from(rule: StoredRule) -> Self {
        let text = |t: Timestamp| crate::kernel::time::rfc3339_millis(t);
        let parsed = Expr::parse(&rule.expression);
        Self {
            warnings: parsed.map_or_else(|_| Vec::new(), |e| e.warnings().to_vec()),
            id: rule.id,
            name: rule.name,
            enabled: rule.enabled,
            description: rule.description,
            filter: rule.expression,
            version: rule.version,
            created_at: text(rule.created_at),
            updated_at: text(rule.updated_at),
        }
    }
}

/// All rules of a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct SetView {
    mode: ModeName,
    /// Goes up with every change.
    version: i64,
    rules: Vec<RuleView>,
}

/// A rule to store.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleBody {
    /// 1 to 200 characters.
    name: String,
    /// Whether signals are judged by it.
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    description: Option<String>,
    /// The condition.
    #[schema(value_type = Object)]
    filter: Value,
}

const fn yes() -> bool {
    true
}

impl RuleBody {
    fn check(self) -> Result<Draft, ApiError> {
        let name = self.name.trim().to_owned();
        if name.is_empty() || name.len() > 200 || name.contains('\0') {
            return Err(ApiError::field("name", "must have 1 to 200 bytes"));
        }
        if self
            .description
            .as_ref()
            .is_some_and(|d| d.len() > 2000 || d.contains('\0'))
        {
            return Err(ApiError::field("description", "must have at most 2000 bytes"));
        }
        if self.filter.to_string().contains("\\u0000") {
            return Err(ApiError::field("filter", "must not hold a NUL"));
        }
        Expr::parse(&self.filter).map_err(|e| ApiError::field("filter", e.to_string()))?;
        Ok(Draft {
            name,
            enabled: self.enabled,
            description: self.description,
            expression: self.filter,
        })
    }
}

/// How rules are read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModeBody {
    mode: ModeName,
}

/// All rules.
#[utoipa::path(get, path = "/api/filters", tag = "Filters",
    responses((status = 200, body = SetView), (status = 401, body = Problem)))]
async fn list(State(gate): State<Gate>, operator: Operator) -> Result<Json<SetView>, ApiError> {
    let set = queries::list(&gate.app.db, operator.tenant).await?;
    Ok(Json(SetView {
        mode: set.mode.into(),
        version: set.version,
        rules: set.rules.into_iter().map(Into::into).collect(),
    }))
}

/// Sets how rules are read.
#[utoipa::path(put, path = "/api/filters", tag = "Filters", request_body = ModeBody,
    responses((status = 200, body = SetView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem)))]
async fn set_mode(
    Acting(gate): Acting<Gate>,
    Editor(operator): Editor,
    JsonBody(body): JsonBody<ModeBody>,
) -> Result<Json<SetView>, ApiError> {
    queries::update_mode(&gate.app.db, operator.tenant, body.mode.into()).await?;
    gate.rules.forget(operator.tenant).await;
    list(State(gate), operator).await
}

/// A new rule. It judges signals on every replica within five seconds.
#[utoipa::path(post, path = "/api/filters", tag = "Filters", request_body = RuleBody,
    responses((status = 201, body = RuleView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem)))]
async fn create(
    Acting(gate): Acting<Gate>,
    Editor(operator): Editor,
    JsonBody(body): JsonBody<RuleBody>,
) -> Result<(StatusCode, Json<RuleView>), ApiError> {
    let draft = body.check()?;
    let own = gate.app.auth.own_limits(operator.tenant.id()).await;
    let most = OwnLimits::many(own.rules, RULE_LIMIT);
    let rule = queries::insert(&gate.app.db, operator.tenant, &draft, most)
        .await
        .map_err(refused)?;
    gate.rules.forget(operator.tenant).await;
    Ok((StatusCode::CREATED, Json(rule.into())))
}

/// One rule.
#[utoipa::path(get, path = "/api/filters/{id}", tag = "Filters", params(("id" = i64, Path, minimum = 1)),
    responses((status = 200, body = RuleView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn get(
    State(gate): State<Gate>,
    operator: Operator,
    Path(id): Path<String>,
) -> Result<Json<RuleView>, ApiError> {
    let rule = queries::get(&gate.app.db, operator.tenant, number(&id)?).await?;
    rule.map(|rule| Json(rule.into()))
        .ok_or(ApiError::NotFound("Filter not found"))
}

/// Replaces a rule.
#[utoipa::path(put, path = "/api/filters/{id}", tag = "Filters", params(("id" = i64, Path, minimum = 1)), request_body = RuleBody,
    responses((status = 200, body = RuleView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem)))]
async fn replace(
    Acting(gate): Acting<Gate>,
    Editor(operator): Editor,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<RuleBody>,
) -> Result<Json<RuleView>, ApiError> {
    let rule = queries::update(&gate.app.db, operator.tenant, number(&id)?, &body.check()?)
        .await
        .map_err(refused)?;
    gate.rules.forget(operator.tenant).await;
    rule.map(|rule| Json(rule.into()))
        .ok_or(ApiError::NotFound("Filter not found"))
}

/// Deletes a rule.
#[utoipa::path(delete, path = "/api/filters/{id}", tag = "Filters", params(("id" = i64, Path, minimum = 1)),
    responses((status = 204, description = "gone"), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
async fn delete(
    Acting(gate): Acting<Gate>,
    Editor(operator): Editor,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let gone = queries::delete(&gate.app.db, operator.tenant, number(&id)?).await?;
    gate.rules.forget(operator.tenant).await;
    if gone {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound("Filter not found"))
    }
}

/// Tries rules without storing anything: on given signals, or on the stored alerts of the last days.
#[utoipa::path(post, path = "/api/filters/test", tag = "Filters", request_body = trial::TrialBody,
    responses((status = 200, body = trial::TrialView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem)))]
async fn test(
    State(gate): State<Gate>,
    operator: Operator,
    JsonBody(body): JsonBody<trial::TrialBody>,
) -> Result<Json<trial::TrialView>, ApiError> {
    trial::run(&gate, operator.tenant, body).await.map(Json)
}

fn refused(e: Refused) -> ApiError {
    let size = queries::SIZE_LIMIT;
    match e {
        Refused::Many(most) => ApiError::Conflict(format!("the tenant may have {most} rules")),
        Refused::Long => ApiError::Conflict(format!("a tenant may have rules of {size} characters together")),
        Refused::Db(e) => e.into(),
    }
}

fn number(id: &str) -> Result<i64, ApiError> {
    id.parse()
        .ok()
        .filter(|n| *n >= 1)
        .ok_or_else(|| ApiError::field("id", "must be a whole number of 1 or more"))
}
