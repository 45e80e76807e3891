//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};
use cidr::IpCidr;

use crate::kernel::net::{Block, parse_address};

/// The address that a request comes from, among its extensions: the guard put it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client(pub IpAddr);

/// The address that a request comes from; an IPv4-mapped one is the IPv4 address.
#[must_use]
pub fn client(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get().map(|Client(address)| *address)
}

/// The peer, or, where that is a proxy of ours, who it says called it. Of several the last that is no proxy of ours: what
/// stands before it anybody may have written.
pub fn find(extensions: &Extensions, headers: &HeaderMap, proxies: &[IpCidr]) -> Option<Client> {
    let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    let peer = Block::host(peer.ip()).lo();
    let is_ours = |address: &IpAddr| proxies.iter().any(|network| network.contains(address));
    if !is_ours(&peer) {
        return Some(Client(peer));
    }
    let told: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .collect();
    for text in told.into_iter().rev() {
        match parse_address(text) {
            Some(address) if is_ours(&address) => {}
            Some(address) => return Some(Client(address)),
            // What cannot be read was not written by a proxy of ours: whoever sent it is not known.
            None => return Some(Client(peer)),
        }
    }
    Some(Client(peer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_proxies_are_believed() {
        let proxies: Vec<IpCidr> = ["10.0.0.0/8", "::1"]
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect();
        for (peer, told, expected) in [
            ("192.0.2.1:5", &[][..], "192.0.2.1"),
            ("192.0.2.1:5", &["203.0.113.9"], "192.0.2.1"),
            ("[::ffff:192.0.2.1]:5", &[], "192.0.2.1"),
            ("10.0.0.1:5", &["203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1:5", &["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1:5", &["1.1.1.1", "203.0.113.9, 10.1.1.1"], "203.0.113.9"),
            ("10.0.0.1:5", &["1.1.1.1, nonsense"], "10.0.0.1"),
            ("10.0.0.1:5", &["10.2.2.2"], "10.0.0.1"),
            ("10.0.0.1:5", &[], "10.0.0.1"),
            ("[::1]:5", &["2001:db8::1"], "2001:db8::1"),
        ] {
            let mut extensions = Extensions::new();
            extensions.insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
            let mut headers = HeaderMap::new();
            for value in told {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            let found = find(&extensions, &headers, &proxies);
            assert_eq!(found, Some(Client(expected.parse().unwrap())), "{peer} {told:?}");
        }
        assert_eq!(find(&Extensions::new(), &HeaderMap::new(), &proxies), None);
    }
}
