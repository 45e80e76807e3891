//! The toolkit of the edge: problem documents, credentials, the accept loop, the layers. Knows no slice.

mod acting;
mod auth;
mod body;
pub mod edge;
mod engine;
pub mod hashing;
pub mod layers;
pub mod limits;
mod problem;
pub mod reads;
pub mod refusals;
mod turns;

pub use acting::{Acting, ActsBy, Trace};
pub use auth::{
    Actor, Auth, COOKIE, Caller, Client, Delivery, Editor, FeedReader, MAX_AGE, Machine, NAME_LIMIT,
    NO_COOKIE, NewSession, Operator, Owner, Permission, Permissions, Principal, Role, Scope, SessionToken,
    Shown, Who, access, bearer, client, csrf, form_pairs, guard, locate,
};
pub use body::{JsonBody, QueryOf, ReadError, read_limited};
pub use engine::EngineError;
pub use problem::{ApiError, FieldError, Problem};
pub use refusals::Refusals;
pub use turns::{Turn, Turns};
