//! Operators: what a plan's rows go through, block by block.

mod aggregate;
pub(crate) mod block;
mod distinct;
mod group_hash;
mod interp;
mod join;
mod last;
mod limit;
pub(crate) mod merge;
mod parallel;
pub(crate) mod query;
pub(crate) mod relation;
pub(crate) mod scan;
mod select;
mod series;
mod sort;
mod spill;
mod time_slices;
mod top;
mod tournament;
mod vgroup;
