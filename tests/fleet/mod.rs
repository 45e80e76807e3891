//! The fleet against Debian's LAPI 1.4.6 and against servers that misbehave.
mod actions;
mod cli;
mod guard;
mod mock;
mod queue;
mod queue_faults;
mod replication;
mod servers;
