//! Places in the log, what a row of it tells, and how that is written.

mod place;
mod slot;
mod view;

pub use place::{Log, Place, Resume, Since, resume, tag_of};
pub use slot::{Entry, Kinds, Slot, What, slots};
pub use view::{Copied, event, frame};
