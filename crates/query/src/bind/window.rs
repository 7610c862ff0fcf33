//! The window clause and FILL: their rules and errors (spec/sql.md 5.8, 5.9).

use embudo_expr::{BindContext, Binder};
use embudo_sql::ast::expr::{Expr, PseudoColumn};
use embudo_sql::ast::query::{Window, WindowDuration};
use embudo_types::{DataType, Duration, DurationUnit, Error, Precision, Result, code};

use super::relation::ColumnSource;
use super::scope::RowScope;
use crate::plan::WindowPlan;
use crate::window::grid::Grid;

/// Longest INTERVAL: 1,000 years of 365 days, in milliseconds.
const LONGEST_INTERVAL: i64 = 1_000 * 365 * 86_400_000;
/// INTERVAL may be at most so many times its SLIDING.
const MOST_OVERLAP: i64 = 100;

/// Binds a window clause.
pub(crate) fn bind(window: &Window, rows: &RowScope<'_>, context: &BindContext) -> Result<WindowPlan> {
    let relation = rows.relation();
    if relation.timeline.is_none() {
        return Err(if relation.is_join() { Error::with(code::Code(3), "Invalid qinfo") } else { Error::new(code::WINDOW_QUERY_NOT_SUPPORTED_SINCE_NOT) });
    }
    let binder = Binder::new(context, rows);
    match window {
        Window::Interval { interval, offset, sliding } => interval_grid(*interval, *offset, *sliding, context).map(WindowPlan::Interval),
        Window::Session { column, gap } => {
            if relation.find(column)? != relation.timeline {
                return Err(Error::new(code::ONLY_SUPPORT_SESSION_ON_PRIMARY_TIMESTAMP));
            }
            let gap = match gap {
                WindowDuration::Duration(duration) => duration.ticks(context.precision).unwrap_or(0),
                WindowDuration::Ticks(ticks) => *ticks,
            };
            if gap <= 0 {
                return Err(Error::new(code::SESSION_GAP_SHOULD_BE_FIXED_TIME));
            }
            Ok(WindowPlan::Session { gap })
        }
        Window::State(expr) => {
            if let Some(column) = relation.find(expr)?
                && matches!(relation.columns[column].source, ColumnSource::Tag(_))
            {
                return Err(Error::new(code::NOT_SUPPORT_STATE_WINDOW_ON_TAG));
            }
            let bound = binder.bind(expr)?;
            let data_type = bound.data_type();
            if !(data_type.is_integer() || matches!(data_type, DataType::Bool | DataType::Varchar(_))) {
                return Err(Error::new(code::ONLY_SUPPORT_STATE_WINDOW_ON_INTEGER));
            }
            Ok(WindowPlan::State(bound))
        }
        Window::Event { start, end } if [start, end].into_iter().any(|condition| condition.any(&is_of_window)) => {
            Err(Error::new(code::THE_TIME_PSEUDO_COLUMN_IS_ILLEGALLY))
        }
        Window::Event { start, end } => Ok(WindowPlan::Event { start: binder.bind_condition(start)?, end: binder.bind_condition(end)? }),
        Window::Count { count, sliding } => {
            let invalid = |text: &str| Err(Error::with(code::INVALID_STREAM_QUERY, text));
            if *count <= 1 {
                return invalid("Size of Count window must exceed 1.");
            }
            if *count > i64::from(i32::MAX) {
                return invalid("Size of Count window must less than 2147483647(INT32_MAX).");
            }
            let step = sliding.unwrap_or(*count);
            if step <= 0 {
                return invalid("Sliding of Count window must be greater than 0.");
            }
            if step > *count {
                return invalid("sliding value no larger than the count value.");
            }
            Ok(WindowPlan::Count { count: *count as u64, step: step as u64 })
        }
    }
}

