//! Other machines that we talk to.

pub mod capi;
pub mod client;
pub mod lapi;
pub mod logs;
mod range;
mod resolve;
