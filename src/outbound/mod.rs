//! Other machines that we talk to.

pub mod capi;
pub mod client;
pub mod geoip;
pub mod lapi;
mod range;
mod resolve;
