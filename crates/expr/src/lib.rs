//! Typed expressions over Arrow arrays: binding of syntax to types, evaluation, casts, every scalar function and every
//! aggregate. Pure: knows neither tables nor storage; whoever runs a query tells it what a name means.
