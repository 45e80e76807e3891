//! RDAP's JSON, as far as it tells what WHOIS does.

use std::net::IpAddr;

use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

use super::super::registration::{Registration, clean, country, mail, prefixes};
use crate::kernel::net::{Block, parse_address, parse_block};

/// How deep people stand within people.
const DEEPEST: usize = 4;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Network {
    object_class_name: String,
    start_address: String,
    end_address: String,
    name: Option<String>,
    country: Option<String>,
    #[serde(default, rename = "cidr0_cidrs")]
    cidrs: Vec<Cidr>,
    #[serde(default)]
    remarks: Vec<Remark>,
    #[serde(default)]
    entities: Vec<Entity>,
}

#[derive(Deserialize)]
struct Cidr {
    v4prefix: Option<String>,
    v6prefix: Option<String>,
    length: u8,
}

#[derive(Deserialize)]
struct Remark {
    title: Option<String>,
    #[serde(default)]
    description: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entity {
    #[serde(default)]
    roles: Vec<String>,
    vcard_array: Option<Value>,
    #[serde(default)]
    entities: Vec<Self>,
}

/// What an answer tells of the network that an address is in; `None` when it is no such answer, or about another one.
pub fn parse(body: &[u8], ip: IpAddr) -> Option<Registration> {
    let network: Network = serde_json::from_slice(body).ok()?;
    // LACNIC and its members write the length of the prefix behind the first address.
    let address = |text: &str| parse_address(text.split('/').next().unwrap_or_default());
    let (lo, hi) = (address(&network.start_address)?, address(&network.end_address)?);
    let about = network.object_class_name == "ip network"
        && lo.is_ipv4() == hi.is_ipv4()
        && lo.is_ipv4() == ip.is_ipv4();
    if !about || !(lo..=hi).contains(&ip) {
        return None;
    }
    let blocks: Vec<String> = network.cidrs.iter().filter_map(Cidr::text).collect();
    let all: Vec<&Entity> = people(&network.entities, DEEPEST);
    let of = |role: &str, field: &str| {
        let mut them = all.iter().filter(|entity| entity.roles.iter().any(|r| r == role));
        them.find_map(|entity| vcard(entity.vcard_array.as_ref()?, field))
    };
    Some(Registration {
        net_name: network.name.as_deref().and_then(clean),
        net_range: Some(format!("{lo} - {hi}")),
        cidr: if blocks.is_empty() {
            prefixes(lo, hi)
        } else {
            clean(&blocks.join(", "))
        },
        organization: of("registrant", "fn").as_deref().and_then(clean),
        country: network.country.as_deref().and_then(country),
        descr: network
            .remarks
            .iter()
            .filter(|remark| remark.title.as_deref().is_none_or(|title| title == "description"))
            .find_map(|remark| clean(remark.description.first()?)),
        abuse: of("abuse", "email").as_deref().and_then(mail),
    })
}

impl Cidr {
    fn text(&self) -> Option<String> {
        let prefix = parse_address(self.v4prefix.as_deref().or(self.v6prefix.as_deref())?)?;
        let block = Block::new(prefix, self.length)?;
        Some(format!("{}/{}", block.lo(), block.prefix_len()))
    }
}

/// Everybody, those further out first.
fn people(entities: &[Entity], depth: usize) -> Vec<&Entity> {
    let mut all: Vec<&Entity> = entities.iter().collect();
    if depth > 1 {
        for entity in entities {
            all.extend(people(&entity.entities, depth - 1));
        }
    }
    all
}

/// A text of a card: `["vcard", [["fn", {}, "text", "Some name"], …]]`.
fn vcard(card: &Value, field: &str) -> Option<String> {
    let lines = card.get(1)?.as_array()?;
    let texts = lines
        .iter()
        .filter(|line| line.get(0).is_some_and(|name| name == field));
    texts
        .filter_map(|line| line.get(3)?.as_str())
        .find(|text| !text.trim().is_empty())
        .map(str::to_owned)
}

/// IANA's list: which server has which blocks.
#[derive(Debug)]
pub struct Services(Vec<(Block, Url)>);

#[derive(Deserialize)]
struct List {
    services: Vec<(Vec<String>, Vec<String>)>,
}

/// Reads IANA's list (RFC 9224), which came by this scheme. Servers without TLS are left out, unless it came without it
/// itself.
pub fn services(body: &[u8], scheme: &str) -> Option<Services> {
    let list: List = serde_json::from_slice(body).ok()?;
    let mut services = Vec::new();
    for (blocks, urls) in list.services {
        let url = |text: &String| {
            Url::parse(text)
                .ok()
                .filter(|url| text.ends_with('/') && url.has_host())
        };
        let urls: Vec<Url> = urls.iter().filter_map(url).collect();
        let sure = urls.iter().find(|url| url.scheme() == "https");
        let Some(url) = sure.or_else(|| urls.iter().find(|url| url.scheme() == scheme)) else {
            continue;
        };
        services.extend(
            blocks
                .iter()
                .filter_map(|block| Some((parse_block(block)?, url.clone()))),
        );
    }
    Some(Services(services))
}

impl Services {
    /// The server of an address, by the longest prefix.
    pub fn of(&self, ip: IpAddr) -> Option<&Url> {
        let holders = self.0.iter().filter(|(block, _)| block.contains(ip));
        holders
            .max_by_key(|(block, _)| block.prefix_len())
            .map(|(_, url)| url)
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
