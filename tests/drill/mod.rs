//! What holds while things are killed.
mod accounting;
mod book;
mod failover;
mod upgrade;
