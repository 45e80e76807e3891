//! The tenant's bans and allowlists on the decisions stream that its machines pull anyway: as signed links for engines
//! from 1.5 on, as decisions for older ones. So an engine behind NAT is reached without a credential of its Local API.

mod model;
mod queries;
mod routes;

pub use model::merge::Part;
pub use routes::{Asked, part, routes, startup_is_owed, update_startup_owed};
