//! WHOIS (RFC 3912): a line to port 43, a text back. The root says which registry has an address; what a server says may
//! lead to the registries of the operator's list and to nobody else.

mod parse;

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::registration::Registration;
use parse::{decode, is_refusal, parse, referrals};

/// How long a query may take, connection and all.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read.
const ANSWER_LIMIT: u64 = 100 * 1024;
/// Most servers that are asked for one address: the root, a registry, and the one it transferred the address to.
const HOPS: usize = 3;
/// The registry that lists everything that overlaps unless it is asked otherwise.
const ARIN: &str = "whois.arin.net";

/// A WHOIS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// What referrals call it.
    pub name: String,
    /// Where it is reached.
    pub host: String,
    /// On which port.
    pub port: u16,
}

/// Why nobody told anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhoisError {
    /// Connected or not, there was no end to it.
    #[error("{0} does not answer in time")]
    Slow(String),
    /// No name, no connection, or a broken one.
    #[error("{0} cannot be reached")]
    Unreachable(String),
    /// It was asked too much.
    #[error("{0} does not answer for now: it was asked too often")]
    Refused(String),
}

/// The way to the registries.
#[derive(Debug, Clone)]
pub struct Whois {
    /// Where it begins.
    pub root: Server,
    /// Where a referral may lead to.
    pub registries: Vec<Server>,
}

impl Whois {
    /// What the registry of an address tells, and its name; `None` when it knows nothing.
    ///
    /// # Errors
    /// When the root or the first registry does not answer.
    pub async fn look_up(&self, ip: IpAddr) -> Result<Option<(Registration, String)>, WhoisError> {
        let mut server = &self.root;
        let mut asked = Vec::new();
        let mut best = None;
        loop {
            let text = match ask(server, ip).await {
                Ok(text) if best.is_none() && is_refusal(&text) && parse(&text, ip).is_empty() => {
                    return Err(WhoisError::Refused(server.name.clone()));
                }
                Ok(text) => text,
                // The registry before was willing to tell something.
                Err(_) if best.is_some() => return Ok(best),
                Err(e) => return Err(e),
            };
            asked.push(server.name.as_str());
            let next = referrals(&text)
                .find_map(|name| self.registries.iter().find(|registry| registry.name == name))
                .filter(|registry| !asked.contains(&registry.name.as_str()) && asked.len() < HOPS);
            // What the root says of an address that a registry has is not about the address.
            if next.is_none() || asked.len() > 1 {
                let told = parse(&text, ip);
                if !told.is_empty() {
                    best = Some((told, server.name.clone()));
                }
            }
            match next {
                Some(next) => server = next,
                None => return Ok(best),
            }
        }
    }
}

/// What is sent: nothing in it is a stranger's text.
fn query(server: &Server, ip: IpAddr) -> String {
    // `n`: networks; `+`: each with all its details, in place of a list.
    let form = if server.name == ARIN { "n + " } else { "" };
    format!("{form}{ip}\r\n")
}

async fn ask(server: &Server, ip: IpAddr) -> Result<String, WhoisError> {
    let exchange = async {
        let mut socket = TcpStream::connect((server.host.as_str(), server.port)).await?;
        socket.write_all(query(server, ip).as_bytes()).await?;
        let mut answer = Vec::new();
        socket.take(ANSWER_LIMIT).read_to_end(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(Ok(answer)) => Ok(decode(answer)),
        Ok(Err(e)) => {
            tracing::debug!(server = server.name, cause = %e, "WHOIS");
            Err(WhoisError::Unreachable(server.name.clone()))
        }
        Err(_) => Err(WhoisError::Slow(server.name.clone())),
    }
}
