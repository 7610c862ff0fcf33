//! FILL of INTERVAL: the windows that have no rows, partition by partition.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array};
use embudo_expr::{array_of_values, value_at};
use embudo_types::{DataType, Error, Result, Value};

use crate::QueryContext;
use crate::array::{NO_ROW, concat_columns, take, take_or_null};
use crate::context::CancelToken;
use crate::memory::Reservation;
use crate::plan::{FillItem, FillMode, FillPlan, SelectPlan};
use crate::run::block::{Batch, Batches};
use crate::run::relation::ticks;
use crate::run::scan::timestamp_array;

/// The batches' rows with those of missing windows between them. Rows of a partition are neighbours in the order of their windows.
pub(crate) fn filled(batches: Batches, plan: &Arc<SelectPlan>, context: &QueryContext) -> Result<Batches> {
    let Some(fill) = &plan.fill else { return Ok(batches) };
    if fill.range.is_empty() {
        return Ok(batches);
    }
    let mut reservation = Reservation::new(&context.memory);
    // One partition at a time, and the one that is being read.
    let windows = fill.grid.count(fill.grid.first_start(fill.range.start), fill.grid.last_start(fill.range.end), usize::MAX);
    reservation.grow(windows.saturating_mul(2 * (WINDOW_BYTES + fill.items.len() * CELL_BYTES)))?;
    let grid = Windows::of(fill, &context.cancel)?;
    Ok(Box::new(Filled {
        batches,
        ahead: None,
        partition: None,
        plan: Arc::clone(plan),
        grid,
        cancel: context.cancel.clone(),
        _reservation: reservation,
        any: false,
        done: false,
    }))
}

/// Fills partition after partition, as they are asked for.
struct Filled {
    batches: Batches,
    /// What was read beyond the last partition.
    ahead: Option<Batch>,
    partition: Option<Partition>,
    plan: Arc<SelectPlan>,
    grid: Windows,
    cancel: CancelToken,
    _reservation: Reservation,
    any: bool,
    done: bool,
}

impl Filled {
    /// The next partition's rows and its number.
    fn rows(&mut self) -> Result<Option<(Batch, u32)>> {
        let mut parts: Vec<Batch> = Vec::new();
        let mut number = 0;
        loop {
            let batch = match self.ahead.take() {
                Some(batch) => batch,
                None => match self.batches.next().transpose()? {
                    Some(batch) => batch,
                    None => break,
                },
            };
            if batch.rows == 0 {
                continue;
            }
            let first = batch.groups.as_ref().map_or(0, |groups| groups[0]);
            if parts.is_empty() {
                number = first;
            } else if first != number {
                self.ahead = Some(batch);
                break;
            }
            let end = batch.groups.as_ref().map_or(batch.rows, |groups| groups.iter().take_while(|group| **group == number).count());
            parts.push(batch.slice(0, end));
            if end < batch.rows {
                self.ahead = Some(batch.slice(end, batch.rows - end));
                break;
            }
        }
        let Some(first) = parts.first() else { return Ok(None) };
        if parts.len() == 1 {
            return Ok(parts.pop().map(|batch| (batch, number)));
        }
        let types: Vec<_> = first.columns.iter().map(|column| column.data_type().clone()).collect();
        let columns: Vec<Vec<ArrayRef>> = parts.iter().map(|part| part.columns.clone()).collect();
        Ok(Some((Batch { rows: parts.iter().map(|part| part.rows).sum(), columns: concat_columns(&columns, &types)?, groups: None }, number)))
    }

    fn batch(&mut self) -> Result<Option<Batch>> {
        let plan = Arc::clone(&self.plan);
        let Some(fill) = &plan.fill else { return Ok(None) };
        loop {
            self.cancel.check()?;
            if let Some(partition) = &mut self.partition {
                if partition.next < self.grid.starts.len() {
                    return partition.batch(&plan, fill, &self.grid).map(Some);
                }
                self.partition = None;
            }
            let rows = self.rows()?;
            if rows.is_none() && (self.any || !fill.forced) {
                return Ok(None);
            }
            self.any = true;
            self.partition = Some(Partition::new(fill, &self.grid, rows, &self.cancel)?);
        }
    }
}

impl Iterator for Filled {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let batch = self.batch();
        self.done = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    }
}

/// What a window takes beside its cells: its bounds, its group, the row it has.
const WINDOW_BYTES: usize = 32;
/// What a cell takes: most are numbers.
const CELL_BYTES: usize = 16;

/// Starts and ends of all windows of the query's range.
struct Windows {
    starts: Vec<i64>,
    ends: Vec<i64>,
}

