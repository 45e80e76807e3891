//! Whom to ask about addresses, as the configuration says.

use std::net::SocketAddr;

use anyhow::Context as _;

use crate::config::{Config, IpSource, NameServer, WhoisServer};
use crate::outbound::client::Guarded;
use crate::outbound::directory::{Directory, Registry};
use crate::outbound::rdap::{Rdap, Start};
use crate::outbound::reverse::Reverse;
use crate::outbound::whois::{Server, Whois};

/// The directory that the configuration names.
pub fn directory(config: &Config, listens: Option<SocketAddr>) -> anyhow::Result<Directory> {
    let config_of = &config.ip_info;
    let reverse = match config_of.name_server {
        NameServer::System => Some(Reverse::of_this_machine()),
        NameServer::At(server) => Some(Reverse::at(server)),
        NameServer::None => None,
    };
    let mut registries = Vec::new();
    for source in &config_of.sources {
        registries.push(match source {
            IpSource::Whois => Registry::Whois(Whois {
                root: server(&config_of.whois_root),
                registries: config_of.whois_registries.iter().map(server).collect(),
            }),
            IpSource::Rdap => {
                let start = match &config_of.rdap_url {
                    Some(url) => Start::Server(url.parse().context("ip_info.rdap_url")?),
                    None => {
                        let folder = config_of.rdap_bootstrap.parse();
                        Start::Lists(folder.context("ip_info.rdap_bootstrap")?)
                    }
                };
                // Whoever answers may send us anywhere: what tenants' URLs may not reach, theirs may not either.
                let guarded = Guarded::new(super::lapi::policy(config, listens))?;
                Registry::Rdap(Box::new(Rdap::new(guarded, start)))
            }
        });
    }
    Ok(Directory { reverse, registries })
}

fn server(server: &WhoisServer) -> Server {
    Server {
        name: server.name.clone(),
        host: server.host.clone(),
        port: server.port,
    }
}
