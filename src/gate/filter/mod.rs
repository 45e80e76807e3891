//! Filters: a tenant's conditions on signals, which decide whether an alert leaves to CAPI.

pub mod model;
mod queries;
mod routes;
mod rules;
mod trial;

pub use queries::{Import, SIZE_LIMIT, StoredRule, import, import_into, insert_all, insert_defaults, list};
pub use routes::{RULE_LIMIT, routes};
pub use rules::Rules;
