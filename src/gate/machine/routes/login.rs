use std::sync::LazyLock;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use moka::future::Cache;
use secrecy::ExposeSecret as _;
use serde_json::json;
use tokio::sync::Semaphore;

use super::{BODY_LIMIT, no_token, with_message};
use crate::app::{App, AutoEnrolment};
use crate::db::Tenant;
use crate::gate::machine::model::{LoginRequest, verify_password};
use crate::gate::machine::queries::{self, Known};
use crate::gate::upstream::{self, Purpose};
use crate::gate::{ApiVersion, Gate};
use crate::http::{Actor, ActsBy as _, EngineError, Machine, Trace, read_limited};
use crate::kernel::keyring::same_secret;
use crate::outbound::capi::{Credentials, Login, Token};

/// A hash takes 50 ms and 19 MiB: two at a time, so that a flood of logins leaves the other requests a core.
static HASHING: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));

/// Credentials that CAPI refused a moment ago, where logins are counted: asking again would spend what all share.
static REFUSED: LazyLock<Cache<Vec<u8>, (StatusCode, Bytes)>> = LazyLock::new(|| {
    Cache::builder()
        .max_capacity(10_000)
        .time_to_live(Duration::from_mins(1))
        .build()
});

/// How long CAPI may take where we have an answer of our own: engines log in within the 5 s of a push.
const WITH_ANSWER: Duration = Duration::from_millis(2500);
/// How long it may take where we have none.
const WITHOUT_ANSWER: Duration = Duration::from_secs(12);

/// Logs a machine in: credentials of ours by their hash, all others by CAPI. While CAPI is away, machines that it
/// accepted before get a token of ours; unknown ones have to wait.
#[utoipa::path(post, path = "/watchers/login", tag = "CAPI", request_body = Object, security(()),
    responses((status = 200, description = "a token and its end"), (status = 400, description = "not readable"), (status = 401, description = "wrong credentials"),
        (status = 403, description = "CAPI's refusal"), (status = 503, description = "nobody can tell right now")))]
