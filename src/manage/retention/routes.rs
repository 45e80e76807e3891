//! `/api/retention`: how long this tenant's rows live.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{self, CLASSES, Own};
use super::queries;
use crate::app::App;
use crate::http::{Acting, ApiError, Editor, JsonBody, Operator, Problem};

/// How long rows live.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show, replace))
}

/// How long the rows of a tenant live.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct RetentionView {
    classes: Vec<ClassView>,
}

/// One class of rows.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ClassView {
    /// Its name.
    class: &'static str,
    /// What belongs to it.
    meaning: &'static str,
    /// For how many days its rows are kept after they were received.
    days: i32,
    /// The same, where the tenant has no wish of its own.
    default: i32,
    /// Whether the tenant has one.
    own: bool,
}

fn view(app: &App, own: &Own) -> RetentionView {
    let rules = model::rules(&app.settings.lifetimes, own);
    let class = |(rule, class): (model::Rule, &model::Class)| ClassView {
        class: rule.name,
        meaning: class.meaning,
        days: rule.days,
        default: rule.default,
        own: rule.is_own,
    };
    RetentionView {
        classes: rules.into_iter().zip(&CLASSES).map(class).collect(),
    }
}

/// How long rows live, by class.
#[utoipa::path(get, path = "/api/retention", tag = "Retention", operation_id = "get_retention",
    responses((status = 200, body = RetentionView), (status = 401, body = Problem), (status = 503, body = Problem)))]
async fn show(State(app): State<App>, operator: Operator) -> Result<Json<RetentionView>, ApiError> {
    let own = queries::list(&app.db, operator.tenant).await?;
    Ok(Json(view(&app, &own)))
}

/// The tenant's own wishes: days by class; what is left out is as the installation has it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
struct Wishes(BTreeMap<String, Option<i64>>);

/// Put the tenant's wishes in place of those before. What is older than them goes within the hour. `audit` is never shorter
/// than the installation's.
#[utoipa::path(put, path = "/api/retention", tag = "Retention", operation_id = "put_retention",
    request_body(content = Wishes, example = json!({"alerts": 90})),
    responses((status = 200, body = RetentionView), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 503, body = Problem)))]
async fn replace(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    JsonBody(wishes): JsonBody<Wishes>,
) -> Result<Json<RetentionView>, ApiError> {
    let changes = wishes.0.iter().map(|(name, days)| (name.as_str(), *days));
    let before = queries::list(&app.db, operator.tenant).await?;
    let own = model::changed(&model::guarded(&before), changes, Some(&app.settings.lifetimes))
        .map_err(|e| ApiError::field(e.class().to_owned(), e.to_string()))?;
    queries::replace(&app.db, operator.tenant, &own).await?;
    Ok(Json(view(&app, &own)))
}
