//! What operators look at and administer.
mod alert;
mod cli;
mod filters;
mod import;
mod machines;
mod pages;
mod shape;
mod strangers;
