//! Templates: what a tenant is to begin with, and a tenant as one, so that it can be the model of another.

mod model;
mod routes;

pub use model::{Template, parse, show};
pub use routes::routes;
