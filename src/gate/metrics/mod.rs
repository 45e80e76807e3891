//! Metrics of engines on their way to CAPI: understood, stored, and passed on as they came.

mod model;
mod queries;
mod routes;

pub use routes::{routes, routes_v1};
