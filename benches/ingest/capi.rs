//! A stand-in of CAPI in this process that takes everything and counts it.

use std::convert::Infallible;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::net::TcpListener;

pub struct Capi {
    address: SocketAddr,
    taken: Arc<AtomicU64>,
}

impl Capi {
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let taken = Arc::new(AtomicU64::new(0));
        let count = taken.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let count = count.clone();
                let answer = service_fn(move |request| answer(request, count.clone()));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Ok(Self { address, taken })
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Signals it took.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

async fn answer(
    request: Request<Incoming>,
    count: Arc<AtomicU64>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let text = if head.uri.path().ends_with("/login") {
        let expire = Timestamp::now() + SignedDuration::from_hours(1);
        json!({"code": 200, "expire": expire.to_string(), "token": "taken-as-it-is"}).to_string()
    } else {
        if head.uri.path().ends_with("/signals") {
            let packed = head.headers.get("content-encoding").is_some();
            count.fetch_add(items(&body, packed), Ordering::Relaxed);
        }
        r#"{"message":"OK"}"#.to_owned()
    };
    let answer = Response::builder().header("content-type", "application/json");
    Ok(answer.body(Full::new(Bytes::from(text))).unwrap_or_default())
}

fn items(body: &[u8], packed: bool) -> u64 {
    let mut text = Vec::new();
    if packed {
        let read = flate2::read::GzDecoder::new(body).read_to_end(&mut text);
        read.map_or(0, |_| items(&text, false))
    } else {
        serde_json::from_slice::<Vec<&RawValue>>(body).map_or(0, |list| list.len() as u64)
    }
}
