//! The server that TDengine's clients talk to.
