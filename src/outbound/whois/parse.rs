//! The texts of registries: `key: value` lines in paragraphs, in five dialects.

use std::net::IpAddr;

use super::super::registration::{Registration, clean, country, mail, prefixes, range, size};

/// Where a network begins; what follows belongs to it, up to the next.
const NETWORK: [&str; 3] = ["netrange", "inetnum", "inet6num"];
/// Who has it, the most exact first: ARIN's customer, ARIN, RIPE and its kin, LACNIC, IANA.
const ORGANIZATION: [&str; 6] = [
    "custname",
    "orgname",
    "org-name",
    "organization",
    "owner",
    "organisation",
];
/// What registries call the parts of the address space that they know nothing of.
const NOBODYS: [&str; 5] = [
    "NON-RIPE-NCC-MANAGED-ADDRESS-BLOCK",
    "IANA-NETBLOCK",
    "ERX-NETBLOCK",
    "IANA-BLK",
    "EU-ZZ-",
];

/// A line: its key in small letters, and its value.
type Line<'a> = (String, &'a str);

/// The text of an answer: UTF-8, else Latin-1, which LACNIC writes. Of one that was cut off, the whole lines.
pub fn decode(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| {
        let bytes = e.into_bytes();
        let end = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(bytes.len(), |at| at + 1);
        match std::str::from_utf8(&bytes[..end]) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        }
    })
}

/// The servers that an answer sends the asker to, by their names; what names another port or protocol is left out.
pub fn referrals(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(line).filter_map(|(key, value)| {
        if !matches!(key.as_str(), "refer" | "whois" | "referralserver") {
            return None;
        }
        let host = value.strip_prefix("whois://").unwrap_or(value);
        let host = host.strip_suffix('/').unwrap_or(host);
        let host = host.strip_suffix(":43").unwrap_or(host).trim_end_matches('.');
        Some(host.to_ascii_lowercase())
    })
}

/// Whether a registry says that it was asked too much: RIPE and its kin by number, the others in words.
pub fn is_refusal(text: &str) -> bool {
    text.lines().take(100).any(|line| {
        line.starts_with("%ERROR:2") || {
            let remark = !line.contains(':') || line.starts_with(['%', '#']);
            remark && line.to_ascii_lowercase().contains("rate limit exceeded")
        }
    })
}

/// What an answer tells of the network that an address is in: of several the smallest.
pub fn parse(text: &str, ip: IpAddr) -> Registration {
    let lines: Vec<Line<'_>> = text.lines().filter_map(line).collect();
    let begins: Vec<usize> = lines
        .iter()
        .enumerate()
        .filter(|(_, (key, _))| NETWORK.contains(&key.as_str()))
        .map(|(at, _)| at)
        .collect();
    let mut smallest: Option<(u128, &[Line<'_>])> = None;
    for (n, begin) in begins.iter().enumerate() {
        let end = begins.get(n + 1).copied().unwrap_or(lines.len());
        let network = &lines[*begin..end];
        let size = match range(network[0].1) {
            Some((lo, hi)) if lo <= ip && ip <= hi && lo.is_ipv4() == ip.is_ipv4() => size(lo, hi),
            // About something else.
            Some(_) => continue,
            None => u128::MAX,
        };
        if smallest.is_none_or(|(least, _)| size < least) {
            smallest = Some((size, network));
        }
    }
    match smallest {
        Some((_, network)) => registration(network, text),
        // No network at all, or none with the address in it.
        None if begins.is_empty() => registration(&lines, text),
        None => Registration::default(),
    }
}

fn registration(lines: &[Line<'_>], text: &str) -> Registration {
    let first = |keys: &[&str]| {
        keys.iter().find_map(|wanted| {
            let mut values = lines.iter().filter(|(key, _)| key == wanted);
            values.find_map(|(_, value)| clean(value))
        })
    };
    let net_name = first(&["netname", "net-name"]);
    if net_name
        .as_ref()
        .is_some_and(|name| NOBODYS.iter().any(|nobodys| name.starts_with(nobodys)))
    {
        return Registration::default();
    }
    let net_range = first(&NETWORK);
    let computed = || {
        let (lo, hi) = range(net_range.as_deref()?)?;
        prefixes(lo, hi)
    };
    let mut countries = lines.iter().filter(|(key, _)| key == "country");
    Registration {
        cidr: first(&["cidr"]).or_else(computed),
        organization: ORGANIZATION
            .iter()
            .filter_map(|key| first(&[key]))
            // RIPE and its kin write a handle where IANA writes a name.
            .find(|name| !name.starts_with("ORG-")),
        country: countries.find_map(|(_, value)| country(value)),
        descr: first(&["descr"]),
        abuse: abuse(lines, text),
        net_name,
        net_range,
    }
}

/// The address for complaints, from where registries put it, the surest first.
fn abuse(lines: &[Line<'_>], text: &str) -> Option<String> {
    let of = |keys: &[&str]| {
        let mut values = lines.iter().filter(|(key, _)| keys.contains(&key.as_str()));
        values.find_map(|(_, value)| mail(value))
    };
    // RIPE and APNIC: a remark before the network itself.
    let remarked = || {
        let mut remarks = text.lines().filter(|line| line.starts_with('%'));
        remarks.find_map(|line| line.contains("Abuse contact for").then(|| mail(line))?)
    };
    // LACNIC: a handle, and further down who that is.
    let by_handle = || {
        let handle = lines.iter().find(|(key, _)| key == "abuse-c")?.1;
        let at = lines
            .iter()
            .position(|(key, value)| key == "nic-hdl" && *value == handle);
        let at = at.or_else(|| {
            lines
                .iter()
                .position(|(key, value)| key == "nic-hdl-br" && *value == handle)
        })?;
        let person = lines[at + 1..]
            .iter()
            .take_while(|(key, _)| !key.starts_with("nic-hdl"));
        person
            .filter(|(key, _)| key == "e-mail")
            .find_map(|(_, value)| mail(value))
    };
    let on_a_line = || {
        let speaks =
            |line: &&Line<'_>| line.0.contains("abuse") || line.1.to_ascii_lowercase().contains("abuse");
        lines.iter().filter(speaks).find_map(|(_, value)| mail(value))
    };
    of(&["orgabuseemail"])
        .or_else(remarked)
        .or_else(|| of(&["abuse-mailbox"]))
        .or_else(by_handle)
        .or_else(on_a_line)
}

/// A line with a key; remarks and continuations have none.
fn line(text: &str) -> Option<Line<'_>> {
    if text.starts_with(['%', '#', ' ', '\t', '+']) {
        return None;
    }
    let (key, value) = text.split_once(':')?;
    let (key, value) = (key.trim(), value.trim());
    (!key.is_empty() && key.len() <= 40 && !value.is_empty()).then(|| (key.to_ascii_lowercase(), value))
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
