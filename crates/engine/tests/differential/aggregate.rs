//! Aggregates over the rows of a group or window, in the order of time.

use super::cell::Cell;
use super::expression::Expr;
use super::world::Row;

pub fn aggregate(name: &str, argument: Option<&Expr>, rows: &[&Row], time: &str) -> Cell {
    let Some(argument) = argument else { return Cell::Int(rows.len() as i128) };
    if name == "LAST_ROW" {
        return rows.last().map_or(Cell::Null, |row| argument.of(row));
    }
    let known: Vec<Cell> = rows.iter().map(|row| argument.of(row)).filter(|cell| !cell.is_null()).collect();
    if name == "COUNT" {
        return Cell::Int(known.len() as i128);
    }
    if name == "ELAPSED" {
        let times: Vec<i64> = rows.iter().filter_map(|row| if let Some(Cell::Time(ts)) = row.get(time) { Some(*ts) } else { None }).collect();
        return match (times.first(), times.last()) {
            (Some(first), Some(last)) => Cell::Real((last - first) as f64),
            _ => Cell::Null,
        };
    }
    if known.is_empty() {
        return Cell::Null;
    }
    let numbers: Vec<f64> = known.iter().filter_map(Cell::number).collect();
    let count = numbers.len() as f64;
    let extreme =
        |keeps: std::cmp::Ordering| known.iter().skip(1).fold(known[0].clone(), |best, cell| if cell.order(&best) == keeps { cell.clone() } else { best });
    match name {
        "SUM" if argument.kind().is_whole() => Cell::Int(known.iter().map(|cell| if let Cell::Int(v) = cell { *v } else { 0 }).sum()),
        "SUM" => Cell::Real(numbers.iter().sum()),
        "AVG" => Cell::Real(numbers.iter().sum::<f64>() / count),
        "MIN" => extreme(std::cmp::Ordering::Less),
        "MAX" => extreme(std::cmp::Ordering::Greater),
        "SPREAD" => Cell::Real(numbers.iter().copied().fold(f64::MIN, f64::max) - numbers.iter().copied().fold(f64::MAX, f64::min)),
        "STDDEV" => {
            let mean = numbers.iter().sum::<f64>() / count;
            Cell::Real((numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / count).sqrt())
        }
        "FIRST" => known[0].clone(),
        _ => known[known.len() - 1].clone(),
    }
}
