//! Two clients: a normal one, and one that writes the bytes it is given.
use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub took: Duration,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("not JSON ({e}): {} {}", self.status, self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.headers
            .get(name)
            .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
    }

    /// Asserts the status, showing the body when it is another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "unexpected answer: {}", self.text());
        self
    }
}

/// A client of one address with at most one credential.
#[derive(Clone)]
pub struct Api {
    pub base: String,
    token: Option<String>,
    http: reqwest::Client,
}

impl Api {
    pub fn new(base: impl Into<String>, token: Option<&str>) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()
            .expect("HTTP client");
        Self {
            base: base.into(),
            token: token.map(Into::into),
            http,
        }
    }

    pub fn at(&self, address: SocketAddr) -> Self {
        Self {
            base: format!("http://{address}"),
            ..self.clone()
        }
    }

    pub fn with(&self, token: Option<&str>) -> Self {
        Self {
            token: token.map(Into::into),
            ..self.clone()
        }
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("method");
        let call = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(t) => call.header("authorization", format!("Bearer {t}")),
            None => call,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request("GET", path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request("DELETE", path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request("POST", path).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        send(self.request("PUT", path).json(body)).await
    }

    pub async fn post_bytes(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let mut call = self
            .request("POST", path)
            .header("content-type", "application/json");
        for (name, value) in headers {
            call = call.header(*name, *value);
        }
        send(call.body(body.into())).await
    }
}

pub async fn send(call: reqwest::RequestBuilder) -> Answer {
    try_send(call).await.expect("an answer")
}

pub async fn try_send(call: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let start = Instant::now();
    let got = call.send().await?;
    let (status, headers) = (got.status().as_u16(), got.headers().clone());
    let mut body = got.bytes().await?;
    if body.starts_with(&[0x1f, 0x8b]) {
        body = gunzip(&body).unwrap_or_else(|_| body.to_vec()).into();
    }
    Ok(Answer {
        status,
        headers,
        body,
        took: start.elapsed(),
    })
}

/// Sends `bytes` as they are and reads one HTTP/1.1 answer; `None` when the peer closed without one.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let start = Instant::now();
    let got = tokio::time::timeout(Duration::from_secs(20), exchange(address, bytes))
        .await
        .unwrap_or_else(|_| {
            panic!(
                "hangs: {}",
                String::from_utf8_lossy(&bytes[..bytes.len().min(80)])
            )
        });
    let end = got.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&got[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|l| l.split_once(':')) {
        let name: reqwest::header::HeaderName = name.parse().ok()?;
        headers.append(name, value.trim().parse().ok()?);
    }
    let body = Bytes::copy_from_slice(&got[end + 4..]);
    Some(Answer {
        status,
        headers,
        body,
        took: start.elapsed(),
    })
}

async fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut got = Vec::new();
    let mut stream = TcpStream::connect(address).await.expect("connect");
    // a peer may refuse early and close: what it said before still counts
    let _ = stream.write_all(bytes).await;
    let mut chunk = [0; 8192];
    while let Ok(n) = stream.read(&mut chunk).await {
        if n == 0 {
            break;
        }
        got.extend_from_slice(&chunk[..n]);
    }
    got
}

/// A raw request: any path text, `Connection: close`.
pub fn raw_request(method: &str, path: &str, token: Option<&str>, body: &[u8]) -> Vec<u8> {
    let mut out = format!("{method} {path} HTTP/1.1\r\nHost: garrison.test\r\nConnection: close\r\n");
    if let Some(t) = token {
        out.push_str(&format!("Authorization: Bearer {t}\r\n"));
    }
    if method != "GET" {
        out.push_str(&format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        ));
    }
    out.push_str("\r\n");
    let mut out = out.into_bytes();
    out.extend_from_slice(body);
    out
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut enc = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    enc.write_all(bytes).expect("gzip");
    enc.finish().expect("gzip")
}

pub fn gunzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut out)?;
    Ok(out)
}
