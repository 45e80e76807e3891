//! What operators look at and administer.
mod alert;
mod cli;
mod events;
mod events_drill;
mod events_life;
mod export;
mod filters;
mod import;
mod ipinfo;
mod ipinfo_hostile;
mod ipinfo_rdap;
mod machines;
mod pages;
mod rollup;
mod shape;
mod stats;
mod strangers;
