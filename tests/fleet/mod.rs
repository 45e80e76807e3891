//! The fleet against Debian's LAPI 1.4.6 and against servers that misbehave.
mod actions;
mod cli;
mod coverage;
mod explain;
mod feed;
mod feed_token;
mod guard;
mod mock;
mod rows;
mod servers;
