//! Functions of time. A time is a TIMESTAMP, a BIGINT of ticks, or text; text that is no time is NULL.

use embudo_sql::ast::expr::{Expr, Literal};
use embudo_types::{DataType, Error, Precision, Result, Value, Zone, code};
use jiff::civil;

use super::kernels::{Ticks, TimeTexts, TimestampTexts};
use super::time_format::{Piece, format_time, parse_time, pieces};
use super::{Function, FunctionCall, invalid_number, invalid_type, invalid_value};
use crate::BoundExpr;
use crate::binder::node;
use crate::convert::BadTime;

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "now", arguments: (0, 0), doc: "The statement's time.", bind: now },
    Function { name: "today", arguments: (0, 0), doc: "Local midnight before the statement's time.", bind: today },
    Function { name: "timezone", arguments: (0, 0), doc: "The session's zone, its abbreviation and offset.", bind: timezone },
    Function {
        name: "timetruncate",
        arguments: (2, 3),
        doc: "Cut to a unit; days and weeks are those of the zone's standard time unless the third argument is 0.",
        bind: timetruncate,
    },
    Function { name: "timediff", arguments: (2, 3), doc: "Distance of two times in a unit.", bind: timediff },
    Function { name: "to_iso8601", arguments: (1, 2), doc: "As ISO 8601 text in the session's or the given offset.", bind: to_iso8601 },
    Function { name: "to_unixtimestamp", arguments: (1, 2), doc: "Ticks of a text; a TIMESTAMP where the flag is 1.", bind: to_unixtimestamp },
    Function { name: "to_char", arguments: (2, 2), doc: "In the form of a format.", bind: to_char },
    Function { name: "to_timestamp", arguments: (2, 2), doc: "Time of a text in the form of a format.", bind: to_timestamp },
    Function { name: "date", arguments: (1, 1), doc: "The local date as text, `YYYY-MM-DD`.", bind: date },
    Function {
        name: "weekday",
        arguments: (1, 1),
        doc: "Day of the week, Monday is 0.",
        bind: |call| calendar(call, |date| i64::from(date.weekday().to_monday_zero_offset())),
    },
    Function {
        name: "dayofweek",
        arguments: (1, 1),
        doc: "Day of the week, Sunday is 1.",
        bind: |call| calendar(call, |date| i64::from(date.weekday().to_sunday_one_offset())),
    },
    Function { name: "weekofyear", arguments: (1, 1), doc: "Week of the year after ISO 8601.", bind: |call| calendar(call, |date| week(date, 3)) },
    Function { name: "week", arguments: (1, 2), doc: "Week of the year; the mode says where weeks start, as in MySQL.", bind: week_of },
];

fn now(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let context = call.binder.context();
    Ok(BoundExpr::literal(Value::Timestamp(context.now.div_euclid(context.precision.nanoseconds())), context.precision))
}

fn today(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let context = call.binder.context();
    let local = context.zone.local(context.now, Precision::Nano);
    let midnight = local.and_then(|local| context.zone.from_local(local.date().to_datetime(civil::Time::midnight())));
    let seconds = midnight.ok_or_else(|| Error::internal("today lies outside the calendar"))?;
    Ok(BoundExpr::literal(Value::Timestamp(seconds * context.precision.ticks_per_second()), context.precision))
}

fn timezone(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let context = call.binder.context();
    let zone = &context.zone;
    let offset = write_offset(zone.offset_at(context.now, Precision::Nano));
    let text = format!("{} ({}, {offset})", zone.name(), zone.abbreviation_at(context.now, Precision::Nano));
    Ok(BoundExpr::literal(Value::Varchar(text.into_bytes()), context.precision))
}

/// `+hhmm`.
fn write_offset(seconds: i32) -> String {
    format!("{}{:02}{:02}", if seconds < 0 { '-' } else { '+' }, seconds.abs() / 3_600, seconds.abs() / 60 % 60)
}

/// The precision a call works in: that of its first TIMESTAMP argument, else the statement's.
fn precision_of(call: &FunctionCall<'_>) -> Precision {
    let timestamp = call.arguments.iter().find(|argument| argument.data_type() == DataType::Timestamp);
    timestamp.map_or(call.binder.context().precision, BoundExpr::precision)
}

/// An argument as TIMESTAMP.
fn time_argument(call: &FunctionCall<'_>, index: usize, precision: Precision) -> Result<BoundExpr> {
    let argument = call.arguments.get(index).ok_or_else(|| invalid_number(call.name))?;
    match argument.data_type() {
        DataType::Timestamp | DataType::BigInt => {}
        data_type if data_type.is_text() => {}
        _ => return Err(invalid_type(call.name)),
    }
    call.binder.converted(argument.clone(), DataType::Timestamp, precision, BadTime::Null)
}

