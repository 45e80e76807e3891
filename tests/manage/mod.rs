//! What operators look at and administer.
mod alert;
mod cli;
mod erase;
mod export;
mod filters;
mod import;
mod machines;
mod pages;
mod retention;
mod shape;
mod stats;
mod strangers;
