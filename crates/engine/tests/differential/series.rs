//! Functions of the rows before: differences, running figures, the first and last few, interpolation.

use super::cell::Cell;
use super::expression::Expr;
use super::interpret::identity;
use super::query::{Between, Series};
use super::world::{Row, World};

fn time_of(row: &Row) -> i64 {
    if let Some(Cell::Time(ts)) = row.get("ts") { *ts } else { 0 }
}

pub fn series(series: &Series, rows: &[&Row], world: &World) -> Vec<Vec<Cell>> {
    let known = |column: &Expr| -> Vec<(i64, Cell)> { rows.iter().map(|row| (time_of(row), column.of(row))).filter(|row| !row.1.is_null()).collect() };
    let number = |cell: &Cell| cell.number().unwrap_or_default();
    let mut out = Vec::new();
    match series {
        Series::Diff(column, ignores) => {
            let mut before: Option<Cell> = None;
            for row in rows {
                let cell = column.of(row);
                let difference = match (&before, &cell) {
                    (_, Cell::Null) => Some(Cell::Null),
                    (Some(Cell::Int(a)), Cell::Int(b)) => Some(Cell::Int(b - a)),
                    (Some(a), b) => Some(Cell::Real(number(b) - number(a))),
                    (None, _) => None,
                };
                let difference = difference.map(|cell| match cell {
                    cell if *ignores && cell.number().is_some_and(|number| number < 0.0) => Cell::Null,
                    // As recorded, what is below zero is told in 64 bits without a sign.
                    Cell::Int(v) if v < 0 && column.kind().is_unsigned() => Cell::Int(v + (1 << 64)),
                    cell => cell,
                });
                out.extend(difference.map(|difference| vec![Cell::Time(time_of(row)), difference]));
                if !cell.is_null() {
                    before = Some(cell);
                }
            }
        }
        Series::RunningSum(column) => {
            let (mut whole, mut real) = (0_i128, 0.0);
            for (ts, cell) in known(column) {
                if let Cell::Int(value) = cell {
                    whole += value;
                }
                real += number(&cell);
                out.push(vec![Cell::Time(ts), if column.kind().is_whole() { Cell::Int(whole) } else { Cell::Real(real) }]);
            }
        }
        Series::MovingAverage(column, count) => {
            for window in known(column).windows(*count) {
                let sum: f64 = window.iter().map(|row| number(&row.1)).sum();
                out.push(vec![Cell::Time(window[count - 1].0), Cell::Real(sum / *count as f64)]);
            }
        }
        Series::StateCount(column, operator, value) | Series::StateDuration(column, operator, value) => {
            let counts = matches!(series, Series::StateCount(..));
            let (mut count, mut since) = (0, None);
            for row in rows {
                let (ts, cell) = (time_of(row), column.of(row));
                let Some(order) = cell.compare(&Cell::Int((*value).into())) else {
                    out.push(vec![Cell::Time(ts), Cell::Null]);
                    continue;
                };
                let holds = match *operator {
                    "LT" => order.is_lt(),
                    "GT" => order.is_gt(),
                    "LE" => order.is_le(),
                    "GE" => order.is_ge(),
                    "NE" => order.is_ne(),
                    _ => order.is_eq(),
                };
                let figure = if holds {
                    count += 1;
                    let start = *since.get_or_insert(ts);
                    if counts { count } else { ts - start }
                } else {
                    (count, since) = (0, None);
                    -1
                };
                out.push(vec![Cell::Time(ts), Cell::Int(figure.into())]);
            }
        }
        Series::Derivative(column, ignores) => {
            let second = match world.precision {
                "ms" => 1_000.0,
                "us" => 1e6,
                _ => 1e9,
            };
            for pair in known(column).windows(2) {
                let change = (number(&pair[1].1) - number(&pair[0].1)) / (pair[1].0 - pair[0].0) as f64 * second;
                if !ignores || change >= 0.0 {
                    out.push(vec![Cell::Time(pair[1].0), Cell::Real(change)]);
                }
            }
        }
        Series::Tail(column, count, skipped) => out.extend(rows.iter().rev().skip(*skipped).take(*count).map(|row| vec![column.of(row)])),
        Series::Top(column, count) | Series::Bottom(column, count) => {
            let mut cells: Vec<Cell> = known(column).into_iter().map(|row| row.1).collect();
            cells.sort_by(Cell::order);
            if matches!(series, Series::Top(..)) {
                cells.reverse();
            }
            if cells.is_empty() && !rows.is_empty() {
                cells.push(Cell::Null);
            }
            out.extend(cells.into_iter().take(*count).map(|cell| vec![cell]));
        }
        Series::Unique(column) => {
            let mut seen = std::collections::BTreeSet::new();
            out.extend(rows.iter().map(|row| vec![column.of(row)]).filter(|cells| seen.insert(identity(cells))));
        }
    }
    out
}

pub fn interpolated(rows: &[&Row], column: &Expr, range: (i64, i64), every: i64, between: Between, skips_nulls: bool) -> Vec<Vec<Cell>> {
    let points: Vec<(i64, Cell)> = rows.iter().map(|row| (time_of(row), column.of(row))).filter(|row| !skips_nulls || !row.1.is_null()).collect();
    let mut out = Vec::new();
    let mut at = range.0;
    while at <= range.1 {
        let exact = points.iter().find(|point| point.0 == at);
        let (before, after) = (points.iter().rfind(|point| point.0 < at), points.iter().find(|point| point.0 > at));
        let value = match (exact, between) {
            (Some(point), _) => Some(point.1.clone()),
            (None, Between::Null) => Some(Cell::Null),
            (None, Between::Value(value)) => Some(if column.kind().is_whole() { Cell::Int(value.into()) } else { Cell::Real(value as f64) }),
            (None, Between::Prev) => before.map(|point| point.1.clone()),
            (None, Between::Next) => after.map(|point| point.1.clone()),
            (None, Between::Linear) => match (before, after) {
                (Some((start, low)), Some((end, high))) => {
                    let (low, high) = (low.number().unwrap_or_default(), high.number().unwrap_or_default());
                    Some(Cell::Real(low + (high - low) * ((at - start) as f64 / (end - start) as f64)))
                }
                _ => None,
            },
        };
        out.extend(value.map(|value| vec![Cell::Time(at), Cell::Bool(exact.is_none()), value]));
        at += every;
    }
    out
}
