//! LAG, LEAD and `FILL_FORWARD`: values of other rows.

use std::collections::VecDeque;

use embudo_sql::ast::expr::Expr;
use embudo_types::{DataType, Error, Precision, Result, Value};

use super::{BoundSeries, Function, Series, SeriesInput, SeriesOutput};
use crate::Binder;
use crate::datum::{array_of_values, value_at};
use crate::functions::invalid_number;

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "lag", doc: "Value of the row so many before, else the default.", bind: bind_lag, create: create_lag },
    Function { name: "lead", doc: "Value of the row so many after, else the default.", bind: bind_lag, create: create_lead },
    Function { name: "fill_forward", doc: "The value, or the last one before where it is NULL.", bind: bind_fill, create: create_fill },
];

fn bind_lag(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundSeries> {
    let (argument, offset, default) = match arguments {
        [argument, offset] => (argument, offset, None),
        [argument, offset, default] => (argument, offset, Some(default)),
        _ => return Err(invalid_number(function.name)),
    };
    let argument = binder.bind(argument)?;
    let offset = function.constant_integer(binder, offset, 1..=1_000)?;
    let (data_type, precision) = (argument.data_type(), argument.precision());
    let default = match default {
        Some(default) => binder.convert(binder.bind(default)?, data_type, precision)?.constant().unwrap_or_default(),
        None => Value::Null,
    };
    Ok(BoundSeries { constants: vec![Value::BigInt(offset), default], ..function.bound(argument, data_type) })
}

fn bind_fill(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundSeries> {
    let [argument] = arguments else { return Err(invalid_number(function.name)) };
    let argument = binder.bind(argument)?;
    let data_type = argument.data_type();
    Ok(function.bound(argument, data_type))
}

fn create_lag(bound: &BoundSeries) -> Result<Box<dyn Series>> {
    let [Value::BigInt(offset), default] = &bound.constants[..] else { return Err(Error::internal("no offset")) };
    let waiting = VecDeque::from(vec![default.clone(); *offset as usize]);
    Ok(Box::new(Lag { data_type: bound.data_type, precision: bound.precision, waiting }))
}

fn create_lead(bound: &BoundSeries) -> Result<Box<dyn Series>> {
    let [Value::BigInt(offset), default] = &bound.constants[..] else { return Err(Error::internal("no offset")) };
    Ok(Box::new(Lead { data_type: bound.data_type, precision: bound.precision, offset: *offset as usize, default: default.clone() }))
}

fn create_fill(bound: &BoundSeries) -> Result<Box<dyn Series>> {
    Ok(Box::new(FillForward { data_type: bound.data_type, precision: bound.precision, last: Value::Null }))
}

struct Lag {
    data_type: DataType,
    precision: Precision,
    /// Values that have not come out yet, oldest first.
    waiting: VecDeque<Value>,
}

impl Series for Lag {
    fn update(&mut self, input: &SeriesInput<'_>) -> Result<SeriesOutput> {
        let array = &input.arguments[0];
        let mut values = Vec::with_capacity(array.len());
        for row in 0..array.len() {
            self.waiting.push_back(value_at(array, self.data_type, row));
            values.push(self.waiting.pop_front().unwrap_or_default());
        }
        Ok(SeriesOutput { emitted: None, values: array_of_values(&values, self.data_type, self.precision)? })
    }
}

struct Lead {
    data_type: DataType,
    precision: Precision,
    offset: usize,
    default: Value,
}

impl Series for Lead {
    fn ahead(&self) -> usize {
        self.offset
    }

    fn update(&mut self, input: &SeriesInput<'_>) -> Result<SeriesOutput> {
        let array = &input.arguments[0];
        let value = |row: usize| if row + self.offset < array.len() { value_at(array, self.data_type, row + self.offset) } else { self.default.clone() };
        let values: Vec<Value> = (0..array.len() - input.following).map(value).collect();
        Ok(SeriesOutput { emitted: None, values: array_of_values(&values, self.data_type, self.precision)? })
    }
}

struct FillForward {
    data_type: DataType,
    precision: Precision,
    last: Value,
}

impl Series for FillForward {
    fn update(&mut self, input: &SeriesInput<'_>) -> Result<SeriesOutput> {
        let array = &input.arguments[0];
        let mut values = Vec::with_capacity(array.len());
        for row in 0..array.len() {
            let value = value_at(array, self.data_type, row);
            if !value.is_null() {
                self.last = value;
            }
            values.push(self.last.clone());
        }
        Ok(SeriesOutput { emitted: None, values: array_of_values(&values, self.data_type, self.precision)? })
    }
}
