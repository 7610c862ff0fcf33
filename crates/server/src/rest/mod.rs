//! The REST endpoints (spec/protocols.md section 1): statements, logins, uploads, where tables lie.

pub mod body;
pub mod configuration;
pub mod login;
mod parameters;
pub mod sql;
pub mod upload;
pub mod vgroups;
