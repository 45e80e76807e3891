//! A store of logs that a tenant named: Loki itself, or Grafana before it.

mod cell;
mod frames;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::client::{Failure, Guarded, Limits, Policy};
use super::lapi::{Tries, Try};
use crate::http::{Turn, Turns};

/// The largest answer that is read, unpacked.
const ANSWER_LIMIT: usize = 16 << 20;
/// How long a whole exchange may take.
const EXCHANGE: Duration = Duration::from_secs(20);
/// Most lines that one answer is asked for.
pub const MOST_LINES: usize = 50_000;
/// Stores that one process asks at a time, and those of one tenant: who hangs shall not take the turns of others.
const AT_ONCE: (usize, usize) = (12, 2);

/// What kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Loki's own API.
    Loki,
    /// Grafana's, for one of its data sources.
    Grafana,
}

/// A store, and what to speak to it with.
#[derive(Debug, Clone)]
pub struct Store {
    /// Whose.
    pub tenant: i32,
    /// What kind.
    pub kind: Kind,
    /// Ends in a slash.
    pub url: Url,
    /// A bearer token, or with a user's name a password.
    pub token: Option<SecretString>,
    /// The user.
    pub username: Option<String>,
    /// Loki's tenant (`X-Scope-OrgID`).
    pub org_id: Option<String>,
    /// Grafana's data source.
    pub datasource_uid: Option<String>,
}

/// What is asked for: the newest lines of a time.
#[derive(Debug, Clone)]
pub struct Ask {
    /// `LogQL`, as the tenant wrote it.
    pub query: String,
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after.
    pub to: Timestamp,
    /// Most lines.
    pub most: usize,
}

/// The labels of a line, those of one stream shared.
pub type Labels = Arc<[(String, String)]>;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When, in nanoseconds.
    pub ns: i64,
    /// What it says.
    pub text: String,
    /// What the store says of it.
    pub labels: Labels,
}

/// What came.
#[derive(Debug, Default)]
pub struct Lines {
    /// All that could be read.
    pub lines: Vec<Line>,
    /// Entries that are none.
    pub broken: usize,
}

/// Why there are no lines. The texts are shown to whoever asked, and tell nothing of the network.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// There is no whole answer.
    #[error("the log source did not answer: {0}")]
    Failed(#[from] Failure),
    /// The credentials are wrong.
    #[error("the log source refuses the credentials ({0})")]
    Refused(u16),
    /// It does not take the query.
    #[error("the log source refuses the query ({0})")]
    BadQuery(u16),
    /// Another answer that is not a success.
    #[error("the log source answers with status {0}")]
    Status(u16),
    /// A success that says something else than such a store does.
    #[error("the log source does not answer as {0} does")]
    Garbage(&'static str),
    /// The query gives numbers.
    #[error("the query gives numbers, not log lines")]
    NotLines,
    /// More than is asked for.
    #[error("the log source tells more lines than are taken")]
    TooMany,
    /// What is stored cannot be sent.
    #[error("the credentials of the log source cannot be sent")]
    BadCredentials,
}

impl LogsError {
    /// Whether a store of logs said it.
    #[must_use]
    pub const fn is_answer(&self) -> bool {
        matches!(
            self,
            Self::Refused(_) | Self::BadQuery(_) | Self::NotLines | Self::TooMany
        )
    }
}

/// The way to all stores of all tenants.
#[derive(Clone)]
pub struct Logs {
    client: Guarded,
    turns: Turns,
    tries: Tries,
}

impl Logs {
    /// With this client.
    #[must_use]
    pub fn new(client: Guarded) -> Self {
        Self {
            client,
            turns: Turns::new(AT_ONCE.0, AT_ONCE.1),
            tries: Tries::default(),
        }
    }

    /// What may be reached.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        self.client.policy()
    }

    /// The right to ask, if one is free within the time.
    pub async fn turn(&self, tenant: i32, within: Duration) -> Option<Turn> {
        self.turns.take(tenant, within).await
    }

    /// Begins to ask for a tenant, who could find out by it what answers where.
    ///
    /// # Errors
    /// The seconds to wait, after too many that did not answer as a store of logs does.
    pub async fn begin(&self, tenant: i32) -> Result<Try, u32> {
        self.tries.begin(tenant).await
    }

    /// The newest lines that the query finds.
    ///
    /// # Errors
    /// [`LogsError`] says why there are none.
    pub async fn fetch(&self, store: &Store, ask: &Ask) -> Result<Lines, LogsError> {
        let limits = Limits {
            answer: ANSWER_LIMIT,
            exchange: EXCHANGE,
            tenant: store.tenant,
        };
        let mut headers = credentials(store)?;
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let sent = match store.kind {
            Kind::Loki => {
                let url = loki_url(store, ask)?;
                self.client
                    .send_within(limits, Method::GET, url, headers, Vec::new())
            }
            Kind::Grafana => {
                let url = join(store, "api/ds/query", "Grafana")?;
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                let body = grafana_body(store, ask);
                self.client.send_within(limits, Method::POST, url, headers, body)
            }
        };
        let reply = sent.await?;
        let status = reply.status.as_u16();
        match status {
            200 => {}
            401 | 403 => return Err(LogsError::Refused(status)),
            400 | 422 => return Err(LogsError::BadQuery(status)),
            _ => return Err(LogsError::Status(status)),
        }
        let (kind, most) = (store.kind, ask.most);
        // Megabytes of JSON are no work for a thread that others wait for; the turn is held as long as they are.
        let read = move || {
            let lines = match kind {
                Kind::Loki => streams::read(&reply.body, most),
                Kind::Grafana => frames::read(&reply.body, most),
            };
            drop(reply);
            lines
        };
        let name = match kind {
            Kind::Loki => "Loki",
            Kind::Grafana => "Grafana",
        };
        tokio::task::spawn_blocking(read)
            .await
            .unwrap_or(Err(LogsError::Garbage(name)))
    }
}

