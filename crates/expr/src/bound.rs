//! A bound expression: every node typed, ready to be evaluated over batches.

use std::sync::Arc;

use arrow_array::ArrayRef;
use embudo_types::{DataType, Error, Precision, Result, Value};

use crate::Input;
use crate::datum::Datum;

/// An expression whose names and types are settled; cheap to clone, usable from several threads.
#[derive(Clone, Debug)]
pub struct BoundExpr {
    pub(crate) node: Node,
    pub(crate) data_type: DataType,
    pub(crate) precision: Precision,
}

/// What a bound expression does.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// A column of the batch.
    Input(usize),
    /// The same value in every row.
    Constant(Value),
    /// A computation over its arguments.
    Call(Arc<Call>),
    /// A value that is [shared](crate::shared) around this.
    Shared(u64),
}

/// A kernel with its arguments.
pub(crate) struct Call {
    pub(crate) kernel: Arc<dyn Kernel>,
    pub(crate) arguments: Vec<BoundExpr>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("arguments", &self.arguments).finish_non_exhaustive()
    }
}

/// A vectorised computation. The result's type is the node's.
pub(crate) trait Kernel: Send + Sync {
    /// One cell a row, or a scalar where every argument is one.
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum>;

    /// Whether equal arguments always give the same answer, so that constants may be folded.
    fn is_pure(&self) -> bool {
        true
    }

    /// Whether it is AND, of however many arguments.
    fn is_conjunction(&self) -> bool {
        false
    }
}

impl BoundExpr {
    /// A column of the batch as an expression.
    pub fn input(input: Input) -> Self {
        Self { node: Node::Input(input.index), data_type: input.data_type, precision: input.precision }
    }

    /// A constant of the value's own type.
    pub fn literal(value: Value, precision: Precision) -> Self {
        Self { data_type: value.data_type(), node: Node::Constant(value), precision }
    }

    /// The type of its values.
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// What its ticks are, where it is a TIMESTAMP.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Its value in each of `rows` rows of a batch. A condition gives a `BooleanArray` whose NULLs are neither true nor false.
    pub fn evaluate(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        self.datum(columns, rows)?.into_array(self.data_type, self.precision, rows)
    }

    /// Its value, where it needs no column.
    pub fn constant(&self) -> Option<Value> {
        match &self.node {
            Node::Constant(value) => Some(value.clone()),
            _ => None,
        }
    }

    /// The place of the column, where it is nothing but one.
    pub fn input_index(&self) -> Option<usize> {
        match self.node {
            Node::Input(index) => Some(index),
            _ => None,
        }
    }

    /// Calls `visit` with the place of every column it reads.
    pub fn visit_inputs(&self, visit: &mut dyn FnMut(usize)) {
        match &self.node {
            Node::Input(index) => visit(*index),
            Node::Constant(_) | Node::Shared(_) => {}
            Node::Call(call) => call.arguments.iter().for_each(|argument| argument.visit_inputs(visit)),
        }
    }

    /// The same over other columns: each input replaced by an expression of its type.
    #[must_use]
    pub fn substituted(&self, input: &dyn Fn(usize) -> Self) -> Self {
        match &self.node {
            Node::Input(index) => input(*index),
            Node::Constant(_) | Node::Shared(_) => self.clone(),
            Node::Call(call) => {
                let arguments = call.arguments.iter().map(|argument| argument.substituted(input)).collect();
                Self { node: Node::Call(Arc::new(Call { kernel: Arc::clone(&call.kernel), arguments })), data_type: self.data_type, precision: self.precision }
            }
        }
    }

    /// Whether equal rows always give equal values: no random numbers, no waiting.
    pub fn is_pure(&self) -> bool {
        match &self.node {
            Node::Input(_) | Node::Constant(_) | Node::Shared(_) => true,
            Node::Call(call) => call.kernel.is_pure() && call.arguments.iter().all(Self::is_pure),
        }
    }

    /// Both conditions.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let precision = self.precision;
        // One call, since thousands of conditions as a chain of pairs would be thousands of calls deep.
        let mut arguments = match self.node {
            Node::Call(call) if call.kernel.is_conjunction() => Arc::try_unwrap(call).map_or_else(|call| call.arguments.clone(), |call| call.arguments),
            node => vec![Self { node, ..self }],
        };
        arguments.push(other);
        let kernel = Arc::new(crate::logic::Connective { or: false });
        Self { data_type: DataType::Bool, precision, node: Node::Call(Arc::new(Call { kernel, arguments })) }
    }

    /// A NULL of a type.
    pub fn null(data_type: DataType) -> Self {
        Self { node: Node::Constant(Value::Null), data_type, precision: Precision::Milli }
    }

    pub(crate) fn datum(&self, columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        match &self.node {
            Node::Input(index) => {
                let array = columns.get(*index).ok_or_else(|| Error::internal(format!("no column {index} in the batch")))?;
                Ok(Datum::Array(Arc::clone(array)))
            }
            Node::Constant(value) => Ok(Datum::Scalar(value.clone())),
            Node::Call(call) => call.kernel.evaluate(&call.arguments, columns, rows),
            Node::Shared(number) => crate::shared::datum(*number, columns, rows),
        }
    }
}
