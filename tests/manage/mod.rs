//! What operators look at and administer.
mod alert;
mod cli;
mod export;
mod filters;
mod geoip;
mod import;
mod machines;
mod pages;
mod shape;
mod stats;
mod strangers;
