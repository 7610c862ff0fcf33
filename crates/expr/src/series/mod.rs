//! Series functions: DIFF, DERIVATIVE, CSUM, MAVG, STATECOUNT, STATEDURATION and their kind. State over the rows of one partition in
//! time order; each row in gives at most one row out.

use arrow_array::ArrayRef;
use arrow_buffer::BooleanBuffer;
use embudo_sql::ast::expr::Expr;
use embudo_types::{DataType, Precision, Result, Value};

use crate::{Binder, BoundExpr};

/// A chunk of one partition's rows in time order.
#[derive(Clone, Copy)]
pub struct SeriesInput<'a> {
    /// The primary timestamp of each row in ticks. Equal neighbours are TDengine's error 0x2805, which the function raises.
    pub timestamps: &'a [i64],
    /// [`BoundSeries::arguments`], evaluated.
    pub arguments: &'a [ArrayRef],
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
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// Binds a call of `function` with its arguments as written.
pub fn bind(binder: &Binder<'_>, function: &'static Function, arguments: &[Expr]) -> Result<BoundSeries> {
    (function.bind)(function, binder, arguments)
}

/// The table of series functions.
const FUNCTIONS: &[Function] = &[];
