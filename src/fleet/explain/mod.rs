//! Everything that a tenant's rows say of an address, in the order of time, and what can be done about it.

mod model;
mod queries;
mod routes;

pub use routes::routes;
