//! What is known of a run of one column's cells without reading them.

use crate::Value;

/// Statistics of a run of cells in time order. Absent cells count as NULL.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnStatistics {
    /// Cells with a value.
    pub count: u64,
    /// Cells without one.
    pub nulls: u64,
    /// Sum of the values: `BigInt` of signed integers and BOOL, `UBigInt` of unsigned, `Double` of floats; `Null` where the type
    /// has no sum, no value occurred, or the integers overflow.
    pub sum: Value,
    /// Smallest value, of the column's type; `Null` where none or where the type has no order worth keeping.
    pub min: Value,
    /// Largest value.
    pub max: Value,
    /// Value of the first row that has one, with its time in ticks.
    pub first: Option<(i64, Value)>,
    /// Value of the last row that has one, with its time in ticks.
    pub last: Option<(i64, Value)>,
}
