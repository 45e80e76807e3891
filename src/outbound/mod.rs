//! Other machines that we talk to.

pub mod capi;
pub mod client;
pub mod directory;
pub mod geoip;
pub mod lapi;
pub mod logs;
pub mod oidc;
mod range;
pub mod rdap;
pub mod registration;
mod resolve;
pub mod reverse;
pub mod whois;

/// What came of an exchange that did not come to its end, without the address: there may be secrets in it.
fn broken(e: reqwest::Error) -> String {
    let what = if e.is_timeout() {
        "no answer in time"
    } else if e.is_connect() {
        "no connection"
    } else {
        "the exchange broke"
    };
    format!("{what}: {}", e.without_url())
}
