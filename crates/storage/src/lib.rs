//! Log, memory tables and block files.
