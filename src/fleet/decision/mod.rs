//! Decisions across the fleet: find an address on all LAPI servers, ban it, lift a ban.

mod model;
mod queries;
mod routes;

pub use model::{Fact, HAND_ORIGIN, OUR_ORIGIN, Subject, is_local, kept, protected};
pub use queries::{
    Claim, Said, Source, announce, around, delete_said, delete_source, delete_unsaid, enable, lift,
    list_by_address, upsert,
};
pub use routes::routes;