/// Ticks of a unit such as `1m`, which must not be finer than a tick.
pub(crate) fn unit_ticks(name: &str, unit: &Expr, precision: Precision) -> Result<i64> {
    let specific =
        |text: &str| Error::with(code::FUNCTION_SPECIFIC_TEXT, format!("{} function time unit parameter should be {text}", name.to_ascii_uppercase()));
    match unit {
        Expr::Literal(Literal::Duration(duration)) if duration.value == 1 && !duration.unit.is_calendar() => {
            let ticks = duration.ticks(precision).unwrap_or(0);
            if ticks == 0 { Err(specific("greater than db precision")) } else { Ok(ticks) }
        }
        Expr::Literal(Literal::Duration(_)) => Err(specific("one of the following: [1b, 1u, 1a, 1s, 1m, 1h, 1d, 1w]")),
        _ => Err(invalid_type(name)),
    }
}

/// A constant that is 0 or 1.
fn flag_argument(call: &FunctionCall<'_>, index: usize, default: bool) -> Result<bool> {
    match call.constant(index)? {
        Value::Null if call.arguments.len() <= index => Ok(default),
        Value::BigInt(0) => Ok(false),
        Value::BigInt(1) => Ok(true),
        Value::BigInt(_) => Err(invalid_value(call.name)),
        _ => Err(invalid_type(call.name)),
    }
}

fn timetruncate(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let precision = precision_of(&call);
    let time = time_argument(&call, 0, precision)?;
    let unit = unit_ticks(call.name, &call.expressions[1], precision)?;
    let local = flag_argument(&call, 2, true)?;
    let day = 86_400 * precision.ticks_per_second();
    let zone = (local && unit >= day).then(|| call.binder.context().zone.clone());
    // Towards zero, as C divides: before 1970 the result is later than the time.
    let function = move |ticks: &[i64]| {
        if unit > 1 && ticks[0].to_string().len() > usual_digits(precision) {
            return None;
        }
        let offset = zone.as_ref().map_or(0, |zone| i64::from(zone.standard_offset(ticks[0], precision)) * precision.ticks_per_second());
        let mut time = without_short_fraction(ticks[0], precision);
        // Recorded: weeks of milliseconds that have fewer digits than those since 2001 are counted as if they were microseconds.
        if unit == 7 * day && precision == Precision::Milli && count_digits(ticks[0]) < usual_digits(precision) {
            time /= 1_000;
        }
        Some(((time + offset) / unit * unit) - offset)
    };
    node(Ticks { result: Some(precision), function }, vec![time], DataType::Timestamp, precision)
}

/// Digits of ticks from 2001 to 2286.
fn usual_digits(precision: Precision) -> usize {
    10 + precision.digits()
}

fn count_digits(ticks: i64) -> usize {
    ticks.unsigned_abs().checked_ilog10().map_or(1, |digits| digits as usize + 1)
}

/// Recorded answers of TIMETRUNCATE and TIMEDIFF know fractions of a second only of times after 1970 whose ticks have the usual number of digits;
/// they cut others towards zero.
fn without_short_fraction(ticks: i64, precision: Precision) -> i64 {
    if ticks < 0 || count_digits(ticks) < usual_digits(precision) { ticks - ticks % precision.ticks_per_second() } else { ticks }
}

fn timediff(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let precision = precision_of(&call);
    let times = vec![time_argument(&call, 0, precision)?, time_argument(&call, 1, precision)?];
    let unit = if call.arguments.len() > 2 { unit_ticks(call.name, &call.expressions[2], precision)? } else { 1 };
    let function = move |ticks: &[i64]| {
        if ticks.iter().any(|&ticks| count_digits(ticks) > usual_digits(precision)) {
            return None;
        }
        // Recorded: times go through nanoseconds, which wrap beyond 2262.
        let nanoseconds = precision.nanoseconds();
        let through_nanoseconds = |ticks: i64| without_short_fraction(ticks, precision).wrapping_mul(nanoseconds) / nanoseconds;
        let (one, other) = (through_nanoseconds(ticks[0]), through_nanoseconds(ticks[1]));
        Some(one.wrapping_sub(other).wrapping_abs() / unit)
    };
    call.binder.call(Ticks { result: None, function }, times, DataType::BigInt)
}

