//! Tenants: organisations, each of which owns its rows.

mod queries;

pub use queries::{NewTenant, TenantRow, find, insert, list, remove, renew_key, set_forward};
