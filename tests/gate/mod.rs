//! What machines speak: real engines, recorded ones, hostile ones.
mod acceptance;
mod bombs;
mod cscapi;
mod engine;
mod faults;
mod hostile;
mod link;
mod metrics;
mod odd;
mod paths;
mod recorded;
mod relay;
