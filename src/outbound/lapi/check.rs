use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::session::Session;
use super::{LapiError, Lapis, Target, join, success};

/// What of a server works.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Check {
    /// It answers as a LAPI does.
    pub reachable: bool,
    /// It takes the bouncer key; unknown when it could not be tried.
    pub key: Option<bool>,
    /// It takes the machine's login; unknown when it could not be tried, or there is none.
    pub login: Option<bool>,
    /// What its routes tell of its version: no LAPI tells it outright.
    pub version: Option<std::borrow::Cow<'static, str>>,
    /// The first thing that does not work.
    pub error: Option<String>,
}

impl Lapis {
    /// Tries everything that a server is needed for, and changes nothing there.
    pub async fn check(&self, target: &Target) -> Check {
        let mut check = Check::default();
        if let Err(e) = self.health(target).await {
            tracing::info!(tenant = target.key.0, server = target.key.1, cause = ?e, "a LAPI server was tried in vain");
            check.error = Some(e.to_string());
            return check;
        }
        check.reachable = true;
        match self.decisions(target, "192.0.2.1").await {
            Ok(_) => check.key = Some(true),
            Err(LapiError::Status(401 | 403)) => {
                check.key = Some(false);
                check.error = Some("the server refuses the bouncer key".to_owned());
            }
            Err(e) => check.error = Some(e.to_string()),
        }
        let Some(machine) = &target.machine else {
            return check;
        };
        match self.log_in(target, machine).await {
            Ok(session) => {
                check.login = Some(true);
                check.version = self.version(target, &session).await.map(Into::into);
            }
            Err(e) => {
                check.login = matches!(e, LapiError::LoginRefused).then_some(false);
                check.error.get_or_insert(e.to_string());
            }
        }
        check
    }

    async fn health(&self, target: &Target) -> Result<(), LapiError> {
        let url = join(target, "health")?;
        let reply = self
            .client
            .send(Method::GET, url, HeaderMap::new(), Vec::new())
            .await?;
        let health: Value = success(&reply)?;
        if health["status"] == "up" {
            Ok(())
        } else {
            Err(LapiError::Garbage)
        }
    }

    /// Allowlists came with 1.6.8.
    async fn version(&self, target: &Target, session: &Session) -> Option<&'static str> {
        let url = join(target, "v1/allowlists").ok()?;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, session.header());
        let reply = self
            .client
            .send(Method::GET, url, headers, Vec::new())
            .await
            .ok()?;
        match reply.status {
            StatusCode::OK => Some("1.6.8 or newer"),
            StatusCode::NOT_FOUND => Some("older than 1.6.8"),
            _ => None,
        }
    }
}
