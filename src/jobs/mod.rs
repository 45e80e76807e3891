//! What happens later: lanes, each a log that is brought to one target by one worker at a time.
//!
//! A claim is committed before the work begins; the work is finished under the fence of the claim, and zero rows
//! touched means that somebody else holds the lane now.

mod lane;
mod queries;
mod worker;

pub use lane::{Lease, Outcome, backoff};
pub use queries::{Backlog, backlog, claim_one, finish, give_back, hold, hurry, reset_cursors};
pub use worker::{LaneWork, Worker};
