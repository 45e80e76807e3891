//! A tenant as a file: all that it has, written from one moment, and read into a new tenant elsewhere.

mod jobs;
mod model;
mod queries;

pub use jobs::{Beside, ExportError, ImportError, Taken, Told, Wishes, export, import};
pub use model::file::{Again, FORMAT};
pub use model::{LEFT_OUT, PARTS, Part};
