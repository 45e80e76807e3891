//! People in the database.

mod logins;
mod members;
mod people;

pub use logins::{
    Counted, Own, Try, count_try, forgive, get_own, record_token_login, set_password, set_totp,
    set_totp_pending, update_login,
};
pub use members::{
    Gone, InvitationRow, Member, accept, get_invitation, invite, list_invitations, list_members, remove,
    set_role, uninvite,
};
pub use people::{
    Belongs, NewPerson, PersonRow, add, find, get_by_reset, get_login, list, list_memberships, reset,
    set_admin, set_disabled, set_password_by_reset, unlink,
};
