//! Tenants: organisations, each of which owns its rows.

mod model;
mod queries;
mod routes;

pub use model::is_name;
pub use queries::{
    Change, NewTenant, TenantRow, find, find_any, forget, get, insert, list, remove, renew_key, update,
};
pub use routes::{NewTenantView, find as find_by_path, read_name, routes};
