//! Persons that a reverse proxy of ours logged in, and names in headers.
//!
//! What counts is who holds the other end of the connection, not what a header says of it: `X-Forwarded-For` anybody may
//! write. From any other peer the headers are as if they were not there.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};
use cidr::IpCidr;
use jiff::Timestamp;

use super::extract::Shown;
use super::identity::{How, Identity, Refused, Settled};
use super::principal::Principal;
use super::sessions::Session;
use super::{Auth, shared};
use crate::db::DbError;
use crate::http::{ApiError, Trace};
use crate::kernel::mailbox::{email, is_name};
use crate::kernel::net::Block;

/// The issuer of what proxies say: no address, so that no provider has it.
pub const ISSUER: &str = "headers";
/// Longest value.
const LONGEST: usize = 1024;
/// The seconds of a day.
const DAY: i64 = 86_400;

/// Whom a proxy says asks.
pub type Asserted = Arc<Identity>;
/// What is known of them.
pub(super) type Known = Arc<Result<Session, Refused>>;

/// Whom the headers name; none where the peer is no proxy of ours, or names nobody.
///
/// # Errors
/// 400 for what no proxy of ours sends: then somebody else's header came through it.
pub fn read(
    extensions: &Extensions,
    headers: &HeaderMap,
    proxies: &[IpCidr],
) -> Result<Option<Asserted>, ApiError> {
    if proxies.is_empty() {
        return Ok(None);
    }
    let Some(ConnectInfo(peer)) = extensions.get::<ConnectInfo<SocketAddr>>() else {
        return Ok(None);
    };
    let peer = Block::host(peer.ip()).lo();
    if !proxies.iter().any(|network| network.contains(&peer)) {
        return Ok(None);
    }
    let Some(subject) = value(headers, "Auth-Sub")?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let address = value(headers, "Auth-Email")?.unwrap_or_default();
    let name = value(headers, "Auth-Name")?.unwrap_or_default();
    let groups = value(headers, "Auth-Groups")?.unwrap_or_default();
    let groups = groups
        .split([',', ';'])
        .map(str::trim)
        .filter(|group| !group.is_empty());
    Ok(Some(Arc::new(Identity {
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        email: email(address),
        name: if is_name(name) {
            name.to_owned()
        } else {
            String::new()
        },
        groups: groups.map(str::to_owned).collect(),
    })))
}

fn value<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, ApiError> {
    let mut all = headers.get_all(name).iter();
    let Some(first) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(ApiError::field(name, "must be sent once"));
    }
    let text = std::str::from_utf8(first.as_bytes()).ok().map(str::trim);
    text.filter(|text| text.len() <= LONGEST && !text.contains(char::is_control))
        .map(Some)
        .ok_or_else(|| {
            ApiError::field(
                name,
                "must have at most 1024 bytes of UTF-8 without control characters",
            )
        })
}

impl Auth {
    /// Whom a proxy names, and what they may do.
    pub(super) async fn of_proxy(&self, shown: &Shown, who: &Asserted) -> Result<Principal, ApiError> {
        let found = self
            .asserted
            .try_get_with(who.clone(), self.find_asserted(who, shown))
            .await;
        let found = found.map_err(|e| ApiError::from(shared(&e)))?;
        let session = match &*found {
            Ok(session) => session,
            Err(refused) => return Err(ApiError::Forbidden(refused.text())),
        };
        let principal = self.of_session(shown, session).await?;
        // There is no session: what a page shows belongs to the person and the day, and yesterday's is good, too, so that
        // no page fails at midnight.
        let today = Timestamp::now().as_second().div_euclid(DAY);
        let tag = |day: i64| {
            self.ring
                .csrf_tag(format!("{ISSUER} {:?} {day}", principal.who).as_bytes())
        };
        Ok(Principal {
            csrf: Some(tag(today)),
            csrf_before: Some(tag(today - 1)),
            ..principal
        })
    }

    async fn find_asserted(&self, who: &Asserted, shown: &Shown) -> Result<Known, DbError> {
        let trace = Trace::from(shown.from);
        Ok(Arc::new(match self.settle(who, How::Look, &trace).await? {
            Settled::Out(why, person) => {
                tracing::warn!(person, why = ?why, "a person whom a proxy named was refused");
                Err(why)
            }
            Settled::In { id, .. } => self.find_person(id).await?.ok_or(Refused::Disabled),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, all: &[(&'static str, &[u8])]) -> Result<Option<Asserted>, ApiError> {
        let proxies: Vec<IpCidr> = ["10.0.0.0/8", "::1"]
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect();
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(*name, axum::http::HeaderValue::from_bytes(value).unwrap());
        }
        read(&extensions, &headers, &proxies)
    }

    #[test]
    fn only_the_peer_counts() {
        let sub: (&str, &[u8]) = ("auth-sub", b"ada");
        for (peer, more, good) in [
            ("10.1.2.3:4", None, true),
            ("[::1]:4", None, true),
            ("[::ffff:10.1.2.3]:4", None, true),
            ("192.0.2.1:4", None, false),
            ("192.0.2.1:4", Some(("x-forwarded-for", &b"10.1.2.3"[..])), false),
            ("192.0.2.1:4", Some(("forwarded", &b"for=10.1.2.3"[..])), false),
            ("10.1.2.3:4", Some(("x-forwarded-for", &b"192.0.2.1"[..])), true),
        ] {
            let all: Vec<_> = std::iter::once(sub).chain(more).collect();
            assert_eq!(of(peer, &all).unwrap().is_some(), good, "{peer} {more:?}");
        }
        assert!(
            read(&Extensions::new(), &HeaderMap::new(), &[])
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn values_are_read_whole_or_refused() {
        let peer = "10.0.0.1:1";
        let read = of(
            peer,
            &[
                ("auth-sub", b" ada "),
                ("auth-email", b"Ada@Example.org"),
                ("auth-name", "Åda".as_bytes()),
                ("auth-groups", b"ops; view ,, "),
            ],
        );
        let ada = read.unwrap().unwrap();
        assert_eq!((&*ada.subject, &*ada.name), ("ada", "Åda"));
        assert_eq!(ada.email.as_deref(), Some("ada@example.org"));
        assert_eq!(ada.groups, ["ops", "view"]);
        // The header names nobody: then whatever else the request shows counts.
        assert!(of(peer, &[]).unwrap().is_none());
        assert!(of(peer, &[("auth-sub", b" ")]).unwrap().is_none());
        for wrong in [
            &[("auth-sub", &b"ada"[..]), ("auth-sub", b"eve")][..],
            &[("auth-sub", b"ada\xff")],
            &[("auth-sub", b"ada\tx")],
            &[("auth-sub", &[b'a'; 1025])],
            &[("auth-sub", b"ada"), ("auth-groups", &[b'a'; 1025])],
            &[
                ("auth-sub", b"ada"),
                ("auth-email", b"a@b.org"),
                ("auth-email", b"c@d.org"),
            ],
        ] {
            assert!(of(peer, wrong).is_err(), "{wrong:?}");
        }
        assert!(
            of("192.0.2.1:1", &[("auth-sub", b"ada"), ("auth-sub", b"eve")])
                .unwrap()
                .is_none()
        );
    }
}
