//! Decisions across the fleet: find an address on all LAPI servers, ban it, lift a ban.

mod model;
mod queries;
mod routes;

pub use model::{
    ANALYZER_ORIGIN, Copy, Decision, Fact, HAND_ORIGIN, OUR_ORIGIN, Place, Record, ServerResult, Subject,
    holding, is_local, kept, protected, too_wide,
};
pub use queries::{
    Claim, Said, Source, announce, around, claim, claim_shared, delete_said, delete_source, delete_unsaid,
    enable, insert_record, lift, list_by_address, list_copies, list_places, update_told, upsert,
};
pub use routes::{ask, routes};
