//! COUNT.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array};
use embudo_sql::ast::expr::{Expr, Literal};
use embudo_types::{ColumnStatistics, DataType, Precision, Result};

use super::{Aggregate, AggregateInput, BoundAggregate, Function, Kind, Run, same_state};
use crate::Binder;
use crate::functions::invalid_number;

pub(super) const FUNCTIONS: &[Function] = &[Function::new("count", Kind::Value, "Rows, or rows with a value.", bind, create).taking_statistics().counting()];

fn bind(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let [argument] = arguments else {
        return Err(invalid_number(function.name));
    };
    let arguments = match argument {
        Expr::Star { .. } => Vec::new(),
        Expr::Literal(literal) if *literal != Literal::Null => Vec::new(),
        other => vec![binder.bind(other)?],
    };
    Ok(BoundAggregate { function, arguments, constants: Vec::new(), data_type: DataType::BigInt, precision: Precision::Milli, selection: None })
}

fn create(bound: &BoundAggregate, _: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    Ok(Box::new(Count { rows: bound.arguments.is_empty(), counts: Vec::new() }))
}

struct Count {
    /// Counts rows, not values.
    rows: bool,
    counts: Vec<i64>,
}

impl Aggregate for Count {
    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups.max(self.counts.len()), 0);
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let nulls = input.arguments.first().and_then(Array::logical_nulls);
        for run in runs {
            let (start, length) = (run.start as usize, (run.end - run.start) as usize);
            let missing = nulls.as_ref().map_or(0, |nulls| nulls.slice(start, length).null_count());
            self.counts[run.group as usize] += (length - missing) as i64;
        }
        Ok(())
    }

    fn update_statistics(&mut self, group: usize, rows: u64, statistics: &ColumnStatistics) -> Result<bool> {
        self.counts[group] += if self.rows { rows as i64 } else { statistics.count as i64 };
        Ok(true)
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        for (count, &group) in same_state::<Self>(other)?.counts.drain(..).zip(groups) {
            self.counts[group as usize] += count;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(Int64Array::from(std::mem::take(&mut self.counts))))
    }
}
