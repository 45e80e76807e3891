//! Analyzers: searches in a tenant's logs that run by themselves, find addresses and decide.

mod jobs;
mod model;
mod queries;
mod routes;

pub use jobs::{Analyze, Blind, Eye};
pub use model::{Analyzer, Checked, DECISION_LIMIT, Finding, Found, Rule, Settings, adopt, place};
pub use queries::{Refused, get, insert, list, list_last, update};
pub use routes::routes;