pub(super) async fn login(
    State(gate): State<Gate>,
    ApiVersion(version): ApiVersion,
    trace: Trace,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, EngineError> {
    let app = &gate.app.by(trace.by(&Actor::Auto("enrolment")));
    let body = read_limited(&headers, body, BODY_LIMIT, BODY_LIMIT).await?;
    let request = LoginRequest::parse(&body).map_err(EngineError::bad_request)?;
    let agent = user_agent(&headers);
    let known = queries::get_by_login(app, &request.login).await?;
    if let Some(Known {
        machine,
        issued_hash: Some(hash),
    }) = known
    {
        return if verify(request.password, hash).await? {
            queries::update_seen(app, &machine, &request.scenarios, agent.as_deref()).await?;
            own_session(app, &machine)
        } else {
            let by = trace.by(&machine.actor());
            app.refusals
                .note(machine.tenant, by, "machine.login", machine.login.to_string());
            Err(EngineError::new(StatusCode::UNAUTHORIZED, "wrong credentials"))
        };
    }
    let known = known.map(|known| known.machine);
    let who = Credentials {
        login: request.login,
        password: request.password.into(),
        scenarios: request.scenarios,
    };
    let accepted = match &known {
        Some(machine) => is_accepted(app, machine, &who).await?,
        None => false,
    };
    let by_ourselves = Ourselves {
        machine: known.clone().filter(|_| accepted),
        scenarios: who.scenarios.clone(),
        agent: agent.clone(),
    };
    if !app.settings.forward_enabled || known.as_ref().is_some_and(|m| !m.forward_enabled) {
        return by_ourselves
            .answer(app, "forwarding to CAPI is disabled here")
            .await;
    }
    if accepted && app.capi.is_away() {
        return by_ourselves.answer(app, "CAPI cannot be asked right now").await;
    }
    let refusal = app
        .ring
        .token_hash(&format!("{}\0{}", who.login, who.password.expose_secret()));
    if let Some((status, body)) = REFUSED.get(&refusal).await {
        return Ok(with_message(status, body));
    }
    let purpose = if accepted {
        Purpose::Known
    } else {
        Purpose::Stranger
    };
    if !upstream::count_login(app, purpose).await? {
        return by_ourselves
            .answer(app, "the login budget at CAPI is used up")
            .await;
    }
    let within = if accepted { WITH_ANSWER } else { WITHOUT_ANSWER };
    match app.capi.login(version, &who, agent.as_deref(), within).await {
        Ok(Login::Accepted(token, answer)) => {
            remember(app, known, &headers, &who, &token, agent.as_deref()).await?;
            Ok(with_message(StatusCode::OK, answer))
        }
        Ok(Login::Refused(status, answer)) => {
            if app.settings.login_budget.is_some() {
                REFUSED.insert(refusal, (status, answer.clone())).await;
            }
            Ok(with_message(status, answer))
        }
        Err(down) => {
            tracing::warn!(cause = down.cause, "a login could not be relayed");
            by_ourselves.answer(app, "CAPI cannot be asked right now").await
        }
    }
}

/// Keeps what an accepted login tells, and finds an unknown machine its tenant: by the Host it called, by the default
/// tenant where that is allowed, otherwise none yet.
async fn remember(
    app: &App,
    known: Option<Machine>,
    headers: &HeaderMap,
    who: &Credentials,
    token: &Token,
    agent: Option<&str>,
) -> Result<(), EngineError> {
    if let Some(machine) = known {
        return Ok(queries::update_login(app, &machine, who, token, agent).await?);
    }
    if let Some(tenant) = tenant_for(app, headers).await? {
        if queries::insert_accepted(app, tenant, who, token, agent)
            .await?
            .is_some()
        {
            return Ok(());
        }
        // Another replica made the machine this instant.
        if let Some(Known { machine, .. }) = queries::get_by_login(app, &who.login).await? {
            return Ok(queries::update_login(app, &machine, who, token, agent).await?);
        }
        return Err(EngineError::unavailable(
            "the machine is being made, log in again",
            1,
        ));
    }
    Ok(queries::upsert_unbound(app, who, token, agent).await?)
}

async fn tenant_for(app: &App, headers: &HeaderMap) -> Result<Option<Tenant>, EngineError> {
    let host = host_name(headers);
    let by_host = app.settings.tenant_hosts.get(&host);
    let open = match app.settings.auto_enrolment {
        AutoEnrolment::Off => false,
        AutoEnrolment::On => true,
        AutoEnrolment::Local => is_local(&host, headers),
    };
    Ok(match by_host.or(open.then_some(&app.settings.auto_tenant)) {
        Some(name) => queries::get_tenant(app, name).await?.map(|(tenant, _)| tenant),
        None => None,
    })
}

fn host_name(headers: &HeaderMap) -> String {
    let host = headers
        .get(header::HOST)
        .and_then(|h| h.to_str().ok())
        .unwrap_or_default();
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.to_ascii_lowercase()
}

/// Whether a request was made on this machine: it names it so, and no proxy passed it on. A proxy that ends TLS listens
/// to everybody and speaks to us from here.
fn is_local(host: &str, headers: &HeaderMap) -> bool {
    let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback());
    let passed_on = [
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-real-ip",
        "via",
    ];
    here && !passed_on.iter().any(|name| headers.contains_key(*name))
}

/// Whether these are the credentials that CAPI accepted last for this machine.
async fn is_accepted(app: &App, machine: &Machine, who: &Credentials) -> Result<bool, EngineError> {
    let last = upstream::password(app, machine.tenant, machine.id)
        .await
        .map_err(no_token)?;
    Ok(last.is_some_and(|p| {
        same_secret(
            p.expose_secret().as_bytes(),
            who.password.expose_secret().as_bytes(),
        )
    }))
}

/// The answer to a login that CAPI does not decide.
struct Ourselves {
    /// The machine, if its credentials are known to be good.
    machine: Option<Machine>,
    scenarios: Vec<String>,
    agent: Option<String>,
}

impl Ourselves {
    async fn answer(self, app: &App, why: &str) -> Result<Response, EngineError> {
        let Some(machine) = self.machine else {
            return Err(EngineError::unavailable(
                format!("{why}, and these credentials are not known here"),
                60,
            ));
        };
        queries::update_seen(app, &machine, &self.scenarios, self.agent.as_deref()).await?;
        own_session(app, &machine)
    }
}

fn own_session(app: &App, machine: &Machine) -> Result<Response, EngineError> {
    let session = app.auth.session(machine)?;
    let expire = crate::kernel::time::rfc3339_millis(session.expires);
    Ok(Json(json!({ "code": 200, "expire": expire, "token": session.token })).into_response())
}

async fn verify(password: String, hash: String) -> Result<bool, EngineError> {
    let _turn = tokio::time::timeout(std::time::Duration::from_secs(3), HASHING.acquire())
        .await
        .map_err(|_| EngineError::unavailable("too many logins at once", 5))?;
    tokio::task::spawn_blocking(move || verify_password(&password, &hash))
        .await
        .map_err(|e| crate::db::DbError::Internal(e.to_string()).into())
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(256).collect())
}
