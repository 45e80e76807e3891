//! LAPI servers: where a tenant's decisions are searched in and written to.

mod model;
mod queries;
mod routes;

pub use model::{Draft, SERVER_LIMIT, Server, is_name, place};
pub use queries::{Refused, check, delete, get, get_by_id, insert, list, update};
pub use routes::routes;