fn join(store: &Store, path: &str, name: &'static str) -> Result<Url, LogsError> {
    store.url.join(path).map_err(|_| LogsError::Garbage(name))
}

fn loki_url(store: &Store, ask: &Ask) -> Result<Url, LogsError> {
    let mut url = join(store, "loki/api/v1/query_range", "Loki")?;
    url.query_pairs_mut()
        .append_pair("query", &ask.query)
        .append_pair("start", &ask.from.as_nanosecond().to_string())
        .append_pair("end", &ask.to.as_nanosecond().to_string())
        .append_pair("limit", &ask.most.to_string())
        .append_pair("direction", "backward");
    Ok(url)
}

fn grafana_body(store: &Store, ask: &Ask) -> Vec<u8> {
    let body = json!({
        "queries": [{
            "refId": "A",
            "datasource": { "type": "loki", "uid": store.datasource_uid },
            "expr": ask.query,
            "queryType": "range",
            "direction": "backward",
            "maxLines": ask.most,
        }],
        "from": ask.from.as_millisecond().to_string(),
        "to": ask.to.as_millisecond().to_string(),
    });
    body.to_string().into_bytes()
}

fn credentials(store: &Store) -> Result<HeaderMap, LogsError> {
    let mut headers = HeaderMap::new();
    if let Some(token) = &store.token {
        let token = token.expose_secret();
        let text = match &store.username {
            Some(user) => format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{token}"))),
            None => format!("Bearer {token}"),
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| LogsError::BadCredentials)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    if let Some(org) = &store.org_id {
        let value = HeaderValue::from_str(org).map_err(|_| LogsError::BadCredentials)?;
        headers.insert(HeaderName::from_static("x-scope-orgid"), value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(kind: Kind, username: Option<&str>) -> Store {
        Store {
            tenant: 1,
            kind,
            url: "https://logs.example.org/sub/".parse().unwrap(),
            token: Some("t0ken".into()),
            username: username.map(str::to_owned),
            org_id: Some("acme".to_owned()),
            datasource_uid: Some("P1".to_owned()),
        }
    }

    fn ask(query: &str) -> Ask {
        Ask {
            query: query.to_owned(),
            from: Timestamp::from_second(100).unwrap(),
            to: Timestamp::from_second(200).unwrap(),
            most: 7,
        }
    }

    #[test]
    fn a_query_is_a_parameter_and_nothing_else() {
        for hostile in [
            r#"{app="x"} |= "a&limit=9#b" "#,
            "../../admin?x=1\r\nHost: evil",
            "%00&end=1",
        ] {
            let url = loki_url(&store(Kind::Loki, None), &ask(hostile)).unwrap();
            assert_eq!(url.path(), "/sub/loki/api/v1/query_range");
            assert_eq!(url.fragment(), None);
            let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
            let expected = [
                ("query", hostile),
                ("start", "100000000000"),
                ("end", "200000000000"),
                ("limit", "7"),
                ("direction", "backward"),
            ];
            assert_eq!(pairs, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
            let body = grafana_body(&store(Kind::Grafana, None), &ask(hostile));
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["queries"][0]["expr"], hostile);
            assert_eq!(body["queries"].as_array().unwrap().len(), 1);
        }
    }

    #[test]
    fn credentials_are_sent_as_the_store_wants_them() {
        let sent = |store: &Store| {
            let headers = credentials(store).unwrap();
            assert_eq!(headers["x-scope-orgid"], "acme");
            headers[AUTHORIZATION].to_str().unwrap().to_owned()
        };
        assert_eq!(sent(&store(Kind::Grafana, None)), "Bearer t0ken");
        assert_eq!(sent(&store(Kind::Loki, Some("u"))), "Basic dTp0MGtlbg==");
        let mut bad = store(Kind::Loki, None);
        bad.token = Some("a\nb".into());
        assert!(credentials(&bad).is_err());
    }
}
