//! API tokens: what programs show to the management API.

mod model;
mod queries;
mod routes;

pub use model::{Draft, Wrong, lifetime};
pub use queries::{Made, TokenRow, count, get, insert, list, revoke, rotate, tenant_of};
pub use routes::routes;
