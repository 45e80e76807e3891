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
