//! A machine as the service sees one, and the signals it sends.
use super::garrison::Server;
use super::http::{Answer, Api, gzip, send};
use serde_json::{Value, json};
use std::net::SocketAddr;

#[derive(Clone)]
pub struct Machine {
    pub login: String,
    pub password: String,
    pub token: String,
    http: Api,
}

impl Machine {
    pub fn new(login: &str, password: &str) -> Self {
        Self {
            login: login.into(),
            password: password.into(),
            token: String::new(),
            http: Api::new("", None),
        }
    }

    /// Credentials nobody issued, as `cscli capi register` makes them: 48 letters and digits.
    pub fn stranger() -> Self {
        let hex = |n: usize| {
            (0..n)
                .map(|_| format!("{:x}", rand::random::<u8>() & 15))
                .collect::<String>()
        };
        Self::new(&hex(48), &hex(32))
    }

    /// Logs in as 1.7 does on start: `Authorization: Bearer ` with nothing after it.
    pub async fn try_login(&mut self, address: SocketAddr) -> Answer {
        let body = json!({"machine_id": self.login, "password": self.password, "scenarios": ["crowdsecurity/ssh-bf"]});
        let call = self
            .http
            .at(address)
            .request("POST", "/v3/watchers/login")
            .header("authorization", "Bearer ");
        let answer = send(call.header("user-agent", "crowdsec/v1.7.8-linux").json(&body)).await;
        if answer.status == 200 {
            let reply = answer.json();
            self.token = reply["token"].as_str().expect("a token").to_owned();
            let expire = reply["expire"].as_str().expect("expire");
            expire
                .parse::<jiff::Timestamp>()
                .expect("expire is RFC 3339 with a zone");
            assert_eq!(reply["code"], 200, "login's code");
        }
        answer
    }

    pub async fn login(&mut self, server: &Server) {
        self.try_login(server.address).await.expect(200);
    }

    pub fn call(&self, address: SocketAddr, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.http
            .at(address)
            .with(Some(&self.token))
            .request(method, path)
            .header("user-agent", "crowdsec/v1.7.8-linux")
    }

    /// `POST /v3/signals`, gzip above 5,120 bytes as engines from 1.7.0 do.
    pub async fn push(&self, server: &Server, items: &[Value]) -> Answer {
        self.push_to(server.address, "/v3/signals", items).await
    }

    /// The same, and clean: `200 {"message":"OK"}` and not a byte more.
    #[track_caller]
    pub fn push_ok(&self, server: &Server, items: &[Value]) -> impl Future<Output = Answer> {
        let (me, address, items) = (self.clone(), server.address, items.to_vec());
        async move {
            let answer = me.push_to(address, "/v3/signals", &items).await.expect(200);
            assert_eq!(answer.json(), json!({"message": "OK"}));
            answer
        }
    }

    pub async fn push_to(&self, address: SocketAddr, path: &str, items: &[Value]) -> Answer {
        let body = serde_json::to_vec(items).expect("JSON");
        self.push_bytes(address, path, body).await
    }

    pub async fn push_bytes(&self, address: SocketAddr, path: &str, body: Vec<u8>) -> Answer {
        let mut call = self
            .call(address, "POST", path)
            .header("content-type", "application/json");
        let mut body = body;
        if body.len() > 5120 {
            call = call.header("content-encoding", "gzip");
            body = gzip(&body);
        }
        send(call.body(body)).await
    }
}

/// `n` seconds from now as engines write it.
pub fn time(n: i64) -> String {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(n);
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A v3 signal with one ban: the default rules let it pass.
pub fn signal(ip: &str) -> Value {
    let mut s = undecided(ip);
    s["decisions"] = json!([{
        "duration": "4h", "id": 0, "origin": "crowdsec", "scenario": "crowdsecurity/ssh-bf",
        "scope": "Ip", "type": "ban", "uuid": new_uuid(), "value": ip,
    }]);
    s
}

/// A v3 signal without decisions: the default rules filter it.
pub fn undecided(ip: &str) -> Value {
    json!({
        "context": null,
        "kind": "crowdsec",
        "machine_id": "lab-agent",
        "message": format!("Ip {ip} performed 'crowdsecurity/ssh-bf' (6 events over 5s)"),
        "scenario": "crowdsecurity/ssh-bf",
        "scenario_hash": "4441dcff07020f6690d998b7101e642359ba405c2abb83565bbbdcee36de280f",
        "scenario_trust": "certified",
        "scenario_version": "0.1",
        "source": {"ip": ip, "scope": "Ip", "value": ip},
        "start_at": time(-10),
        "stop_at": time(-5),
        "uuid": new_uuid(),
    })
}

/// A documentation address, another for each of 16.7 million numbers (192.0.2.0/24 would be too few).
pub fn address(n: u32) -> String {
    let n = n % (1 << 17);
    format!("198.{}.{}.{}", 18 + (n >> 16), (n >> 8) & 255, n & 255)
}

pub fn new_uuid() -> String {
    uuid::Builder::from_random_bytes(rand::random())
        .into_uuid()
        .to_string()
}

/// The `uuid` of a signal or an alert.
#[track_caller]
pub fn uuid_of(value: &Value) -> String {
    value["uuid"]
        .as_str()
        .unwrap_or_else(|| panic!("no uuid in {value}"))
        .to_owned()
}
