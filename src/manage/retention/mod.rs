//! How long rows live: by class, by the installation and by the tenant; and the sweep that ends what lived for longer.

mod jobs;
mod model;
mod queries;
mod routes;

pub use jobs::sweep;
pub use model::{CLASSES, Class, Own, Refused, Rule, changed, named, rules};
pub use queries::{delete_zeros, insert, list, longest_of_alerts, replace};
pub use routes::routes;
