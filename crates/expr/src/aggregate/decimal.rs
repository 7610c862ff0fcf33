//! SUM and AVG of DECIMAL: exact, and refused where the total has more digits than a DECIMAL.

use arrow_array::types::Decimal128Type;
use arrow_array::{Array, ArrayRef, cast::AsArray};
use embudo_types::{ColumnStatistics, DataType, Result};

use super::numbers::valid_stretches;
use super::{Aggregate, AggregateInput, Run, same_state};
use crate::decimal::{self, MOST_DIGITS, Shape, mean_shape};

/// The type of SUM, or of AVG, over decimals of a scale.
pub(super) fn result_type(mean: bool, scale: u8) -> DataType {
    let (digits, scale) = if mean { mean_shape(scale) } else { (MOST_DIGITS, scale) };
    DataType::Decimal(digits, scale)
}

/// Total and count of each group.
pub(super) struct DecimalSum {
    pub(super) mean: bool,
    /// Of the column.
    pub(super) scale: u8,
    pub(super) states: Vec<(i128, u64)>,
}

impl DecimalSum {
    fn add(&mut self, group: usize, total: i128, count: u64) -> Result<()> {
        let state = &mut self.states[group];
        let sum = state.0.checked_add(total).ok_or_else(decimal::overflow)?;
        *state = (decimal::checked(sum, MOST_DIGITS)?, state.1 + count);
        Ok(())
    }
}

impl Aggregate for DecimalSum {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups.max(self.states.len()), (0, 0));
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let array = input.arguments[0].as_primitive::<Decimal128Type>();
        let values = array.values();
        for run in runs {
            let mut failed = Ok(());
            valid_stretches(array.nulls(), run.start as usize, run.end as usize, |start, end| {
                let total = values[start..end].iter().try_fold(0_i128, |total, value| total.checked_add(*value));
                let added = total.ok_or_else(decimal::overflow).and_then(|total| self.add(run.group as usize, total, (end - start) as u64));
                if failed.is_ok() {
                    failed = added;
                }
            });
            failed?;
        }
        Ok(())
    }

    fn update_statistics(&mut self, _: usize, _: u64, statistics: &ColumnStatistics) -> Result<bool> {
        Ok(statistics.count == 0)
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        let others = std::mem::take(&mut same_state::<Self>(other)?.states);
        others.into_iter().zip(groups).try_for_each(|((total, count), &group)| self.add(group as usize, total, count))
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let (mean, scale) = (self.mean, self.scale);
        let shape: Shape = if mean { mean_shape(scale) } else { (MOST_DIGITS, scale) };
        let value = |(total, count): (i128, u64)| match count {
            0 => Ok(None),
            _ if mean => decimal::mean(total, scale, count, shape).map(Some),
            _ => Ok(Some(total)),
        };
        decimal::array(self.states.drain(..).map(value).collect::<Result<_>>()?, shape)
    }
}
