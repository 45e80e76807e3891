//! The recorded requests of real engines, in `tests/fixtures`.
use super::http::gzip;
use serde_json::Value;
use std::path::{Path, PathBuf};

pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

pub fn bytes(name: &str) -> Vec<u8> {
    let file = path(name);
    std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

pub fn json(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

pub fn list(name: &str) -> Vec<Value> {
    match json(name) {
        Value::Array(items) => items,
        other => panic!("{name} is no array: {other}"),
    }
}

/// One recorded request.
pub struct Recorded {
    pub method: String,
    pub target: String,
    /// As sent, without those that the connection and the credential decide.
    pub headers: Vec<(String, String)>,
    pub gzip: bool,
    pub body: Value,
    /// Recorded with an `Authorization` that began with `Bearer `.
    pub bearer: bool,
}

impl Recorded {
    pub fn load(name: &str) -> Self {
        let file = json(name);
        let all: Vec<(String, String)> = serde_json::from_value(file["headers"].clone()).expect("headers");
        let bearer = all
            .iter()
            .any(|(n, v)| n.eq_ignore_ascii_case("authorization") && v.starts_with("Bearer"));
        let kept = |n: &str| {
            !["host", "content-length", "authorization", "connection"]
                .contains(&n.to_ascii_lowercase().as_str())
        };
        Self {
            method: file["method"].as_str().expect("method").into(),
            target: file["target"].as_str().expect("target").into(),
            headers: all.into_iter().filter(|(n, _)| kept(n)).collect(),
            gzip: file["content_encoding"] == "gzip",
            body: file["body"].clone(),
            bearer,
        }
    }

    /// The recorded requests of a folder whose file name begins so, in order.
    pub fn folder(folder: &str, prefix: &str) -> Vec<Self> {
        let mut names: Vec<String> = std::fs::read_dir(path(folder))
            .expect("fixtures folder")
            .filter_map(|e| e.ok()?.file_name().into_string().ok())
            .filter(|n| n.starts_with(prefix) && n.ends_with(".json"))
            .collect();
        names.sort();
        assert!(!names.is_empty(), "no {folder}/{prefix}*");
        names
            .iter()
            .map(|n| Self::load(&format!("{folder}/{n}")))
            .collect()
    }

    pub fn items(&self) -> Vec<Value> {
        self.body.as_array().cloned().expect("an array body")
    }

    /// The body as Go's encoder writes it (compact, then a line feed), zipped where it was.
    pub fn wire(&self) -> Vec<u8> {
        if self.body.is_null() {
            return Vec::new();
        }
        let plain = format!("{}\n", self.body).into_bytes();
        if self.gzip { gzip(&plain) } else { plain }
    }

    /// Ready to send to `base`, with `token` in the recorded form.
    pub fn call(&self, base: &str, token: Option<&str>) -> reqwest::RequestBuilder {
        self.call_with(base, token, self.wire())
    }

    pub fn call_with(&self, base: &str, token: Option<&str>, body: Vec<u8>) -> reqwest::RequestBuilder {
        let client = reqwest::Client::new();
        let mut call = client.request(
            self.method.parse().expect("method"),
            format!("{base}{}", self.target),
        );
        for (name, value) in &self.headers {
            call = call.header(name, value);
        }
        if let Some(token) = token {
            let value = if self.bearer {
                format!("Bearer {token}")
            } else {
                token.to_owned()
            };
            call = call.header("authorization", value);
        }
        call.body(body)
    }
}

/// The verdict of the shipped default rules, in words of our own: no decisions, or an internal address.
pub fn default_rules_filter(signal: &Value) -> bool {
    let undecided = signal["decisions"].as_array().is_none_or(Vec::is_empty);
    undecided || signal["simulated"] == true || internal(signal["source"]["ip"].as_str().unwrap_or_default())
}

fn internal(ip: &str) -> bool {
    match ip.parse() {
        Ok(std::net::IpAddr::V4(a)) => a.is_private() || a.is_loopback(),
        Ok(std::net::IpAddr::V6(a)) => a.is_unique_local() || a.is_unicast_link_local() || a.is_loopback(),
        Err(_) => false,
    }
}
