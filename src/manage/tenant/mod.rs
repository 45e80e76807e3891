//! Tenants: organisations, each of which owns its rows.

mod queries;

pub use queries::{
    NewTenant, TenantRow, find, find_any, forget, insert, list, remove, renew_key, set_forward,
};
