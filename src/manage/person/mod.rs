//! People: who they are, what they are in which tenant, how they come in.

mod model;
mod queries;
mod routes;

pub use model::{email, is_password};
pub use queries::{
    Gone, NewPerson, PersonRow, add, find, list, list_members, remove, reset, set_admin, set_disabled,
    set_role, unlink,
};
pub use routes::{count_entry, is_secure, note_refused, routes, session_cookie};
