//! Binder, plans, operators and functions.
