//! Tenants: organisations, each of which owns its rows.

mod jobs;
mod model;
mod queries;
mod routes;

pub use jobs::{erase, erase_now};
pub use model::is_name;
pub use queries::{
    Change, Imported, Move, NewTenant, TenantRow, find, find_any, forget, get, get_limits, get_move, insert,
    insert_import, list, record_export, release_import, remove, renew_import, renew_key, update,
    update_imported, update_limits,
};
pub use routes::{NewTenantView, owner, read_name, routes};
