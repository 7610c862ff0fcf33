//! From syntax to plans: names, types, and every rule whose breach is an error before anything runs.

mod filter;
mod from;
mod interp;
mod items;
mod join;
mod pushdown;
mod query;
pub(crate) mod relation;
pub(crate) mod row_query;
mod scope;
mod select;
mod window;

pub(crate) use query::bind;
pub use window::interval_grid;
