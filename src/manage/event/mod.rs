//! Live events: what happens to a tenant's alerts and decisions, as a stream that can be resumed without loss.

mod jobs;
mod model;
mod queries;
mod routes;

pub use jobs::forget;
pub use routes::routes;
