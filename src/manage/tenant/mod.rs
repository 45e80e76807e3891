//! Tenants: organisations, each of which owns its rows.

mod model;
mod queries;
mod routes;

pub use model::is_name;
pub use queries::{
    NewTenant, TenantRow, find, find_any, forget, get, insert, list, remove, rename, renew_key, set_forward,
    set_suspended,
};
pub use routes::routes;
