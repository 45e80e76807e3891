//! Names that tenants wrote, resolved to what may be connected to. Whoever answers for such a name is as hostile as who
//! wrote it: every answer is checked, at every connection anew, and the connection goes to what was checked.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::client::Policy;

/// How long a resolution may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most addresses of one name that are tried.
const MOST_ADDRESSES: usize = 8;

/// Asks for the addresses of a name.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// The way this machine resolves names.
#[must_use]
pub fn system() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// Resolves a name, and keeps what may be connected to. It does not learn the port: for our own there is one of these
/// that leaves our own addresses out, too.
pub struct Checked {
    pub policy: Arc<Policy>,
    pub own_port: bool,
    pub lookup: Lookup,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, own_port) = (self.policy.clone(), self.own_port);
        let asked = (self.lookup)(name.as_str().to_owned());
        Box::pin(async move {
            let found = tokio::time::timeout(PATIENCE, asked).await??;
            let lets = |ip: &IpAddr| policy.allows(*ip) && !(own_port && policy.is_own(*ip));
            let good: Vec<_> = found.into_iter().filter(lets).take(MOST_ADDRESSES).collect();
            if good.is_empty() {
                return Err("the name resolves to no address that may be reached".into());
            }
            // The port is the URL's.
            Ok(Box::new(good.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
