//! Signals: what an engine pushes, judged and stored as alerts before it is answered.

pub mod model;
mod queries;
mod routes;

pub use queries::OwnLogins;
pub use routes::routes;
