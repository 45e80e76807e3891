//! What the world tells of an address: its names, and who has its network. Public facts: they are no tenant's, and all
//! replicas share them.

mod model;
mod queries;
mod routes;

pub use routes::routes;