impl Windows {
    fn of(fill: &FillPlan, cancel: &CancelToken) -> Result<Self> {
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        let (mut start, last) = (fill.grid.first_start(fill.range.start), fill.grid.last_start(fill.range.end));
        while start <= last {
            if starts.len() % BATCH == 0 {
                cancel.check()?;
            }
            starts.push(start);
            ends.push(fill.grid.end(start));
            let next = fill.grid.next_start(start);
            if next <= start {
                break;
            }
            start = next;
        }
        Ok(Self { starts, ends })
    }
}

/// Windows that come out together.
const BATCH: usize = 16_384;

/// A partition whose windows come out batch by batch.
struct Partition {
    rows: Option<Batch>,
    number: u32,
    /// The row of each window.
    row_of: Vec<u32>,
    /// First window that has not come out.
    next: usize,
    /// By item: the last row with a value, for PREV.
    before: Vec<u32>,
    /// By item: the first window from which on one with a value was found, for NEXT.
    after: Vec<Option<usize>>,
    /// First window behind all that have rows.
    end: usize,
    /// The last window with a row, for LINEAR.
    last_row: Option<usize>,
}

impl Partition {
    fn new(fill: &FillPlan, grid: &Windows, rows: Option<(Batch, u32)>, cancel: &CancelToken) -> Result<Self> {
        let mut row_of = vec![NO_ROW; grid.starts.len()];
        let (rows, number) = rows.map_or((None, 0), |(rows, number)| (Some(rows), number));
        if let Some(batch) = &rows {
            let starts = ticks(&batch.columns[fill.start]);
            let mut row = 0;
            for (window, start) in grid.starts.iter().enumerate() {
                if window % BATCH == 0 {
                    cancel.check()?;
                }
                while row < starts.len() && starts[row] < *start && !fill.grid.is_shown_as(*start, starts[row]) {
                    row += 1;
                }
                if row < starts.len() && fill.grid.is_shown_as(*start, starts[row]) {
                    row_of[window] = row as u32;
                    row += 1;
                }
            }
        }
        let items = fill.items.len();
        let end = row_of.iter().rposition(|row| *row != NO_ROW).map_or(0, |last| last + 1);
        Ok(Self { end, rows, number, row_of, next: 0, before: vec![NO_ROW; items], after: vec![None; items], last_row: None })
    }

    fn batch(&mut self, plan: &SelectPlan, fill: &FillPlan, grid: &Windows) -> Result<Batch> {
        let range = self.next..(self.next + BATCH).min(grid.starts.len());
        self.next = range.end;
        let count = range.len();
        let (starts, ends) = (&grid.starts[range.clone()], &grid.ends[range.clone()]);
        let bounds: [ArrayRef; 3] = [
            timestamp_array(starts.to_vec().into(), fill.precision),
            timestamp_array(ends.to_vec().into(), fill.precision),
            Arc::new(Int64Array::from_iter_values(starts.iter().zip(ends).map(|(start, end)| end - start))),
        ];
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(fill.items.len());
        for (place, item) in fill.items.iter().enumerate() {
            let (data_type, precision) = (plan.items[place].data_type(), plan.items[place].precision());
            let known = match &self.rows {
                Some(batch) => Arc::clone(&batch.columns[place]),
                None => array_of_values(&[], data_type, precision)?,
            };
            columns.push(match item {
                FillItem::Window(expr) => expr.evaluate(&bounds, count)?,
                FillItem::Partition if known.is_empty() => take_or_null(&known, &self.row_of[range.clone()])?,
                // As recorded, NEXT takes the partition's name from the next row too, and behind the last one there is none.
                FillItem::Partition if fill.mode == FillMode::Next => {
                    let after = self.end;
                    take_or_null(&known, &range.clone().map(|window| if window < after { 0 } else { NO_ROW }).collect::<Vec<_>>())?
                }
                FillItem::Partition => take(&known, &vec![0; count])?,
                FillItem::Value(constant) => self.values(fill, place, &known, grid, range.clone(), constant, data_type)?,
            });
        }
        if fill.mode == FillMode::Linear {
            self.last_row = range.clone().rev().find(|window| self.row_of[*window] != NO_ROW).or(self.last_row);
        }
        if columns.iter().any(|column| column.len() != count) {
            return Err(Error::internal("a filled column of another length"));
        }
        Ok(Batch { rows: count, columns, groups: Some(vec![self.number; count]) })
    }

