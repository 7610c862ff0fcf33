//! The REST endpoints (spec/protocols.md section 1): statements and logins.

pub mod body;
pub mod login;
mod parameters;
pub mod sql;
