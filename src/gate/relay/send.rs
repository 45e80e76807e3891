//! One exchange with CAPI on a machine's behalf.

use std::time::Duration;

use axum::http::{HeaderMap, Method, StatusCode, header};
use bytes::Bytes;
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::App;
use crate::gate::upstream::{self, NoToken};
use crate::http::{Caller, Machine, bearer};
use crate::outbound::capi::{self, Down};

/// How long CAPI's answer to a relayed request may take to begin.
pub const PATIENCE: Duration = Duration::from_secs(12);

/// What an engine asked, as far as it may be passed on.
pub struct Given {
    /// By which of CAPI's versions it came.
    pub version: u8,
    /// The method.
    pub method: Method,
    /// The path below the version.
    pub path: String,
    /// The query string as received.
    pub query: Option<String>,
    /// All headers; only those of the list leave.
    pub headers: HeaderMap,
    /// The body as received, packed or not.
    pub body: Bytes,
    /// How long CAPI's answer may take to begin: shorter than the edge waits for ours.
    pub within: Duration,
}

/// How the exchange ended.
pub enum Relayed {
    /// CAPI answered something that the engine may see.
    Answer(reqwest::Response),
    /// CAPI cannot be asked, is failing, or refuses our login: an outage, as far as the engine is concerned.
    Down(Down),
    /// Nothing may leave: forwarding is off, here or for this tenant.
    Off,
}

/// The token to speak to CAPI with: the engine's own where CAPI gave it, otherwise the one we hold for the machine.
///
/// # Errors
/// As [`upstream::token`].
pub async fn credential(
    app: &App,
    machine: &Machine,
    version: u8,
    headers: &HeaderMap,
) -> Result<SecretString, NoToken> {
    match bearer(headers) {
        Some(token) if app.auth.session_of(token).is_none() => Ok(token.to_owned().into()),
        _ => Ok(upstream::token(app, machine.tenant, machine.id, version).await?.0),
    }
}

/// Passes a request on. An answer of 401 means that the token is stale: once, the machine is logged in anew and asked
/// again; the engine never sees it, because one that cannot log in exits. A 403 is handed on: it speaks of the request,
/// and a login for each would spend what all machines share.
///
/// # Errors
/// When our own side fails.
pub async fn send(app: &App, caller: &Caller, given: Given) -> Result<Relayed, crate::http::EngineError> {
    let machine = match caller {
        Caller::Machine(machine) => Some(machine),
        Caller::Unbound(_) => None,
    };
    if !app.settings.forward_enabled || machine.is_some_and(|m| !m.forward_enabled) {
        return Ok(Relayed::Off);
    }
    let mut token = match machine {
        Some(machine) => credential(app, machine, given.version, &given.headers).await,
        None => Ok(bearer(&given.headers).unwrap_or_default().to_owned().into()),
    };
    for last in [false, true] {
        let current = match token {
            Ok(token) => token,
            Err(NoToken::Db(e)) => return Err(e.into()),
            Err(NoToken::Down(down)) => return Ok(Relayed::Down(down)),
            Err(other) => {
                return Ok(Relayed::Down(Down {
                    cause: other.to_string(),
                    retry_after: None,
                }));
            }
        };
        let response = match attempt(app, &given, &current).await {
            Ok(response) => response,
            Err(down) => return Ok(Relayed::Down(down)),
        };
        let stale = matches!(
            response.status(),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        );
        match machine {
            Some(machine) if stale && !last => {
                token = renewed(app, machine, given.version, &current).await;
            }
            _ if is_outage(response.status(), stale && machine.is_some()) => {
                let cause = format!("answered {}", response.status().as_u16());
                return Ok(Relayed::Down(Down {
                    cause,
                    retry_after: capi::retry_after(response.headers()),
                }));
            }
            _ => return Ok(Relayed::Answer(response)),
        }
    }
    Ok(Relayed::Down(Down {
        cause: "CAPI refuses the machine's token".to_owned(),
        retry_after: None,
    }))
}

async fn attempt(app: &App, given: &Given, token: &SecretString) -> Result<reqwest::Response, Down> {
    let mut headers = capi::passing(&given.headers, true);
    // The engine's own header stays as it is: the SDK sends its token bare.
    let own = given.headers.get(header::AUTHORIZATION);
    let own = own.filter(|_| bearer(&given.headers) == Some(token.expose_secret()));
    let authorization = own.cloned().map_or_else(|| capi::authorization(token), Ok)?;
    headers.insert(header::AUTHORIZATION, authorization);
    let path = format!("v{}/{}", given.version, given.path);
    app.capi
        .open(
            given.method.clone(),
            &path,
            given.query.as_deref(),
            headers,
            given.body.clone(),
            given.within,
        )
        .await
}

async fn renewed(
    app: &App,
    machine: &Machine,
    version: u8,
    refused: &SecretString,
) -> Result<SecretString, NoToken> {
    upstream::token_refused(app, machine.tenant, machine.id, refused).await?;
    Ok(upstream::token(app, machine.tenant, machine.id, version).await?.0)
}

const fn is_outage(status: StatusCode, refused: bool) -> bool {
    refused || status.as_u16() >= 500 || status.as_u16() == 429
}
