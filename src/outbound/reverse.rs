//! Reverse DNS: the names that the owner of an address gave it. They are whatever they like to write.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a name server is waited for before it is asked again: a datagram may be lost.
const ONE_TRY: Duration = Duration::from_millis(1200);
/// Most names that are told.
const MOST_NAMES: usize = 10;

/// Why there are no names: nobody said that there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReverseError {
    /// Nothing came.
    #[error("the name server does not answer in time")]
    Slow,
    /// It answers that it cannot tell, or what is no answer.
    #[error("the name server cannot tell")]
    Failed,
    /// This machine's configuration names no name server.
    #[error("there is no name server")]
    NoServer,
}

/// Who is asked.
#[derive(Clone)]
pub struct Reverse {
    resolver: Option<TokioResolver>,
}

impl std::fmt::Debug for Reverse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reverse({})", self.resolver.is_some())
    }
}

impl Reverse {
    /// This name server.
    #[must_use]
    pub fn at(server: SocketAddr) -> Self {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.port();
            connection
        });
        let server = NameServerConfig::new(server.ip(), true, connections.to_vec());
        Self::with(ResolverConfig::from_name_servers(vec![server]))
    }

    /// Those that this machine is configured with.
    #[must_use]
    pub fn of_this_machine() -> Self {
        match hickory_resolver::system_conf::read_system_conf() {
            Ok((config, _)) if !config.name_servers().is_empty() => Self::with(config),
            Ok(_) => Self { resolver: None },
            Err(e) => {
                tracing::warn!(cause = %e, "no name server is known: there will be no reverse DNS");
                Self { resolver: None }
            }
        }
    }

    fn with(config: ResolverConfig) -> Self {
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options();
        let resolver = builder.build();
        if let Err(e) = &resolver {
            tracing::warn!(cause = %e, "there will be no reverse DNS");
        }
        Self {
            resolver: resolver.ok(),
        }
    }

    /// The names of an address, in the order of the alphabet.
    ///
    /// # Errors
    /// When nobody told whether there are any.
    pub async fn look_up(&self, ip: IpAddr) -> Result<Vec<String>, ReverseError> {
        let resolver = self.resolver.as_ref().ok_or(ReverseError::NoServer)?;
        let asked = resolver.lookup(Name::from(ip), RecordType::PTR);
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(found)) => {
                let names = found.answers().iter().filter_map(|record| match &record.data {
                    RData::PTR(name) => host_name(&name.0.to_ascii()),
                    _ => None,
                });
                let names: BTreeSet<String> = names.collect();
                Ok(names.into_iter().take(MOST_NAMES).collect())
            }
            Ok(Err(e)) if e.is_no_records_found() => Ok(Vec::new()),
            Ok(Err(e)) => {
                tracing::debug!(cause = %e, "reverse DNS");
                let slow = matches!(e, hickory_resolver::net::NetError::Timeout);
                Err(if slow {
                    ReverseError::Slow
                } else {
                    ReverseError::Failed
                })
            }
            Err(_) => Err(ReverseError::Slow),
        }
    }
}

fn options() -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = ONE_TRY;
    options.attempts = 1;
    // Whoever asks here keeps the answer by itself.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.num_concurrent_reqs = 1;
    options
}

/// A name as hosts have them; what else somebody wrote into DNS is not told.
fn host_name(text: &str) -> Option<String> {
    let name = text.trim_end_matches('.').to_ascii_lowercase();
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    (plain && !name.is_empty() && name.len() <= 253).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_names_are_told() {
        for (text, expected) in [
            ("Mail.Example.org.", Some("mail.example.org")),
            ("_x.example", Some("_x.example")),
            ("<script>.example.", None),
            ("a\\010b.example.", None),
            ("a b.example", None),
            (".", None),
            ("", None),
        ] {
            assert_eq!(host_name(text).as_deref(), expected, "{text}");
        }
    }
}
