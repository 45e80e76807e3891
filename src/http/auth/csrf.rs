//! Requests that a browser sends by itself: whether a page of ours made it send them.

use axum::http::{HeaderMap, Method, header};

use crate::http::ApiError;
use crate::kernel::keyring::same_secret;

/// The header that carries what the login answered.
pub const HEADER: &str = "x-csrf-token";
/// The field of a form that does.
pub const FIELD: &str = "csrf_token";

/// Whether a method may change something.
#[must_use]
pub fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Refuses a request that another site made the browser send. Programs send neither header.
///
/// # Errors
/// 403.
pub fn check_origin(headers: &HeaderMap, own: Option<&str>) -> Result<(), ApiError> {
    const FOREIGN: ApiError = ApiError::Forbidden("another site may not do this");
    let mut sites = headers.get_all("sec-fetch-site").iter();
    if sites.any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none")) {
        return Err(FOREIGN);
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return Ok(());
    };
    let origin = origin.to_str().map_err(|_| FOREIGN)?;
    let is_own = match own {
        Some(own) => origin == own,
        // Where nobody said what we are called, it is what the browser called.
        None => {
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
            let called = origin
                .strip_prefix("https://")
                .or_else(|| origin.strip_prefix("http://"));
            host.is_some() && called == host
        }
    };
    if is_own && origins.next().is_none() {
        Ok(())
    } else {
        Err(FOREIGN)
    }
}

/// Refuses a request that was authenticated by cookie and does not show what belongs to the session.
///
/// # Errors
/// 403.
pub fn check_token(shown: Option<&str>, tag: &[u8; 16]) -> Result<(), ApiError> {
    if shown.is_some_and(|shown| same_secret(shown.as_bytes(), text(tag).as_bytes())) {
        Ok(())
    } else {
        Err(ApiError::Forbidden(
            "this needs the session's X-CSRF-Token, which the login answered and /api/me tells",
        ))
    }
}

/// As it is shown.
#[must_use]
pub fn text(tag: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn other_sites_are_refused() {
        let own = Some("https://garrison.example");
        for (all, own, good) in [
            (&[][..], own, true),
            (&[("origin", "https://garrison.example")], own, true),
            (&[("origin", "https://garrison.example:443")], own, false),
            (&[("origin", "http://garrison.example")], own, false),
            (&[("origin", "https://garrison.example.evil")], own, false),
            (&[("origin", "null")], own, false),
            (&[("origin", "null"), ("host", "null")], None, false),
            (
                &[("origin", "https://evil.example"), ("host", "garrison.example")],
                own,
                false,
            ),
            (
                &[("origin", "http://localhost:8080"), ("host", "localhost:8080")],
                None,
                true,
            ),
            (
                &[("origin", "http://localhost:8081"), ("host", "localhost:8080")],
                None,
                false,
            ),
            (&[("origin", "http://localhost:8080")], None, false),
            (&[("sec-fetch-site", "same-origin")], own, true),
            (&[("sec-fetch-site", "none")], own, true),
            (&[("sec-fetch-site", "same-site")], own, false),
            (&[("sec-fetch-site", "cross-site")], own, false),
            (
                &[
                    ("sec-fetch-site", "same-origin"),
                    ("sec-fetch-site", "cross-site"),
                ],
                own,
                false,
            ),
            (
                &[
                    ("sec-fetch-site", "same-origin"),
                    ("origin", "https://evil.example"),
                ],
                own,
                false,
            ),
        ] {
            assert_eq!(check_origin(&headers(all), own).is_ok(), good, "{all:?}");
        }
    }

    #[test]
    fn only_the_sessions_own_text_is_good() {
        let tag = [0xab; 16];
        assert!(check_token(Some(&text(&tag)), &tag).is_ok());
        assert_eq!(text(&tag).len(), 32);
        for wrong in [
            None,
            Some(""),
            Some("ab"),
            Some(&*text(&[0xaa; 16])),
            Some(&*text(&tag).to_uppercase()),
        ] {
            assert!(check_token(wrong, &tag).is_err(), "{wrong:?}");
        }
    }
}
