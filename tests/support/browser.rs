//! Somebody who logged in: a cookie, and what belongs to it.
use super::garrison::{Server, text};
use super::http::{Answer, Api, send};
use super::world::World;
use serde_json::{Value, json};

pub const PASSWORD: &str = "correct horse battery";

/// Somebody with a cookie.
#[derive(Clone)]
pub struct Browser {
    pub http: Api,
    pub cookie: String,
    pub csrf: Option<String>,
    pub set_cookie: String,
    pub answer: Value,
}

impl Browser {
    /// Of an answer to `/login`.
    pub fn of(server: &Server, answer: &Answer) -> Self {
        let set_cookie = answer.header("set-cookie").expect("a cookie");
        let cookie = set_cookie
            .split(';')
            .next()
            .and_then(|pair| pair.strip_prefix("csm_auth="));
        let answer = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        Self {
            http: Api::new(server.url(), None),
            cookie: cookie.expect("our cookie").to_owned(),
            csrf: answer["csrfToken"].as_str().map(str::to_owned),
            set_cookie,
            answer,
        }
    }

    pub async fn login(server: &Server, email: &str) -> Self {
        let body = json!({"email": email, "password": PASSWORD});
        let answer = Api::new(server.url(), None)
            .post("/login", &body)
            .await
            .expect(200);
        Self::of(server, &answer)
    }

    /// A person made by the command line, with the password set, logged in.
    pub async fn person(world: &World, command: &[&str]) -> Self {
        let made = world.cli.json(command).await;
        let nobody = Api::new(world.server().url(), None);
        let body = json!({"token": text(&made, "token"), "password": PASSWORD});
        nobody.post("/api/password/reset", &body).await.expect(204);
        Self::login(world.server(), &text(&made, "email")).await
    }

    pub async fn member(world: &World, email: &str, tenant: &str, role: &str) -> Self {
        Self::person(world, &["user", "add", email, "--tenant", tenant, "--role", role]).await
    }

    pub fn at(&self, server: &Server) -> Self {
        Self {
            http: Api::new(server.url(), None),
            ..self.clone()
        }
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let request = self
            .http
            .request(method, path)
            .header("cookie", format!("csm_auth={}", self.cookie));
        match &self.csrf {
            Some(csrf) if method != "GET" => request.header("x-csrf-token", csrf),
            _ => request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request("GET", path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request("POST", path).json(body)).await
    }
}
