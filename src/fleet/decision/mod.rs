//! Decisions across the fleet: find an address on all LAPI servers, ban it, lift a ban.

mod model;
mod queries;
mod routes;

pub use routes::routes;