/// Ticks tell their precision by the length of their decimal text, as recorded of columns too: at most 10 are seconds, 13, 16, 19 finer ones,
/// others NULL.
fn to_iso8601(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let data_type = call.data_type(0);
    if !matches!(data_type, DataType::Timestamp) && !data_type.is_integer() {
        return Err(invalid_type(call.name));
    }
    let (zone, suffix) = match call.constant(1)? {
        Value::Null if call.arguments.len() < 2 => (call.binder.context().zone.clone(), None),
        Value::Varchar(text) => {
            let text = String::from_utf8_lossy(&text).into_owned();
            (Zone::fixed(offset_of(&text).ok_or_else(|| Error::with(code::FUNCTION_SPECIFIC_TEXT, "Invalid timzone format"))?), Some(text))
        }
        _ => return Err(invalid_type(call.name)),
    };
    let context = call.binder.context();
    let own = (data_type == DataType::Timestamp).then(|| (call.arguments[0].precision(), context.zone.standard_offset(context.now, Precision::Nano)));
    let function = move |ticks: i64, out: &mut String| write_iso8601(ticks, own, &zone, suffix.as_deref(), out);
    let FunctionCall { binder, mut arguments, .. } = call;
    arguments.truncate(1);
    let time = binder.to_type(arguments.remove(0), DataType::BigInt)?;
    let data_type = DataType::Varchar(62);
    binder.call(TimeTexts { data_type, function }, vec![time], data_type)
}

