//! The fleet against Debian's LAPI 1.4.6 and against servers that misbehave.
mod actions;
mod allowlist;
mod allowlist_cli;
mod allowlist_lift;
mod allowlist_race;
mod cli;
mod coverage;
mod explain;
mod faults;
mod feed;
mod feed_token;
mod guard;
mod hand;
mod mock;
mod replication;
mod rows;
mod servers;
