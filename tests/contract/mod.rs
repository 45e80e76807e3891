//! The rules of the house, held over its source, its SQL and its schema.
mod access;
mod cancel;
mod catalog;
mod corpus;
mod errors;
mod isolation;
mod layering;
mod migrations;
mod mutant;
mod mutant_ageing;
mod mutant_changes;
mod mutant_reads;
mod plans;
mod plans_fill;
pub mod source;
mod sql;
mod walk;
