//! Replication: what the desired set says is brought to every LAPI server that should have it, and what the servers
//! themselves decide is brought into the set.

mod jobs;
mod model;
mod queries;

pub use jobs::{Absorb, Read, Write};
pub use queries::{read_anew, skew};
