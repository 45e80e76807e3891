//! Other machines that we talk to.

pub mod capi;
