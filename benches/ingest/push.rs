//! The service's side of a cell: an engine a connection, each kept alive.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::load::Worker;
use crate::service::{Machine, Service};
use crate::signals::Template;

/// One HTTP/1.1 connection.
pub struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Sends a request and reads the whole answer.
    pub async fn call(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<(u16, Bytes)> {
        self.0.ready().await?;
        let answer = self.0.send_request(request).await?;
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }

    /// Sends a request; what it is answered comes piece by piece.
    pub async fn stream(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<Incoming> {
        self.0.ready().await?;
        let answer = self.0.send_request(request).await?;
        ensure!(answer.status() == 200, "{}", answer.status());
        Ok(answer.into_body())
    }

    /// Sends a request for a page; where the next one is.
    pub async fn link(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<Option<String>> {
        self.0.ready().await?;
        let answer = self.0.send_request(request).await?;
        ensure!(answer.status() == 200, "{}", answer.status());
        let link = answer.headers().get("link").and_then(|link| link.to_str().ok());
        let next = link.and_then(|link| Some(link.split_once('<')?.1.split_once('>')?.0.to_owned()));
        answer.into_body().collect().await?;
        Ok(next)
    }
}

struct Pusher {
    connection: Connection,
    host: String,
    token: String,
    templates: Arc<Vec<Template>>,
    next: usize,
    size: usize,
}

impl Worker for Pusher {
    async fn once(&mut self) -> anyhow::Result<(usize, Duration)> {
        let template = &self.templates[self.next % self.templates.len()];
        self.next += 1;
        let request = request(&self.host, &self.token, template)?;
        let begun = Instant::now();
        let (status, body) = self.connection.call(request).await?;
        let took = begun.elapsed();
        acknowledged(status, &body)?;
        Ok((self.size, took))
    }
}

fn request(host: &str, token: &str, template: &Template) -> anyhow::Result<Request<Full<Bytes>>> {
    Ok(Request::post("/v3/signals")
        .header("host", host)
        .header("user-agent", "crowdsec/v1.7.8-linux")
        .header("authorization", token)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(template.fresh())))?)
}

/// All of it is stored: nothing rejected.
pub fn acknowledged(status: u16, body: &[u8]) -> anyhow::Result<()> {
    ensure!(
        status == 200 && body == br#"{"message":"OK"}"#,
        "a push was answered {status} {}",
        String::from_utf8_lossy(body)
    );
    Ok(())
}

/// A connection for each machine.
pub async fn workers(
    service: &Service,
    machines: &[Machine],
    templates: &Arc<Vec<Template>>,
) -> anyhow::Result<Vec<impl Worker + use<>>> {
    let mut workers = Vec::new();
    for (next, machine) in machines.iter().enumerate() {
        workers.push(Pusher {
            connection: Connection::open(service.address).await?,
            host: service.address.to_string(),
            token: format!("Bearer {}", machine.token),
            templates: templates.clone(),
            next,
            size: templates.first().map_or(0, Template::len),
        });
    }
    Ok(workers)
}

/// One batch, by itself.
pub async fn once(service: &Service, machine: &Machine, template: &Template) -> anyhow::Result<()> {
    let mut connection = Connection::open(service.address).await?;
    let token = format!("Bearer {}", machine.token);
    let request = request(&service.address.to_string(), &token, template)?;
    let (status, body) = connection.call(request).await?;
    acknowledged(status, &body)
}
