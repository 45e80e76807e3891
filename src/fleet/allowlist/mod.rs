//! Allowlists: addresses that a tenant never wants banned. What an entry covers is not taken up into the set, and what
//! stands when it is added is lifted.

mod model;
mod queries;
mod routes;

pub use model::{
    Added, Covering, ENTRY_LIMIT, Entry, EntryDraft, LIST_LIMIT, Lift, List, NewEntry, NewList, checked,
    read, wrong_text,
};
pub use queries::{
    Refused, add, covering, delete, delete_entry, get, insert, insert_all, list, list_entries,
};
pub use routes::routes;
