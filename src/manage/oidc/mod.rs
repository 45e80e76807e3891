//! Logging in through an identity provider, and out again.

mod model;
mod routes;

pub use routes::routes;
