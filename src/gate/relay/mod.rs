//! Everything else that an engine asks of CAPI: passed on with a list of headers, for machines that we know.

mod model;
mod queries;
mod routes;
mod send;

pub use model::is_relayed;
pub use routes::{BODY_LIMIT, answer, pass, routes};
pub use send::{Given, PATIENCE, Relayed, credential, send};
