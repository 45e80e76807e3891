//! Filters: a tenant's conditions on signals, which decide whether an alert leaves to CAPI.

pub mod model;
mod queries;
mod routes;
mod rules;
mod trial;

pub use queries::{Import, import, import_into, insert_defaults, list};
pub use routes::routes;
pub use rules::Rules;
