//! The toolkit of the edge: problem documents, credentials, the accept loop, the layers. Knows no slice.

mod auth;
mod body;
pub mod edge;
mod engine;
pub mod layers;
mod problem;
pub mod reads;
mod turns;

pub use auth::{
    Auth, Caller, Delivery, Editor, FeedReader, Machine, Operator, Scope, SessionToken, api_token, bearer,
};
pub use body::{JsonBody, QueryOf, ReadError, read_limited};
pub use engine::EngineError;
pub use problem::{ApiError, FieldError, Problem};
pub use turns::{Turn, Turns};
