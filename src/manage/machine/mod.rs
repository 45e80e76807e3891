//! Machines as operators see them: when seen, what they sent, how far their forwarding is.

mod queries;
mod routes;

pub use queries::{MachineRow, list, update_delivers};
pub use routes::routes;
