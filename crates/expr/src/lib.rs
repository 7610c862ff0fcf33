//! Typed expressions over Arrow arrays: binding of syntax to types, evaluation, casts, every scalar function and every
//! aggregate. Pure: knows neither tables nor storage; whoever runs a query tells it what a name means.

pub mod aggregate;
mod binder;
mod bound;
mod datum;
mod scope;
pub mod series;

pub use binder::Binder;
pub use bound::BoundExpr;
pub use datum::{array_of_values, repeat, value_at};
pub use scope::{BindContext, EmptyScope, Input, Scope};
