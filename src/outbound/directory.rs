//! All that the world tells of an address, each part within its time: names, and the registration of its network.

use std::net::IpAddr;
use std::time::Duration;

use super::rdap::Rdap;
use super::registration::Registration;
use super::reverse::Reverse;
use super::whois::Whois;

/// How long the registries may take altogether.
const PATIENCE: Duration = Duration::from_secs(12);

/// A way to ask a registry.
#[derive(Debug, Clone)]
pub enum Registry {
    /// TCP port 43.
    Whois(Whois),
    /// JSON over HTTPS.
    Rdap(Box<Rdap>),
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Names of the address.
    pub names: Vec<String>,
    /// What a registry tells of its network.
    pub registration: Option<Registration>,
    /// That registry.
    pub source: Option<String>,
    /// What did not work, a sentence each.
    pub failures: Vec<String>,
}

/// Whom to ask.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// For names; nobody where there is none.
    pub reverse: Option<Reverse>,
    /// For registrations: the first that knows something.
    pub registries: Vec<Registry>,
}

impl Directory {
    /// Asks. It takes 12 s at most, and there is always something to tell.
    pub async fn look_up(&self, ip: IpAddr) -> Told {
        let names = async {
            match &self.reverse {
                Some(reverse) => reverse.look_up(ip).await,
                None => Ok(Vec::new()),
            }
        };
        let (names, mut told) = tokio::join!(names, self.registration(ip));
        match names {
            Ok(names) => told.names = names,
            Err(e) => told.failures.insert(0, format!("reverse DNS: {e}")),
        }
        told
    }

    async fn registration(&self, ip: IpAddr) -> Told {
        let mut told = Told::default();
        let until = tokio::time::Instant::now() + PATIENCE;
        for registry in &self.registries {
            let (way, asked) = match registry {
                Registry::Whois(whois) => {
                    let asked = tokio::time::timeout_at(until, whois.look_up(ip)).await;
                    ("WHOIS", asked.map(|got| got.map_err(|e| e.to_string())))
                }
                Registry::Rdap(rdap) => {
                    let asked = tokio::time::timeout_at(until, rdap.look_up(ip)).await;
                    ("RDAP", asked.map(|got| got.map_err(|e| e.to_string())))
                }
            };
            match asked {
                Ok(Ok(Some((registration, source)))) => {
                    told.registration = Some(registration);
                    told.source = Some(source);
                    // What another way did not tell does not matter any more.
                    told.failures.clear();
                    return told;
                }
                Ok(Ok(None)) => {}
                Ok(Err(e)) => told.failures.push(format!("{way}: {e}")),
                Err(_) => told.failures.push(format!("{way}: no time was left")),
            }
        }
        told
    }
}
