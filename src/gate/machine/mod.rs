//! Machines: the engines that log in to us as if we were CAPI, register, enrol.

mod model;
mod queries;
mod routes;

pub use model::{Issued, is_login};
pub use queries::{insert_issued, remove};
pub use routes::routes;
