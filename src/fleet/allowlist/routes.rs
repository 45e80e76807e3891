use axum::Json;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Added, Entry, EntryDraft, Lift, List, checked, wrong_text};
use super::queries::{self, Refused};
use crate::app::App;
use crate::fleet::lapi::is_name;
use crate::http::{Acting, ApiError, Editor, FieldError, JsonBody, Operator, Problem, QueryOf};
use crate::kernel::net::parse_block;
use crate::kernel::time::rfc3339_millis;

const NOT_FOUND: ApiError = ApiError::NotFound("Allowlist not found");
/// Entries on a page.
const PAGE: i64 = 10_000;

/// Allowlists.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, delete))
        .routes(routes!(add, remove))
        .layer(DefaultBodyLimit::max(1 << 20))
}

/// A list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowlistView {
    name: String,
    description: String,
    /// How many entries count now.
    entry_count: i64,
    created_at: String,
    /// When it or an entry was last changed by somebody; an entry's expiry is none.
    updated_at: String,
}

impl From<List> for AllowlistView {
    fn from(list: List) -> Self {
        Self {
            name: list.name,
            description: list.description,
            entry_count: list.entries,
            created_at: rfc3339_millis(list.created_at),
            updated_at: rfc3339_millis(list.updated_at),
        }
    }
}

/// A list and its entries, in the order in which they were first added.
#[derive(Debug, Serialize, ToSchema)]
pub struct AllowlistEntriesView {
    #[serde(flatten)]
    list: AllowlistView,
    entries: Vec<EntryView>,
    /// What to ask for with `after`, where there are more.
    next: Option<i64>,
}

/// An entry that has not expired.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AllowlistEntryView)]
#[serde(rename_all = "camelCase")]
pub struct EntryView {
    /// Canonical: an address, or a range.
    value: String,
    reason: String,
    /// Null for one that does not expire.
    expires_at: Option<String>,
    created_at: String,
    /// Who added it, or changed it last.
    actor: String,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        Self {
            value: entry.value,
            reason: entry.reason,
            expires_at: entry.expires_at.map(rfc3339_millis),
            created_at: rfc3339_millis(entry.created_at),
            actor: entry.actor,
        }
    }
}

/// A list to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowlistBody {
    /// Letters, digits, `_` and `-`, at most 64.
    #[schema(pattern = "^[a-zA-Z0-9_-]{1,64}$")]
    name: String,
    #[schema(max_length = 500)]
    description: Option<String>,
}

/// Entries to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EntriesBody {
    #[schema(min_items = 1, max_items = 1000)]
    entries: Vec<EntryBody>,
}

/// An entry to add, or to change if the list has its value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EntryBody {
    /// An address or a range, not wider than /8 (IPv6: /19).
    value: String,
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// When it ends, as in RFC 3339.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// Or how long it lasts: `90m`, `24h`, `7d`.
    duration: Option<String>,
}

impl From<EntryBody> for EntryDraft {
    fn from(body: EntryBody) -> Self {
        Self {
            value: body.value,
            reason: body.reason,
            expires_at: body.expires_at,
            duration: body.duration,
        }
    }
}

/// Whether it is only asked what would happen.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PreviewQuery {
    /// Say what it would do, and change nothing.
    #[serde(default)]
    preview: bool,
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EntriesQuery {
    /// `next` of the page before.
    #[param(minimum = 0, default = 0)]
    after: Option<i64>,
    #[param(minimum = 1, maximum = 10_000, default = 10_000)]
    limit: Option<i64>,
}

/// Which entry.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EntryQuery {
    /// An address or a range.
    #[param(required = true)]
    value: Option<String>,
}

/// What adding entries did, or would do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddedView {
    list: String,
    /// Values that the list did not have.
    added: usize,
    /// Values that it had: with a new reason and end.
    replaced: usize,
    /// The decisions that are lifted, newest first; the first 1,000.
    lifts: Vec<LiftView>,
    /// All of them.
    lift_count: usize,
}

/// A decision that is lifted.
#[derive(Debug, Serialize, ToSchema)]
pub struct LiftView {
    value: String,
    scope: String,
    #[serde(rename = "type")]
    kind: String,
    origin: String,
    scenario: String,
    until: String,
    /// Who says it: `server <name>`, `machine <login>` or `hand`.
    from: String,
}

impl From<Lift> for LiftView {
    fn from(lift: Lift) -> Self {
        Self {
            value: lift.value,
            scope: lift.scope,
            kind: lift.kind,
            origin: lift.origin,
            scenario: lift.scenario,
            until: rfc3339_millis(lift.until),
            from: lift.from,
        }
    }
}

impl From<Added> for AddedView {
    fn from(added: Added) -> Self {
        Self {
            list: added.list.name,
            added: added.added,
            replaced: added.replaced,
            lifts: added.lifts.into_iter().map(Into::into).collect(),
            lift_count: added.lift_count,
        }
    }
}

impl From<Refused> for ApiError {
    fn from(e: Refused) -> Self {
        match e {
            Refused::Absent => NOT_FOUND,
            Refused::Db(e) => e.into(),
            refused => Self::Conflict(refused.to_string()),
        }
    }
}

/// The tenant's allowlists, by name.
#[utoipa::path(get, path = "/api/allowlists", tag = "Allowlists", operation_id = "list_allowlists",
    responses((status = 200, body = Vec<AllowlistView>), (status = 401, body = Problem)))]
async fn list(State(app): State<App>, operator: Operator) -> Result<Json<Vec<AllowlistView>>, ApiError> {
    let lists = queries::list(&app.db, operator.tenant).await?;
    Ok(Json(lists.into_iter().map(Into::into).collect()))
}

