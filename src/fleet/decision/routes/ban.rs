use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::act::{
    DoneView, OutcomeView, actor, check_common, check_subject, end, field, give_back, note, refused, tell,
    to_the_end, turn, wait_until, writable,
};
use super::replay::once;
use crate::app::App;
use crate::db::TenantTx;
use crate::fleet::allowlist;
use crate::fleet::decision::model::{
    Act, Audit, Ban, Fact, HAND_ORIGIN, SCENARIO, Subject, alert, protected, seconds,
};
use crate::fleet::decision::queries::{self, Claim, Delivered, Hand, Source, announce};
use crate::fleet::lapi::{self, Server};
use crate::fleet::replication;
use crate::http::{Acting, ApiError, Editor, JsonBody, Operator, Problem};
use crate::outbound::client::Failure;
use crate::outbound::lapi::{LapiError, Target};

/// Who is banned, where, how long and why.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct BanBody {
    /// The LAPI server's name, or `all`. Left out where `servers` names several.
    #[serde(default)]
    #[schema(pattern = "^[a-zA-Z0-9_-]+$")]
    server: String,
    /// Several LAPI servers' names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    servers: Vec<String>,
    /// An address or a range.
    #[schema(min_length = 1)]
    ip: String,
    /// At most five years.
    #[schema(pattern = r"^\d+[smh]$")]
    duration: String,
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// Bans an address or a range on one LAPI server, on several, or on all, from now on. Private, own and absurdly wide ranges
/// are refused. A server that cannot be reached gets the ban once it can: 202 says so. With an `Idempotency-Key`, a
/// request that is sent again is answered, not done again.
#[utoipa::path(post, path = "/api/decisions/ban", tag = "Decisions", request_body = BanBody,
    params(("x-crowdsieve-actor" = Option<String>, Header, description = "for whom; kept as a note"),
        ("idempotency-key" = Option<String>, Header, description = "1 to 255 printable characters, remembered for a day")),
    responses((status = 200, body = DoneView), (status = 202, body = DoneView, description = "queued for a server that cannot be reached"), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem), (status = 500, body = Problem), (status = 502, body = Problem)))]
pub async fn ban(
    Acting(app): Acting<App>,
    Editor(operator): Editor,
    headers: HeaderMap,
    JsonBody(body): JsonBody<BanBody>,
) -> Result<Response, ApiError> {
    let several = !body.servers.is_empty();
    let checked = if several { "all" } else { &body.server };
    let mut wrong = check_common(checked, &body.reason);
    if several && !body.server.is_empty() {
        wrong.push(field("servers", "must not be given beside server"));
    }
    if body.ip.is_empty() {
        wrong.push(field("ip", "must NOT have fewer than 1 characters"));
    }
    let length = seconds(&body.duration);
    if length.is_none() {
        let expected = r#"must match pattern "^\d+[smh]$", be more than nothing and at most five years"#;
        wrong.push(field("duration", expected));
    }
    let (subject, reason) = check_subject(wrong, &body.ip, &body.reason)?;
    if let Some(why) = protected(&subject.0, &app.settings.own_addresses) {
        return Err(ApiError::BadRequest(why));
    }
    refuse_allowed(&app, operator, subject).await?;
    let wish = Wish {
        subject,
        duration: body.duration.clone(),
        until: end(length.unwrap_or_default()),
        reason: reason.to_owned(),
        note: note(&headers),
        actor: actor(operator),
    };
    let asked = ("POST /api/decisions/ban", &body);
    if several || body.server == "all" {
        let chosen = choose(&app, operator, &body.servers).await?;
        let label = if several {
            body.servers.join(",")
        } else {
            "all".to_owned()
        };
        let work = Box::pin(everywhere(app.clone(), operator, wish, chosen, label));
        return once(&app, operator, &headers, &asked, work).await;
    }
    let (server, target) = writable(&app, operator, &body.server).await?;
    let work = Box::pin(to_the_end(here(app.clone(), operator, wish, server, target)));
    once(&app, operator, &headers, &asked, work).await
}

