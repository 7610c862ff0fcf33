//! INSERT against sinks of known tables.
