//! Usage metrics of bouncers and log processors as operators see them.

mod model;
mod queries;
mod routes;

pub use routes::routes;