/// A new, empty list. A tenant may have 100.
#[utoipa::path(post, path = "/api/allowlists", tag = "Allowlists", operation_id = "create_allowlist", request_body = AllowlistBody,
    responses((status = 201, body = AllowlistView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem)))]
async fn create(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    JsonBody(body): JsonBody<AllowlistBody>,
) -> Result<(StatusCode, Json<AllowlistView>), ApiError> {
    let description = body.description.unwrap_or_default().trim().to_owned();
    let mut wrong = Vec::new();
    let mut say = |field: &str, reason: &str| {
        wrong.push(FieldError {
            field: field.to_owned(),
            reason: reason.to_owned(),
        });
    };
    if !is_name(&body.name) {
        say("name", "must match pattern \"^[a-zA-Z0-9_-]{1,64}$\"");
    }
    if let Some(why) = wrong_text(&description) {
        say("description", why);
    }
    if !wrong.is_empty() {
        return Err(ApiError::Invalid(wrong));
    }
    let made = queries::insert(&app.db, operator.tenant, &body.name, &description).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// One list with its entries, without those that have expired.
#[utoipa::path(get, path = "/api/allowlists/{name}", tag = "Allowlists", operation_id = "get_allowlist", params(("name" = String, Path), EntriesQuery),
    responses((status = 200, body = AllowlistEntriesView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn show(
    State(app): State<App>,
    operator: Operator,
    Path(name): Path<String>,
    QueryOf(query): QueryOf<EntriesQuery>,
) -> Result<Json<AllowlistEntriesView>, ApiError> {
    let after = query.after.unwrap_or(0);
    let limit = query.limit.unwrap_or(PAGE);
    if after < 0 {
        return Err(ApiError::field("after", "must be >= 0"));
    }
    if !(1..=PAGE).contains(&limit) {
        return Err(ApiError::field("limit", format!("must be from 1 to {PAGE}")));
    }
    if !is_name(&name) {
        return Err(NOT_FOUND);
    }
    // One more than asked for says whether there are more.
    let found = queries::list_entries(&app.db, operator.tenant, &name, after, limit + 1).await?;
    let (list, mut entries) = found.ok_or(NOT_FOUND)?;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = entries.len() > page;
    entries.truncate(page);
    Ok(Json(AllowlistEntriesView {
        list: list.into(),
        next: entries.last().map(|entry| entry.id).filter(|_| more),
        entries: entries.into_iter().map(Into::into).collect(),
    }))
}

/// Deletes a list and its entries. What they lifted stays lifted until somebody says it anew.
#[utoipa::path(delete, path = "/api/allowlists/{name}", tag = "Allowlists", operation_id = "delete_allowlist", params(("name" = String, Path)),
    responses((status = 204, description = "gone"), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
async fn delete(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    if !is_name(&name) {
        return Err(NOT_FOUND);
    }
    let actor = operator.shown();
    if !queries::delete(&app.db, operator.tenant, &name, &actor).await? {
        return Err(NOT_FOUND);
    }
    tracing::info!(
        tenant = operator.tenant.id(),
        actor,
        list = name,
        "allowlist_deleted"
    );
    Ok(StatusCode::NO_CONTENT)
}

/// Adds entries, all or none, and lifts the decisions that they overlap: those within an entry, and ranges around one.
/// A value that the list has gets the new reason and end. A tenant may have 50,000 entries.
#[utoipa::path(post, path = "/api/allowlists/{name}/entries", tag = "Allowlists", operation_id = "add_allowlist_entries", params(("name" = String, Path), PreviewQuery), request_body = EntriesBody,
    responses((status = 200, body = AddedView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem)))]
async fn add(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(name): Path<String>,
    QueryOf(query): QueryOf<PreviewQuery>,
    JsonBody(body): JsonBody<EntriesBody>,
) -> Result<Json<AddedView>, ApiError> {
    let drafts = body.entries.into_iter().map(Into::into).collect();
    let entries = checked(drafts, Timestamp::now()).map_err(ApiError::Invalid)?;
    if !is_name(&name) {
        return Err(NOT_FOUND);
    }
    let actor = operator.shown();
    let done = queries::add(&app.db, operator.tenant, &name, &entries, &actor, query.preview).await?;
    if !query.preview {
        tracing::info!(
            tenant = operator.tenant.id(),
            actor,
            list = name,
            entries = entries.len(),
            lifted = done.lift_count,
            "allowlist_entries_added"
        );
    }
    Ok(Json(done.into()))
}

/// Takes one entry out of a list. What it lifted stays lifted until somebody says it anew.
#[utoipa::path(delete, path = "/api/allowlists/{name}/entries", tag = "Allowlists", operation_id = "delete_allowlist_entry", params(("name" = String, Path), EntryQuery),
    responses((status = 204, description = "gone"), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
async fn remove(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    Path(name): Path<String>,
    QueryOf(query): QueryOf<EntryQuery>,
) -> Result<StatusCode, ApiError> {
    let block = query.value.as_deref().and_then(parse_block);
    let block = block.ok_or_else(|| ApiError::field("value", "must be an IP address or a CIDR"))?;
    if !is_name(&name) {
        return Err(NOT_FOUND);
    }
    let actor = operator.shown();
    if queries::delete_entry(&app.db, operator.tenant, &name, block, &actor).await? {
        tracing::info!(
            tenant = operator.tenant.id(),
            actor,
            list = name,
            "allowlist_entry_removed"
        );
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound("Allowlist entry not found"))
    }
}
