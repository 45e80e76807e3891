//! Usage metrics of bouncers and log processors as operators see them.

mod jobs;
mod model;
mod queries;
mod routes;

pub use jobs::expire;
pub use queries::delete_old;
pub use routes::routes;
