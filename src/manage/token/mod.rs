//! API tokens: what programs show to the management API.

mod queries;

pub use queries::{NewToken, TokenRow, count, insert, list, revoke, tenant_of};
