//! Facts without I/O: addresses, durations, times, keys, pages. Knows no slice and no library of the edge.

pub mod audit;
pub mod csv;
pub mod duration;
pub mod geo;
pub mod hex;
pub mod keyring;
pub mod mailbox;
pub mod net;
pub mod page;
pub mod password;
pub mod seal;
pub mod secret;
pub mod time;
pub mod totp;
