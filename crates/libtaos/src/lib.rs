//! TDengine's C interface: `libtaos.so` for programs in C, Go, Java, Node, C# and Python's ctypes, unmodified, on an embedded database or on any
//! server over WebSocket.
//!
//! Everything that a program asks goes through [`embudo_client::Driver`]; here are only handles, layouts, callbacks and ownership. What the
//! functions take and who frees what stands in `include/taos.h`. `unsafe` is confined to following what C gave and calling what it gave
//! back; every function that does so relies on the contract there and checks what can be checked: NULL, freed and wrong handles, negative
//! lengths, unknown types.

#![allow(clippy::missing_safety_doc, reason = "the contract of each function is that of the C interface, in include/taos.h")]

mod allocation;
mod bind;
mod block;
mod boundary;
mod configuration;
mod connection;
mod consumer;
mod fetch;
mod handle;
mod instances;
mod message;
mod notify;
mod options;
mod print_row;
mod query;
mod raw_write;
mod result;
mod rows;
mod schemaless;
mod statement;
mod statement2;
mod tables;
mod topic_list;
mod worker;

use std::{ffi::c_void, sync::Arc};

use embudo_client::{Driver, abi};

/// A `TAOS *` on a session that is open already, to be closed with `taos_close`; the session stays the caller's too.
pub fn handle_of(driver: Arc<dyn Driver>, user: &str) -> *mut c_void {
    handle::register(Arc::new(connection::Connection::on(driver, user)))
}

/// Forgets what is the parent's, in the child of a fork; handles of the parent are unknown there.
pub fn after_fork() {
    handle::forget_all();
    notify::after_fork();
    worker::after_fork();
}
