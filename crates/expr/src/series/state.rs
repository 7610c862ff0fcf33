//! STATECOUNT and STATEDURATION: how long a value has satisfied a comparison.

use std::sync::Arc;

use arrow_array::types::Float64Type;
use arrow_array::{Int64Array, cast::AsArray};
use embudo_sql::ast::expr::{BinaryOp, Expr};
use embudo_types::{DataType, Error, Result, Value};

use super::{BoundSeries, Clock, Function, Series, SeriesInput, SeriesOutput};
use crate::Binder;
use crate::compare::satisfies;
use crate::functions::time::unit_ticks;
use crate::functions::{invalid_number, invalid_type, invalid_value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "statecount", doc: "Rows in a row that satisfy the comparison, -1 where one does not.", bind: bind_count, create },
    Function {
        name: "stateduration",
        doc: "Time since the first of the rows that satisfy the comparison, -1 where one does not.",
        bind: bind_duration,
        create,
    },
];

const OPERATORS: [(&[u8], BinaryOp); 6] = [
    (b"LT", BinaryOp::Less),
    (b"GT", BinaryOp::Greater),
    (b"LE", BinaryOp::LessEqual),
    (b"GE", BinaryOp::GreaterEqual),
    (b"NE", BinaryOp::NotEqual),
    (b"EQ", BinaryOp::Equal),
];

fn bind(function: &'static Function, binder: &Binder<'_>, argument: &Expr, operator: &Expr, value: &Expr) -> Result<BoundSeries> {
    let argument = function.number(binder, argument)?;
    let argument = binder.to_type(argument, DataType::Double)?;
    let Value::Varchar(operator) = function.constant(binder, operator)? else { return Err(invalid_type(function.name)) };
    let place = OPERATORS.iter().position(|(name, _)| operator.eq_ignore_ascii_case(name)).ok_or_else(|| invalid_value(function.name))?;
    let value = match function.constant(binder, value)? {
        Value::BigInt(value) => value as f64,
        Value::Double(value) => value,
        _ => return Err(invalid_type(function.name)),
    };
    Ok(BoundSeries { constants: vec![Value::BigInt(place as i64), Value::Double(value)], ..function.bound(argument, DataType::BigInt) })
}

fn bind_count(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundSeries> {
    let [argument, operator, value] = arguments else { return Err(invalid_number(function.name)) };
    bind(function, binder, argument, operator, value)
}

fn bind_duration(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundSeries> {
    let (argument, operator, value, unit) = match arguments {
        [argument, operator, value] => (argument, operator, value, None),
        [argument, operator, value, unit] => (argument, operator, value, Some(unit)),
        _ => return Err(invalid_number(function.name)),
    };
    let mut bound = bind(function, binder, argument, operator, value)?;
    let unit = unit.map_or(Ok(1), |unit| unit_ticks(function.name, unit, binder.context().precision))?;
    bound.constants.push(Value::BigInt(unit));
    Ok(bound)
}

fn create(bound: &BoundSeries) -> Result<Box<dyn Series>> {
    let (place, value, unit) = match bound.constants[..] {
        [Value::BigInt(place), Value::Double(value)] => (place, value, None),
        [Value::BigInt(place), Value::Double(value), Value::BigInt(unit)] => (place, value, Some(unit)),
        _ => return Err(Error::internal("no comparison")),
    };
    Ok(Box::new(State { op: OPERATORS[place as usize].1, value, unit, clock: Clock::default(), count: 0, since: None }))
}

struct State {
    op: BinaryOp,
    value: f64,
    /// Ticks of the unit; `None` counts rows.
    unit: Option<i64>,
    clock: Clock,
    count: i64,
    since: Option<i64>,
}

impl State {
    fn next(&mut self, value: f64, time: i64) -> i64 {
        if !value.partial_cmp(&self.value).is_some_and(|ordering| satisfies(self.op, ordering)) {
            (self.count, self.since) = (0, None);
            return -1;
        }
        self.count += 1;
        let since = *self.since.get_or_insert(time);
        self.unit.map_or(self.count, |unit| (time - since) / unit)
    }
}

impl Series for State {
    fn update(&mut self, input: &SeriesInput<'_>) -> Result<SeriesOutput> {
        self.clock.check(input.timestamps)?;
        let array = input.arguments[0].as_primitive::<Float64Type>();
        let values: Int64Array = array.iter().zip(input.timestamps).map(|(value, &time)| value.map(|value| self.next(value, time))).collect();
        Ok(SeriesOutput { emitted: None, values: Arc::new(values) })
    }
}
