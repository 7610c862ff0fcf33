//! Drivers over every transport.
