//! Wire formats of TDengine's protocols as pure functions: bytes in, bytes out, no I/O. Server and client share them.
//!
//! Every format is written from a result's schema alone: each field carries TDengine's type in its metadata
//! ([`embudo_types::arrow`]).

pub mod authorization;
pub mod binary_message;
pub mod collectd;
pub mod execution;
pub mod multipart;
pub mod number;
pub mod prometheus;
pub mod raw_block;
pub mod rest;
pub mod schemaless;
pub mod statsd;
pub mod stmt2;
pub mod tmq;
pub mod websocket;
