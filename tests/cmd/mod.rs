//! The program as its operator meets it: starting, splitting, stopping, refusing, moving house.
mod config;
mod geoip;
mod monitoring;
pub mod process;
mod restore;
mod serve;