    /// An aggregate's values in some windows.
    #[allow(clippy::too_many_arguments, reason = "one item's fill in one batch of windows")]
    fn values(
        &mut self,
        fill: &FillPlan,
        item: usize,
        known: &ArrayRef,
        grid: &Windows,
        windows: Range<usize>,
        constant: &Value,
        data_type: DataType,
    ) -> Result<ArrayRef> {
        let nulls = known.logical_nulls();
        let has_value = |row: u32| row != NO_ROW && nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row as usize));
        let row_of = &self.row_of[windows.clone()];
        match fill.mode {
            FillMode::Null => take_or_null(known, row_of),
            FillMode::Value => {
                let cell = |row: &u32| if has_value(*row) { value_at(known, data_type, *row as usize) } else { constant.clone() };
                array_of_values(&row_of.iter().map(cell).collect::<Vec<_>>(), data_type, fill.precision)
            }
            FillMode::Previous => {
                let last = &mut self.before[item];
                let mut rows = Vec::with_capacity(row_of.len());
                for row in row_of {
                    if has_value(*row) {
                        *last = *row;
                    }
                    rows.push(*last);
                }
                take_or_null(known, &rows)
            }
            FillMode::Next => {
                // Searched once for all batches before it.
                let found = self.after[item].filter(|window| *window >= windows.end);
                let after = found.unwrap_or_else(|| (windows.end..self.row_of.len()).find(|window| has_value(self.row_of[*window])).unwrap_or(usize::MAX));
                self.after[item] = Some(after);
                let mut next = self.row_of.get(after).copied().unwrap_or(NO_ROW);
                let mut rows = vec![NO_ROW; row_of.len()];
                for (place, row) in row_of.iter().enumerate().rev() {
                    if has_value(*row) {
                        next = *row;
                    }
                    rows[place] = next;
                }
                take_or_null(known, &rows)
            }
            FillMode::Linear => {
                let cell = |window: usize| match self.row_of[window] {
                    row if has_value(row) => value_at(known, data_type, row as usize),
                    _ => Value::Null,
                };
                let found = self.after[item].filter(|window| *window >= windows.end);
                let behind = found.unwrap_or_else(|| (windows.end..self.row_of.len()).find(|window| self.row_of[*window] != NO_ROW).unwrap_or(usize::MAX));
                self.after[item] = Some(behind);
                let with_rows = windows.clone().filter(|window| self.row_of[*window] != NO_ROW);
                let points: Vec<usize> = self.last_row.into_iter().chain(with_rows).chain((behind != usize::MAX).then_some(behind)).collect();
                let mut cells: Vec<Value> = windows.clone().map(cell).collect();
                for pair in points.windows(2) {
                    let (first, last) = (cell(pair[0]), cell(pair[1]));
                    for missing in (pair[0] + 1).max(windows.start)..pair[1].min(windows.end) {
                        cells[missing - windows.start] = between((grid.starts[pair[0]], &first), (grid.starts[pair[1]], &last), grid.starts[missing]);
                    }
                }
                array_of_values(&cells, data_type, fill.precision)
            }
        }
    }
}

/// The value at `tick` on the line between two points; NULL where a point is NULL or has no number.
pub(crate) fn between((start, first): (i64, &Value), (end, last): (i64, &Value), tick: i64) -> Value {
    let share = |a: f64, b: f64| a + (b - a) * ((tick - start) as f64 / (end - start) as f64);
    macro_rules! line {
        ($variant:ident, $a:expr, $b:expr, $type:ty) => {
            Value::$variant(share(*$a as f64, *$b as f64) as $type)
        };
    }
    match (first, last) {
        (Value::TinyInt(a), Value::TinyInt(b)) => line!(TinyInt, a, b, i8),
        (Value::SmallInt(a), Value::SmallInt(b)) => line!(SmallInt, a, b, i16),
        (Value::Int(a), Value::Int(b)) => line!(Int, a, b, i32),
        (Value::BigInt(a), Value::BigInt(b)) => line!(BigInt, a, b, i64),
        (Value::UTinyInt(a), Value::UTinyInt(b)) => line!(UTinyInt, a, b, u8),
        (Value::USmallInt(a), Value::USmallInt(b)) => line!(USmallInt, a, b, u16),
        (Value::UInt(a), Value::UInt(b)) => line!(UInt, a, b, u32),
        (Value::UBigInt(a), Value::UBigInt(b)) => line!(UBigInt, a, b, u64),
        (Value::Float(a), Value::Float(b)) => line!(Float, a, b, f32),
        (Value::Double(a), Value::Double(b)) => line!(Double, a, b, f64),
        (Value::Timestamp(a), Value::Timestamp(b)) => line!(Timestamp, a, b, i64),
        (Value::Decimal(a, digits, scale), Value::Decimal(b, ..)) => {
            let exact = b.checked_sub(*a).and_then(|rise| rise.checked_mul(i128::from(tick - start))).map(|rise| a + rise / i128::from(end - start));
            Value::Decimal(exact.unwrap_or_else(|| share(*a as f64, *b as f64) as i128), *digits, *scale)
        }
        _ => Value::Null,
    }
}