/// The grid of INTERVAL(length, offset) SLIDING(step), or why there is none.
pub fn interval_grid(length: WindowDuration, offset: Option<WindowDuration>, sliding: Option<WindowDuration>, context: &BindContext) -> Result<Grid> {
    let precision = context.precision;
    let too_short = || Error::with(code::INTERVAL_CANNOT_BE_LESS_THAN, format!("Interval cannot be less than 1 {}", precision.name()));
    if let WindowDuration::Duration(duration) = length
        && duration.unit.is_calendar()
    {
        return calendar_grid(duration, offset, sliding, context);
    }
    let ticks = |duration: WindowDuration| match duration {
        WindowDuration::Duration(duration) => duration.ticks(precision),
        WindowDuration::Ticks(ticks) => Some(ticks),
    };
    let local = matches!(length, WindowDuration::Duration(Duration { unit: DurationUnit::Day | DurationUnit::Week, .. }));
    let longest = Precision::Milli.convert(LONGEST_INTERVAL, precision);
    let length = ticks(length).unwrap_or(i64::MAX);
    if length <= 0 {
        return Err(too_short());
    }
    if length > longest {
        return Err(Error::with(code::INTERVAL_CANNOT_BE_MORE_THAN, format!("Interval cannot be more than {longest} {}", precision.name())));
    }
    let offset = match offset {
        None => 0,
        Some(offset) => match ticks(offset) {
            Some(offset) if offset < 0 => return Err(Error::new(code::INTERVAL_OFFSET_CANNOT_BE_NEGATIVE)),
            Some(offset) if offset < length => offset,
            _ => return Err(Error::new(code::INTERVAL_OFFSET_SHOULD_BE_SHORTER_THAN)),
        },
    };
    let step = match sliding {
        None => length,
        Some(sliding) => {
            let step = ticks(sliding).ok_or_else(|| Error::new(code::DOES_NOT_SUPPORT_SLIDING_WHEN_INTERVAL))?;
            if step > length {
                return Err(Error::new(code::SLIDING_VALUE_NO_LARGER_THAN_THE));
            }
            if step <= 0 || length / step > MOST_OVERLAP {
                return Err(Error::new(code::SLIDING_VALUE_CAN_NOT_LESS_THAN));
            }
            step
        }
    };
    Ok(Grid::fixed(length, step, offset, local, precision, &context.zone, context.now))
}

fn calendar_grid(length: Duration, offset: Option<WindowDuration>, sliding: Option<WindowDuration>, context: &BindContext) -> Result<Grid> {
    const SHORTEST_MONTH: i64 = 28;
    const SHORTEST_YEAR: i64 = 365;
    let precision = context.precision;
    if length.value <= 0 {
        return Err(Error::with(code::INTERVAL_CANNOT_BE_LESS_THAN, format!("Interval cannot be less than 1 {}", precision.name())));
    }
    let is_year = length.unit == DurationUnit::Year;
    if length.value > if is_year { 1_000 } else { 12_000 } {
        let longest = Precision::Milli.convert(LONGEST_INTERVAL, precision);
        return Err(Error::with(code::INTERVAL_CANNOT_BE_MORE_THAN, format!("Interval cannot be more than {longest} {}", precision.name())));
    }
    let offset = match offset {
        None => None,
        Some(WindowDuration::Ticks(ticks)) => Some(Duration {
            value: ticks,
            unit: match precision {
                Precision::Milli => DurationUnit::Millisecond,
                Precision::Micro => DurationUnit::Microsecond,
                Precision::Nano => DurationUnit::Nanosecond,
            },
        }),
        Some(WindowDuration::Duration(duration)) => Some(duration),
    };
    if let Some(offset) = offset {
        if offset.value < 0 {
            return Err(Error::new(code::INTERVAL_OFFSET_CANNOT_BE_NEGATIVE));
        }
        if offset.unit == DurationUnit::Year && !is_year {
            return Err(Error::new(code::CANNOT_USE_YEAR_AS_OFFSET_WHEN));
        }
        let months = |duration: Duration| duration.value * if duration.unit == DurationUnit::Year { 12 } else { 1 };
        let shorter = if offset.unit.is_calendar() {
            months(offset) < months(length)
        } else {
            let day = Duration { value: 1, unit: DurationUnit::Day }.ticks(precision).unwrap_or(i64::MAX);
            let days = length.value.saturating_mul(if is_year { SHORTEST_YEAR } else { SHORTEST_MONTH });
            offset.ticks(precision).unwrap_or(i64::MAX) < days.saturating_mul(day)
        };
        if !shorter {
            return Err(Error::new(code::INTERVAL_OFFSET_SHOULD_BE_SHORTER_THAN));
        }
    }
    match sliding {
        Some(WindowDuration::Duration(sliding)) if sliding.unit.is_calendar() => Err(Error::new(code::DOES_NOT_SUPPORT_SLIDING_WHEN_INTERVAL)),
        Some(_) => Err(Error::new(code::SLIDING_VALUE_NO_LARGER_THAN_THE)),
        None => Ok(Grid::calendar(length, offset, precision, &context.zone)),
    }
}

/// Whether a node is `_wstart`, `_wend` or `_wduration`.
fn is_of_window(part: &Expr) -> bool {
    matches!(part, Expr::Pseudo { column: PseudoColumn::WindowStart | PseudoColumn::WindowEnd | PseudoColumn::WindowDuration, .. })
}
