//! A server that answers as it is told.
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mood {
    /// As a LAPI, and writes with this status.
    Writes(u16),
    /// Every request with this text.
    Says(&'static str),
    /// Elsewhere.
    Redirects,
    /// A gigabyte.
    Floods,
    Hangs,
    /// A login is refused.
    NoLogin,
    /// Deletes as LAPIs do what they do not have.
    NoDecision,
    /// A write with a session that it forgot: once.
    Forgets,
}

#[derive(Clone)]
pub struct Mock {
    pub url: String,
    mood: Arc<Mutex<Mood>>,
    pub seen: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Mock {
    pub async fn start(mood: Mood) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let mock = Self {
            url: format!("http://{}/", listener.local_addr().expect("address")),
            mood: Arc::new(Mutex::new(mood)),
            seen: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(mock.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        mock
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        let address = self.url.trim_start_matches("http://");
        address.trim_end_matches('/').to_owned()
    }

    pub fn server(&self, name: &str) -> Value {
        json!({"name": name, "url": self.url, "apiKey": "key", "machineId": "m", "password": "p"})
    }

    /// How many requests began so.
    pub fn count(&self, begins: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|(line, _)| line.starts_with(begins)).count()
    }
}

async fn answer(State(mock): State<Mock>, request: Request) -> Response {
    let line = format!("{} {}", request.method(), request.uri());
    let agent = request.headers()["user-agent"].to_str().expect("text").to_owned();
    assert_eq!(
        agent.matches('/').count(),
        1,
        "a LAPI wants exactly one slash: {agent}"
    );
    let body = axum::body::to_bytes(request.into_body(), 1 << 20)
        .await
        .expect("body");
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    mock.seen.lock().unwrap().push((line.clone(), body));
    let mood = *mock.mood.lock().unwrap();
    let json = |status: u16, value: Value| {
        (StatusCode::from_u16(status).expect("status"), axum::Json(value)).into_response()
    };
    match mood {
        Mood::Says(text) => return text.into_response(),
        Mood::Redirects => {
            let to = [("location", "http://127.0.0.1:1/")];
            return (StatusCode::TEMPORARY_REDIRECT, to).into_response();
        }
        Mood::Floods => {
            let chunk = Ok::<_, std::convert::Infallible>(bytes::Bytes::from(vec![b' '; 1 << 20]));
            let chunks = futures_util::stream::iter(std::iter::repeat_n(chunk, 1024));
            return Body::from_stream(chunks).into_response();
        }
        Mood::Hangs => std::future::pending().await,
        _ => {}
    }
    match line.split('?').next().expect("a line") {
        "GET /health" => json(200, json!({"status": "up"})),
        "GET /v1/decisions" => json(200, Value::Null),
        "GET /v1/decisions/stream" => json(200, json!({"new": null, "deleted": null})),
        "GET /v1/heartbeat" => json(200, Value::Null),
        "GET /v1/allowlists" => json(200, json!([])),
        "POST /v1/watchers/login" if mood == Mood::NoLogin => json(
            401,
            json!({"code": 401, "message": "incorrect Username or Password"}),
        ),
        "POST /v1/watchers/login" => json(
            200,
            json!({"code": 200, "expire": "2000-01-01T00:00:00Z", "token": "t"}),
        ),
        "POST /v1/alerts" | "DELETE /v1/decisions/7" => match mood {
            Mood::Writes(status) if status != 200 => json(status, json!({"message": "no"})),
            Mood::NoDecision => json(
                500,
                json!({"message": "decision with id '7' doesn't exist: unable to delete"}),
            ),
            Mood::Forgets => {
                mock.set(Mood::Writes(200));
                json(401, json!({"code": 401, "message": "signature is invalid"}))
            }
            _ if line.starts_with("POST") => json(201, json!(["3"])),
            _ => json(200, json!({"nbDeleted": "1"})),
        },
        "GET /v1/alerts/3" => json(200, json!({"decisions": [{"id": 11}]})),
        _ => json(404, json!({})),
    }
}
