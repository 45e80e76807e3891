//! A machine's way to CAPI: the sealed credentials and the token with which we speak for it. One login at a time
//! over all replicas, within CAPI's limit for an address.

mod model;
mod queries;
mod session;

pub use model::{NoToken, Purpose, place};
pub use queries::{count_login, password, store_login};
pub use session::{token, token_refused};