/// Seconds east of UTC of `z`, `Z`, `±hh`, `±hhmm`, `±hh:mm`. As in TDengine a half hour stands only east of Greenwich.
fn offset_of(text: &str) -> Option<i32> {
    if matches!(text, "z" | "Z") {
        return Some(0);
    }
    let east = match text.as_bytes().first()? {
        b'+' => true,
        b'-' => false,
        _ => return None,
    };
    let digits: String = match text.len() {
        3 => format!("{}00", &text[1..]),
        5 => text[1..].to_owned(),
        6 if text.as_bytes()[3] == b':' => format!("{}{}", &text[1..3], &text[4..]),
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = (digits[..2].parse::<i32>().ok()?, digits[2..].parse::<i32>().ok()?);
    let allowed = hours <= 12 && (minutes == 0 || (minutes == 30 && east && hours < 12));
    let seconds = hours * 3_600 + minutes * 60;
    allowed.then_some(if east { seconds } else { -seconds })
}

fn write_iso8601(ticks: i64, own: Option<(Precision, i32)>, zone: &Zone, suffix: Option<&str>, out: &mut String) -> Option<()> {
    use std::fmt::Write;
    let sign = usize::from(ticks < 0);
    let (unit, digits) = match count_digits(ticks) + sign {
        0..=10 => (1, 0),
        13 => (1_000, 3),
        16 => (1_000_000, 6),
        19 => (1_000_000_000, 9),
        _ => return None,
    };
    // Cut towards zero: before 1970 the fraction is counted from the second after it.
    let (second, fraction) = (ticks / unit, (ticks % unit).abs());
    let offset = zone.offset_at_second(second);
    let local = second + i64::from(offset);
    let (year, month, day) = embudo_types::civil_from_days(local.div_euclid(86_400));
    let clock = local.rem_euclid(86_400);
    // Writing to a String cannot fail.
    let _ = write!(out, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", clock / 3_600, clock / 60 % 60, clock % 60);
    if digits > 0 {
        let _ = write!(out, ".{fraction:0digits$}");
    }
    match (suffix, own) {
        (Some(suffix), _) => out.push_str(suffix),
        // What was read in another precision than its own has no right answer; recorded is the standard offset of today.
        (None, Some((own, standard))) if own.digits() != digits => out.push_str(&write_offset(standard)),
        (None, _) => out.push_str(&write_offset(offset)),
    }
    Some(())
}

fn to_unixtimestamp(call: FunctionCall<'_>) -> Result<BoundExpr> {
    if !call.data_type(0).is_text() {
        return Err(invalid_type(call.name));
    }
    let as_timestamp = flag_argument(&call, 1, false)?;
    let precision = call.binder.context().precision;
    let time = call.binder.converted(call.arguments[0].clone(), DataType::Timestamp, precision, BadTime::Null)?;
    if as_timestamp { Ok(time) } else { call.binder.to_type(time, DataType::BigInt) }
}

fn format_argument(call: &FunctionCall<'_>) -> Result<Vec<Piece>> {
    match call.constant(1)? {
        Value::Varchar(text) => Ok(pieces(&String::from_utf8_lossy(&text))),
        Value::NChar(text) => Ok(pieces(&text)),
        _ => Err(invalid_type(call.name)),
    }
}

fn to_char(call: FunctionCall<'_>) -> Result<BoundExpr> {
    if call.data_type(0) != DataType::Timestamp {
        return Err(invalid_type(call.name));
    }
    let pieces = format_argument(&call)?;
    let (zone, precision) = (call.binder.context().zone.clone(), call.arguments[0].precision());
    let function = move |ticks: i64, out: &mut String| format_time(ticks, precision, &zone, &pieces, out);
    let time = call.binder.to_type(call.arguments[0].clone(), DataType::BigInt)?;
    let data_type = DataType::Varchar(4_094);
    call.binder.call(TimeTexts { data_type, function }, vec![time], data_type)
}

fn to_timestamp(call: FunctionCall<'_>) -> Result<BoundExpr> {
    if !call.data_type(0).is_text() {
        return Err(invalid_type(call.name));
    }
    let pieces = format_argument(&call)?;
    let context = call.binder.context();
    let (zone, precision) = (context.zone.clone(), context.precision);
    let function = move |text: &[u8]| parse_time(&String::from_utf8_lossy(text), precision, &zone, &pieces);
    node(TimestampTexts { precision, function }, vec![call.arguments[0].clone()], DataType::Timestamp, precision)
}

fn date(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let precision = precision_of(&call);
    let time = time_argument(&call, 0, precision)?;
    let (zone, pieces, second) = (call.binder.context().zone.clone(), pieces("YYYY-MM-DD"), precision.ticks_per_second());
    // The last fraction of a day before 1970 belongs to it, whatever TO_CHAR does.
    let function = move |ticks: i64, out: &mut String| format_time(ticks.div_euclid(second) * second, precision, &zone, &pieces, out);
    let time = call.binder.to_type(time, DataType::BigInt)?;
    let data_type = DataType::Varchar(10);
    call.binder.call(TimeTexts { data_type, function }, vec![time], data_type)
}

/// A function of the local date.
fn calendar(call: FunctionCall<'_>, function: impl Fn(civil::Date) -> i64 + Send + Sync + 'static) -> Result<BoundExpr> {
    let precision = precision_of(&call);
    let time = time_argument(&call, 0, precision)?;
    let zone = call.binder.context().zone.clone();
    let function = move |ticks: &[i64]| zone.local(ticks[0], precision).map(|local| function(local.date()));
    call.binder.call(Ticks { result: None, function }, vec![time], DataType::BigInt)
}

fn week_of(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let mode = match call.constant(1)? {
        Value::Null if call.arguments.len() < 2 => 0,
        Value::BigInt(mode @ 0..=7) => mode as u8,
        Value::BigInt(_) => return Err(invalid_value(call.name)),
        _ => return Err(invalid_type(call.name)),
    };
    calendar(call, move |date| week(date, mode))
}

/// Week of the year by `MySQL`'s modes. Odd modes start weeks on Monday; with bit 1 days before the first week count in the last year's;
/// modes 1, 3, 4, 6 count a week that has four days in the year, the others one whose first day lies in it.
fn week(date: civil::Date, mode: u8) -> i64 {
    let monday = mode & 1 == 1;
    let four_days = matches!(mode, 1 | 3 | 4 | 6);
    let days = |date: civil::Date| i64::from(civil::date(1970, 1, 1).until(date).map_or(0, |span| span.get_days()));
    // Days since the week began.
    let since_start = |day: i64| if monday { (day + 3).rem_euclid(7) } else { (day + 4).rem_euclid(7) };
    let first_week = |year: i16| {
        let first = days(civil::date(year, 1, 1));
        if four_days { first + 3 - since_start(first + 3) } else { first + (7 - since_start(first)) % 7 }
    };
    let day = days(date);
    let year = date.year();
    if day < first_week(year) {
        return if mode & 2 == 0 { 0 } else { (day - first_week(year - 1)) / 7 + 1 };
    }
    if mode & 2 != 0 && day >= first_week(year + 1) {
        return 1;
    }
    (day - first_week(year)) / 7 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_as_mysql_counts_them() {
        let date = civil::date(2008, 2, 20);
        assert_eq!([week(date, 0), week(date, 1)], [7, 8]);
        assert_eq!(week(civil::date(2008, 12, 31), 1), 53);
        let date = civil::date(2000, 1, 1);
        assert_eq!((0..8).map(|mode| week(date, mode)).collect::<Vec<_>>(), [0, 0, 52, 52, 0, 0, 52, 52]);
        assert_eq!(week(civil::date(2024, 12, 30), 3), 1);
    }

    #[test]
    fn offsets_that_tdengine_takes() {
        assert_eq!(offset_of("+05:30"), Some(19_800));
        assert_eq!(offset_of("-0800"), Some(-28_800));
        assert_eq!(offset_of("+08"), Some(28_800));
        for text in ["+13:00", "-0530", "8", "+8", "+08:0", "UTC", ""] {
            assert_eq!(offset_of(text), None, "{text}");
        }
    }
}
