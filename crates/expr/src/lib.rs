//! Typed expressions over Arrow arrays: binding of syntax to types, evaluation, casts, every scalar function and every
//! aggregate. Pure: knows neither tables nor storage; whoever runs a query tells it what a name means.

pub mod aggregate;
mod arithmetic;
mod binder;
mod bound;
mod compare;
mod convert;
mod convert_kernel;
mod datum;
mod decimal;
pub mod functions;
mod json;
mod json_kernel;
mod logic;
mod murmur;
mod number_format;
mod pattern;
mod reference;
mod scope;
pub mod series;
mod shared;
#[cfg(test)]
mod tests;
mod text_number;

pub use binder::Binder;
pub use bound::BoundExpr;
pub use datum::{array_of_values, repeat, value_at};
pub use murmur::{MURMUR_SEED, murmur3};
pub use reference::reference;
pub use scope::{BindContext, EmptyScope, Input, Scope};