/// What an allowlist covers is not banned.
async fn refuse_allowed(app: &App, operator: Operator, subject: Subject) -> Result<(), ApiError> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, operator.tenant).await?;
    not_allowed(&tx, subject).await?;
    Ok(tx.commit().await?)
}

async fn not_allowed(tx: &TenantTx<'_>, subject: Subject) -> Result<(), ApiError> {
    let Some(covering) = allowlist::covering(tx, &subject.0).await? else {
        return Ok(());
    };
    let why = if covering.reason.is_empty() {
        String::new()
    } else {
        format!(" ({})", covering.reason)
    };
    Err(ApiError::BadRequest(format!(
        "{} is on the allowlist {}{why} and must not be banned",
        covering.value, covering.list
    )))
}

/// What is wished.
struct Wish {
    subject: Subject,
    duration: String,
    until: Timestamp,
    reason: String,
    note: Option<String>,
    actor: String,
}

impl Wish {
    fn audit<'a>(&'a self, server: &'a str, decision_id: Option<i64>, queued: bool) -> Audit<'a> {
        Audit {
            kind: Act::Ban {
                duration: &self.duration,
            },
            server,
            subject: self.subject,
            decision_id,
            reason: &self.reason,
            actor: &self.actor,
            note: self.note.as_deref(),
            queued,
        }
    }

    fn fact(&self) -> Fact {
        Fact::about(self.subject.0, "ban".to_owned())
    }

    fn said(&self) -> String {
        format!("{} banned for {}", self.subject.value(), self.duration)
    }
}

/// The servers that were named, all there; none means every one.
async fn choose(app: &App, operator: Operator, names: &[String]) -> Result<Option<Vec<i64>>, ApiError> {
    if names.is_empty() {
        return Ok(None);
    }
    let servers = lapi::list(&app.db, operator.tenant).await?;
    let mut chosen = Vec::new();
    for name in names {
        let found = servers.iter().find(|server| server.name == *name);
        let server = found.ok_or(ApiError::NotFound("LAPI server not found"))?;
        if !server.can_ban() {
            let text = format!("LAPI server {name} has no machine credentials configured");
            return Err(ApiError::BadRequest(text));
        }
        chosen.push(server.id);
    }
    Ok(Some(chosen))
}

/// On one server, which then decided it by itself: as the first API does it.
async fn here(
    app: App,
    operator: Operator,
    wish: Wish,
    server: Server,
    target: Target,
) -> Result<(StatusCode, DoneView), ApiError> {
    // A server counts from the time it is told, which should be its own.
    let skew = replication::skew(&app.db, operator.tenant, server.id).await?;
    let Some(lease) = turn(&app, operator, server.id).await? else {
        return queue(&app, operator, &wish, &server).await;
    };
    let ban = Ban {
        subject: wish.subject,
        duration: &wish.duration,
        reason: &wish.reason,
        actor: &wish.actor,
    };
    let now = Timestamp::now();
    let there = now.checked_add(skew).unwrap_or(now);
    let posted = app.lapis.post_alerts(&target, &[alert(&ban, there)]).await;
    let ids = match posted {
        Ok(ids) => ids,
        Err(e) => {
            give_back(&app, &lease).await;
            return match e {
                LapiError::Failed(Failure::Unreachable(_)) => queue(&app, operator, &wish, &server).await,
                e => Err(refused(&e, &[400, 401, 403, 404, 500])),
            };
        }
    };
    let mut decision_id = None;
    if let Some(id) = ids.first() {
        // The ban stands; its number is only for the record.
        decision_id = app.lapis.decision_of(&target, id).await.unwrap_or_default();
    }
    let recorded = if ids.is_empty() {
        let text = "the LAPI server stored nothing".to_owned();
        Err(ApiError::Upstream(StatusCode::BAD_GATEWAY, text))
    } else {
        record(&app, operator, &wish, &server, decision_id).await
    };
    give_back(&app, &lease).await;
    recorded?;
    app.outbox.notify_one();
    let done = DoneView {
        success: true,
        message: wish.said(),
        server: server.name,
        decision_id,
        ..DoneView::default()
    };
    Ok((StatusCode::OK, done))
}

