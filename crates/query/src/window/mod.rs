//! Windows: where they lie in time, which rows fall into them, and what fills the empty ones.

pub(crate) mod assign;
pub(crate) mod fill;
pub(crate) mod grid;
