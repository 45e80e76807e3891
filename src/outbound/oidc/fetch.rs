//! One small request, one small answer.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::{RequestBuilder, StatusCode, Url};

use crate::outbound::broken;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a whole exchange may take: a login has three of them at most.
const EXCHANGE: Duration = Duration::from_secs(6);

/// A client that follows nothing.
pub(super) fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT)
        .timeout(EXCHANGE)
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(4)
        .user_agent(concat!("garrison/v", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Sends a request and reads the answer whole, up to a limit.
pub(super) async fn whole(request: RequestBuilder, limit: usize) -> Result<(StatusCode, Bytes), String> {
    let mut response = request.send().await.map_err(broken)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > limit {
            return Err("its answer is too large".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, body.into()))
}

/// A form's body.
pub(super) fn form(pairs: &[(&str, &str)]) -> String {
    let Ok(mut url) = Url::parse("https://x/") else {
        return String::new();
    };
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

/// Name and secret of a client, each as a form writes it (RFC 6749, 2.3.1).
pub(super) fn basic(id: &str, secret: &str) -> String {
    let written = |text: &str| form(&[("", text)]).trim_start_matches('=').to_owned();
    format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", written(id), written(secret)))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_secrets_are_written_as_they_are_read() {
        assert_eq!(form(&[("a", "b c"), ("d", "é&=")]), "a=b+c&d=%C3%A9%26%3D");
        // "a%3Ab:c+d"
        assert_eq!(
            basic("a:b", "c d"),
            format!("Basic {}", STANDARD.encode("a%3Ab:c+d"))
        );
        assert_eq!(basic("id", "=x"), format!("Basic {}", STANDARD.encode("id:%3Dx")));
    }
}
