//! Asks the service on this machine how it is: the health check of a container that has no shell and no curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::output::say;
use crate::config::Config;

/// How long the service may take.
const LIMIT: Duration = Duration::from_secs(3);

/// What to ask.
#[derive(clap::Args)]
pub struct Args {
    /// Ask only whether the process answers, not whether it is ready for work.
    #[arg(long)]
    live: bool,
}

/// Fails when the service does not answer with 200.
pub async fn run(config: &Config, args: &Args) -> anyhow::Result<()> {
    let address = reachable(config.server.listen);
    let path = if args.live { "/healthz" } else { "/readyz" };
    let answer = tokio::time::timeout(LIMIT, ask(address, path)).await;
    let answer = answer
        .with_context(|| format!("{address} does not answer"))?
        .with_context(|| format!("asking {address}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        bail!("{address} answers {status}: {}", body.trim());
    }
    say(body.trim());
    Ok(())
}

/// Who listens on every address is reached on loopback.
const fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everywhere_is_asked_on_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("192.0.2.7:80", "192.0.2.7:80"),
            ("127.0.0.1:1", "127.0.0.1:1"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
