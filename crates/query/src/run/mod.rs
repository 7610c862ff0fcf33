//! Operators: what a plan's rows go through, block by block.

mod aggregate;
pub(crate) mod block;
mod buckets;
mod distinct;
mod group_hash;
mod group_spill;
mod grouping;
mod interp;
mod join;
mod join_match;
mod last;
mod limit;
pub(crate) mod merge;
mod parallel;
mod partition;
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

#[cfg(test)]
pub(crate) mod tests;
