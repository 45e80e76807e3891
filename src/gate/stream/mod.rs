//! The decisions stream: what an engine pulls from CAPI passes through here as it arrives, and the last good answer
//! is kept for the time when CAPI is away.

mod model;
mod queries;
mod routes;

pub use routes::routes;
