//! Databases, tables, tags and users.
