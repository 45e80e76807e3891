//! Tenants: organisations, each of which owns its rows.

mod jobs;
mod model;
mod queries;
mod routes;

pub use jobs::erase;
pub use model::is_name;
pub use queries::{
    Change, NewTenant, TenantRow, find, find_any, forget, get, insert, list, remove, renew_key, update,
};
pub use routes::{NewTenantView, owner, read_name, routes};
