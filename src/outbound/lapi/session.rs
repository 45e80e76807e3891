use std::sync::Arc;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::{LapiError, Lapis, MachineLogin, Target, join, send_json, success};
use crate::outbound::client::{Failure, Reply};

/// A machine's token at one server, as the header that carries it.
#[derive(Clone)]
pub(super) struct Session(Arc<HeaderValue>);

#[derive(Serialize)]
struct Request<'a> {
    machine_id: &'a str,
    password: &'a str,
    // No scenarios: the server would tell CAPI of them.
}

#[derive(Deserialize)]
struct Answer {
    token: String,
}

impl Lapis {
    /// Asks as the machine; a session that the server does not know any more (it forgets all when it restarts) is
    /// replaced once.
    pub(super) async fn as_machine(
        &self,
        target: &Target,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Reply, LapiError> {
        let url = join(target, path)?;
        let mut again = true;
        loop {
            let session = self.session(target).await?;
            let mut headers = if body.is_empty() {
                HeaderMap::new()
            } else {
                send_json()
            };
            headers.insert(AUTHORIZATION, (*session.0).clone());
            let reply = self
                .client
                .send(method.clone(), url.clone(), headers, body.clone())
                .await?;
            if reply.status != StatusCode::UNAUTHORIZED || !again {
                return Ok(reply);
            }
            again = false;
            self.forget(target, &session).await;
        }
    }

    /// The session that is kept, or a new one; who asks meanwhile waits for the same login.
    async fn session(&self, target: &Target) -> Result<Session, LapiError> {
        let machine = target.machine.as_ref().ok_or(LapiError::NoMachine)?;
        if self.refused.contains_key(&target.key) {
            return Err(LapiError::LoginRefused);
        }
        let login = self.log_in(target, machine);
        let entry = self.sessions.entry(target.key);
        let found = entry.or_try_insert_with(login).await;
        match &found {
            // Which server that is, and since when, is known to whoever had a session: another replica, at best.
            Ok(entry) if entry.is_fresh() => self.begun.insert(target.key, ()).await,
            Err(e) if matches!(**e, LapiError::LoginRefused) => self.refused.insert(target.key, ()).await,
            _ => {}
        }
        let found = found.map(moka::Entry::into_value);
        found.map_err(|e| match &*e {
            LapiError::Failed(Failure::Unreachable(cause)) => Failure::Unreachable(cause.clone()).into(),
            LapiError::Failed(Failure::TooLarge) => Failure::TooLarge.into(),
            LapiError::Status(status) => LapiError::Status(*status),
            LapiError::LoginRefused => LapiError::LoginRefused,
            _ => LapiError::Garbage,
        })
    }

    /// Whether a session was begun since this was last asked, whoever's request it was: the server may have been started, or
    /// be not what it was.
    pub async fn has_begun(&self, target: &Target) -> bool {
        self.begun.remove(&target.key).await.is_some()
    }

    /// Drops a session that was refused, unless somebody has replaced it already.
    async fn forget(&self, target: &Target, refused: &Session) {
        let kept = self.sessions.get(&target.key).await;
        if kept.is_some_and(|kept| Arc::ptr_eq(&kept.0, &refused.0)) {
            self.sessions.invalidate(&target.key).await;
        }
    }

    pub(super) async fn log_in(&self, target: &Target, machine: &MachineLogin) -> Result<Session, LapiError> {
        let body = Request {
            machine_id: &machine.id,
            password: machine.password.expose_secret(),
        };
        let body = serde_json::to_vec(&body).map_err(|_| LapiError::Garbage)?;
        let url = join(target, "v1/watchers/login")?;
        let reply = self.client.send(Method::POST, url, send_json(), body).await?;
        if matches!(reply.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(LapiError::LoginRefused);
        }
        let answer: Answer = success(&reply)?;
        let mut value =
            HeaderValue::from_str(&format!("Bearer {}", answer.token)).map_err(|_| LapiError::Garbage)?;
        value.set_sensitive(true);
        Ok(Session(Arc::new(value)))
    }
}

impl Session {
    /// For one request beside the cache.
    pub(super) fn header(&self) -> HeaderValue {
        (*self.0).clone()
    }
}
