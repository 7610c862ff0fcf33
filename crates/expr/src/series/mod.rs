//! Series functions: DIFF, DERIVATIVE, CSUM, MAVG, STATECOUNT, STATEDURATION and their kind. State over the rows of one partition in
//! time order; each row in gives at most one row out.

#![allow(clippy::unnecessary_wraps, reason = "functions of the tables share one signature")]

use arrow_array::ArrayRef;
use arrow_buffer::BooleanBuffer;
use embudo_sql::ast::expr::Expr;
use embudo_types::{DataType, Error, Precision, Result, Value, code};

use crate::functions::{invalid_type, invalid_value};
use crate::{Binder, BoundExpr};

mod change;
mod running;
mod shift;
mod state;

/// A chunk of one partition's rows in time order.
#[derive(Clone, Copy)]
pub struct SeriesInput<'a> {
    /// The primary timestamp of each row in ticks. Equal neighbours are TDengine's error 0x2805, which the function raises.
    pub timestamps: &'a [i64],
    /// [`BoundSeries::arguments`], evaluated.
    pub arguments: &'a [ArrayRef],
    /// How many of the rows, the last ones, are only looked at; they come again. None but for a function that looks ahead.
    pub following: usize,
}

/// What a chunk gave.
pub struct SeriesOutput {
    /// The rows that come out; `None` is every row.
    pub emitted: Option<BooleanBuffer>,
    /// A cell for each row in; what stands where nothing comes out has no meaning.
    pub values: ArrayRef,
}

/// The state of a series function in one partition.
pub trait Series: Send {
    /// How many rows after a row its result needs.
    fn ahead(&self) -> usize {
        0
    }

    /// Takes the next rows of the partition.
    fn update(&mut self, input: &SeriesInput<'_>) -> Result<SeriesOutput>;
}

/// A bound call.
pub struct BoundSeries {
    function: &'static Function,
    arguments: Vec<BoundExpr>,
    constants: Vec<Value>,
    data_type: DataType,
    precision: Precision,
}

impl BoundSeries {
    /// The function's name in lower case.
    pub fn name(&self) -> &'static str {
        self.function.name
    }

    /// What must be evaluated for each row.
    pub fn arguments(&self) -> &[BoundExpr] {
        &self.arguments
    }

    /// Type of the result.
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// Precision of the result, where it is a TIMESTAMP.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The constant parameters.
    pub fn constants(&self) -> &[Value] {
        &self.constants
    }

    /// The state of a partition before its first row.
    pub fn create(&self) -> Result<Box<dyn Series>> {
        (self.function.create)(self)
    }
}

/// An entry of the table of series functions.
pub struct Function {
    /// Lower-case name.
    pub name: &'static str,
    /// One line for users.
    pub doc: &'static str,
    bind: fn(&'static Function, &Binder<'_>, &[Expr]) -> Result<BoundSeries>,
    create: fn(&BoundSeries) -> Result<Box<dyn Series>>,
}

/// The series function of a lower-case name.
pub fn lookup(name: &str) -> Option<&'static Function> {
    FAMILIES.iter().copied().flatten().find(|function| function.name == name)
}

/// Every series function.
pub fn all() -> impl Iterator<Item = &'static Function> {
    FAMILIES.iter().copied().flatten()
}

/// Binds a call of `function` with its arguments as written.
pub fn bind(binder: &Binder<'_>, function: &'static Function, arguments: &[Expr]) -> Result<BoundSeries> {
    (function.bind)(function, binder, arguments)
}

/// Every family's table.
const FAMILIES: &[&[Function]] = &[change::FUNCTIONS, running::FUNCTIONS, state::FUNCTIONS, shift::FUNCTIONS];

impl Function {
    /// A call bound without constants.
    fn bound(&'static self, argument: BoundExpr, data_type: DataType) -> BoundSeries {
        let precision = argument.precision();
        BoundSeries { function: self, arguments: vec![argument], constants: Vec::new(), data_type, precision }
    }

    /// A number as argument; NULL is a BIGINT without a value, a DECIMAL is computed as DOUBLE.
    fn number(&self, binder: &Binder<'_>, argument: &Expr) -> Result<BoundExpr> {
        let argument = binder.bind(argument)?;
        match argument.data_type() {
            DataType::Null => binder.to_type(argument, DataType::BigInt),
            DataType::Decimal(..) => binder.to_type(argument, DataType::Double),
            data_type if data_type.is_numeric() => Ok(argument),
            _ => Err(invalid_type(self.name)),
        }
    }

    /// A constant parameter.
    fn constant(&self, binder: &Binder<'_>, parameter: &Expr) -> Result<Value> {
        binder.bind(parameter)?.constant().ok_or_else(|| invalid_type(self.name))
    }

    /// A constant integer within bounds.
    fn constant_integer(&self, binder: &Binder<'_>, parameter: &Expr, bounds: std::ops::RangeInclusive<i64>) -> Result<i64> {
        match self.constant(binder, parameter)? {
            Value::BigInt(value) if bounds.contains(&value) => Ok(value),
            Value::BigInt(_) => Err(invalid_value(self.name)),
            _ => Err(invalid_type(self.name)),
        }
    }
}

/// The type that sums and differences of a type have: BIGINT, BIGINT UNSIGNED or DOUBLE.
fn widened(data_type: DataType) -> DataType {
    match data_type {
        DataType::Float | DataType::Double => DataType::Double,
        unsigned if unsigned.is_unsigned() => DataType::UBigInt,
        _ => DataType::BigInt,
    }
}

/// Refuses two rows of one time.
#[derive(Default)]
struct Clock(Option<i64>);

impl Clock {
    fn check(&mut self, timestamps: &[i64]) -> Result<()> {
        let repeated = timestamps.windows(2).any(|pair| pair[0] == pair[1]) || (self.0.is_some() && self.0 == timestamps.first().copied());
        self.0 = timestamps.last().copied().or(self.0);
        if repeated { Err(Error::new(code::DUPLICATE_TIMESTAMPS_NOT_ALLOWED_IN_FUNCTION)) } else { Ok(()) }
    }
}
