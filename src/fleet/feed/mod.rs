//! Lists for firewalls: what holds for addresses, in the formats that they read.

mod model;
mod queries;
mod routes;

pub use routes::routes;
