//! Statistics of alerts and decisions: exact, of what is stored now, in the reader's time zone.

mod jobs;
mod model;
mod queries;
mod routes;

pub use jobs::{fold, settle};
pub use model::views::Usage;
pub use queries::list_usage;
pub use routes::{MonthsQuery, routes};
