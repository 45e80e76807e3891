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
    Actor, Auth, COOKIE, Caller, Client, Delivery, Editor, FeedReader, Gives, Grant, GroupRoles, How,
    Identity, LoggedOut, MAX_AGE, Machine, NAME_LIMIT, NO_COOKIE, NewSession, Operator, Origin, Owner,
    Permission, Permissions, Principal, Refused, Role, Scope, SessionToken, Settled, Shown, Who, access,
    bearer, client, cookie_of, csrf, form_pairs, guard, locate,
};
pub use body::{JsonBody, QueryOf, ReadError, read_limited};
pub use engine::EngineError;
pub use problem::{ApiError, FieldError, Problem};
pub use refusals::Refusals;
pub use turns::{Turn, Turns};
