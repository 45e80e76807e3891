//! Alerts: what was stored, newest first.

mod model;
mod queries;
mod routes;

pub use model::{Conditions, Filter, Window};
pub use queries::{Asked, ask};
pub use routes::routes;