/// The server's own decision from now on, and the record of it, together.
async fn record(
    app: &App,
    operator: Operator,
    wish: &Wish,
    server: &Server,
    decision_id: Option<i64>,
) -> Result<(), ApiError> {
    let claim = Claim {
        fact: wish.fact(),
        source: Source::Server(server.id),
        origin: HAND_ORIGIN.to_owned(),
        scenario: SCENARIO.to_owned(),
        until: wish.until,
        uuid: None,
    };
    let audit = wish.audit(&server.name, decision_id, false);
    tell(operator, &audit);
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, operator.tenant).await?;
    let changed = queries::upsert(&tx, &[claim]).await?;
    announce(&tx, &changed, false).await?;
    let place = app.geoip.files().place(audit.subject.0.lo());
    queries::insert_audit(&tx, &audit, place).await?;
    Ok(tx.commit().await?)
}

/// Left to the server's writer.
async fn queue(
    app: &App,
    operator: Operator,
    wish: &Wish,
    server: &Server,
) -> Result<(StatusCode, DoneView), ApiError> {
    promise(app, operator, wish, Some(vec![server.id]), &server.name).await?;
    let done = DoneView {
        success: true,
        message: format!("{} once {} can be reached", wish.said(), server.name),
        server: server.name.clone(),
        queued: true,
        ..DoneView::default()
    };
    Ok((StatusCode::ACCEPTED, done))
}

/// Puts the ban into the set, and the record beside it.
async fn promise(
    app: &App,
    operator: Operator,
    wish: &Wish,
    servers: Option<Vec<i64>>,
    label: &str,
) -> Result<(), ApiError> {
    let fact = wish.fact();
    let hand = Hand {
        fact: &fact,
        scenario: SCENARIO,
        until: wish.until,
        servers,
        reason: &wish.reason,
        actor: &wish.actor,
    };
    let audit = wish.audit(label, None, true);
    tell(operator, &audit);
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, operator.tenant).await?;
    not_allowed(&tx, wish.subject).await?;
    queries::enable(&tx).await?;
    queries::insert_hand(&tx, &hand).await?;
    announce(&tx, &[fact.key()], true).await?;
    let place = app.geoip.files().place(audit.subject.0.lo());
    queries::insert_audit(&tx, &audit, place).await?;
    tx.commit().await?;
    app.outbox.notify_one();
    Ok(())
}

/// On several servers: promised to all at once, then waited for a while.
async fn everywhere(
    app: App,
    operator: Operator,
    wish: Wish,
    chosen: Option<Vec<i64>>,
    label: String,
) -> Result<(StatusCode, DoneView), ApiError> {
    promise(&app, operator, &wish, chosen.clone(), &label).await?;
    let asked = |d: &Delivered| chosen.as_ref().is_none_or(|chosen| chosen.contains(&d.server));
    let fact = wish.fact();
    let look = || async {
        let all = queries::list_delivered(&app.db, operator.tenant, fact.key(), wish.until).await?;
        Ok(all.into_iter().filter(asked).collect::<Vec<_>>())
    };
    let is_settled = |d: &Delivered| !d.writable || d.is_there || d.refused.is_some();
    let seen = wait_until(look, |seen: &Vec<Delivered>| seen.iter().all(is_settled)).await?;
    let queued = !seen.iter().all(is_settled);
    let view = |d: Delivered| {
        let status = match (&d.refused, d.writable, d.is_there) {
            (_, _, true) => "delivered",
            (Some(_), ..) => "refused",
            (None, false, _) => "notWritable",
            (None, true, false) => "queued",
        };
        let error = match status {
            "delivered" | "notWritable" => None,
            _ => d.refused.or(d.error),
        };
        OutcomeView {
            server: d.name,
            status,
            error,
        }
    };
    let done = DoneView {
        success: true,
        message: wish.said(),
        server: label,
        queued,
        results: seen.into_iter().map(view).collect(),
        ..DoneView::default()
    };
    let status = if queued {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok((status, done))
}
