//! The format codes of `TO_CHAR` and `TO_TIMESTAMP` (spec/sql.md 6.5).

use std::fmt::Write;

use embudo_types::{Error, Precision, Result, Zone, code};
use jiff::civil;

/// A piece of a format.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// Copied, or expected.
    Literal(String),
    /// A code.
    Code(Code),
}

/// What a code stands for. Letter case of names is kept where the code carries it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Code {
    /// AM, PM and their kind.
    Meridiem {
        dots: bool,
        upper: bool,
    },
    /// So many last digits of the year.
    Year(u32),
    /// Name of the month.
    Month(Case),
    /// Its first three letters.
    MonthShort(Case),
    MonthNumber,
    Day,
    /// Name of the day of the week.
    WeekdayName(Case),
    WeekdayShort(Case),
    DayOfYear,
    /// Sunday is 1.
    DayOfWeek,
    Hour24,
    Hour12,
    Minute,
    Second,
    /// Fraction of the second in so many digits.
    Fraction(u32),
    ZoneHours,
}

/// Letter case of a name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Case {
    Upper,
    Title,
    Lower,
}

const MONTHS: [&str; 12] = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Codes whose letter case means nothing.
const NUMERIC: &[(&str, Code)] = &[
    ("YYYY", Code::Year(4)),
    ("YYY", Code::Year(3)),
    ("YY", Code::Year(2)),
    ("Y", Code::Year(1)),
    ("MM", Code::MonthNumber),
    ("DDD", Code::DayOfYear),
    ("DD", Code::Day),
    ("D", Code::DayOfWeek),
    ("HH24", Code::Hour24),
    ("HH12", Code::Hour12),
    ("HH", Code::Hour12),
    ("MI", Code::Minute),
    ("SS", Code::Second),
    ("MS", Code::Fraction(3)),
    ("US", Code::Fraction(6)),
    ("NS", Code::Fraction(9)),
    ("TZH", Code::ZoneHours),
];

/// Codes whose letter case is that of the result.
const NAMES: &[(&str, Code)] = &[
    ("AM", Code::Meridiem { dots: false, upper: true }),
    ("PM", Code::Meridiem { dots: false, upper: true }),
    ("am", Code::Meridiem { dots: false, upper: false }),
    ("pm", Code::Meridiem { dots: false, upper: false }),
    ("A.M.", Code::Meridiem { dots: true, upper: true }),
    ("P.M.", Code::Meridiem { dots: true, upper: true }),
    ("a.m.", Code::Meridiem { dots: true, upper: false }),
    ("p.m.", Code::Meridiem { dots: true, upper: false }),
    ("MONTH", Code::Month(Case::Upper)),
    ("Month", Code::Month(Case::Title)),
    ("month", Code::Month(Case::Lower)),
    ("MON", Code::MonthShort(Case::Upper)),
    ("Mon", Code::MonthShort(Case::Title)),
    ("mon", Code::MonthShort(Case::Lower)),
    ("DAY", Code::WeekdayName(Case::Upper)),
    ("Day", Code::WeekdayName(Case::Title)),
    ("day", Code::WeekdayName(Case::Lower)),
    ("DY", Code::WeekdayShort(Case::Upper)),
    ("Dy", Code::WeekdayShort(Case::Title)),
    ("dy", Code::WeekdayShort(Case::Lower)),
];

/// Splits a format: the longest code at each place, text in double quotes and all else literal.
pub(super) fn pieces(format: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = format;
    let mut quoted = false;
    while let Some(character) = rest.chars().next() {
        let found = if quoted { None } else { code_at(rest) };
        if let Some((length, code)) = found {
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Code(code));
            rest = &rest[length..];
            continue;
        }
        if character == '"' {
            quoted = !quoted;
        } else {
            literal.push(character);
        }
        rest = &rest[character.len_utf8()..];
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    pieces
}

fn code_at(text: &str) -> Option<(usize, Code)> {
    let numeric = NUMERIC.iter().filter(|(name, _)| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)));
    let named = NAMES.iter().filter(|(name, _)| text.starts_with(name));
    numeric.chain(named).max_by_key(|(name, _)| name.len()).map(|(name, code)| (name.len(), *code))
}

fn in_case(name: &str, case: Case) -> String {
    match case {
        Case::Upper => name.to_ascii_uppercase(),
        Case::Title => name.to_owned(),
        Case::Lower => name.to_ascii_lowercase(),
    }
}

/// Appends a time in the form of a format. `None` outside the calendar. Seconds are cut towards zero, as recorded: before 1970 what is
/// left of them has a sign, which stands in the place of a digit.
pub(super) fn format_time(ticks: i64, precision: Precision, zone: &Zone, pieces: &[Piece], out: &mut String) -> Option<()> {
    let fraction = ticks % precision.ticks_per_second();
    let local = zone.local(ticks - fraction, precision)?;
    let nanoseconds = fraction * precision.nanoseconds();
    let weekday = local.weekday().to_sunday_zero_offset() as usize;
    let hour = local.hour();
    let month = MONTHS[local.month() as usize - 1];
    for (at, piece) in pieces.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = match piece {
            Piece::Literal(text) => out.write_str(text),
            Piece::Code(code) => match *code {
                Code::Meridiem { dots, upper } => {
                    let text = match (hour < 12, dots) {
                        (true, false) => "am",
                        (true, true) => "a.m.",
                        (false, false) => "pm",
                        (false, true) => "p.m.",
                    };
                    out.write_str(&if upper { text.to_ascii_uppercase() } else { text.to_owned() })
                }
                Code::Year(digits) => write!(out, "{:0width$}", i32::from(local.year()).rem_euclid(10_i32.pow(digits)), width = digits as usize),
                Code::Month(case) => write!(out, "{:<9}", in_case(month, case)),
                Code::MonthShort(case) => out.write_str(&in_case(&month[..3], case)),
                Code::MonthNumber => write!(out, "{:02}", local.month()),
                Code::Day => write!(out, "{:02}", local.day()),
                Code::WeekdayName(case) => write!(out, "{:<9}", in_case(WEEKDAYS[weekday], case)),
                Code::WeekdayShort(case) => out.write_str(&in_case(&WEEKDAYS[weekday][..3], case)),
                Code::DayOfYear => write!(out, "{:03}", local.day_of_year()),
                Code::DayOfWeek => write!(out, "{}", weekday + 1),
                Code::Hour24 => write!(out, "{hour:02}"),
                Code::Hour12 => write!(out, "{:02}", (hour + 11) % 12 + 1),
                Code::Minute => write!(out, "{:02}", local.minute()),
                Code::Second => write!(out, "{:02}", local.second()),
                Code::Fraction(digits) => {
                    let width = digits as usize;
                    let mut text = format!("{:0width$}", nanoseconds / 10_i64.pow(9 - digits));
                    // A sign too many is cut where something follows.
                    if at + 1 < pieces.len() {
                        text.truncate(width);
                    }
                    out.write_str(&text)
                }
                Code::ZoneHours => {
                    let offset = zone.offset_at(ticks, precision);
                    write!(out, "{}{:02}", if offset < 0 { '-' } else { '+' }, offset.abs() / 3_600)
                }
            },
        };
    }
    Some(())
}

/// Components read so far; what is missing is the least possible.
struct Components {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: bool,
    day_given: bool,
    hour: i64,
    /// Afternoon, where a meridiem stands; it then needs a clock of twelve.
    afternoon: Option<bool>,
    twelve: bool,
    minute: i64,
    second: i64,
    nanoseconds: i64,
    zone_hours: Option<i64>,
}

fn mismatch() -> Error {
    Error::new(code::FUNC_TO_TIMESTAMP_FAILED_FOR_FORMAT)
}

fn wrong() -> Error {
    Error::with(code::WRONG_TIMESTAMP, "Func to_timestamp failed for wrong timestamp")
}

fn unsupported() -> Error {
    Error::with(code::UNSUPPORTED_TIMESTAMP_FORMAT, "Func to_timestamp failed for unsupported timestamp format")
}

/// Ticks of a text in the form of a format.
pub(super) fn parse_time(text: &str, precision: Precision, zone: &Zone, pieces: &[Piece]) -> Result<i64> {
    let mut found = Components {
        year: 0,
        month: 1,
        day: 1,
        day_of_year: false,
        day_given: false,
        hour: 0,
        afternoon: None,
        twelve: false,
        minute: 0,
        second: 0,
        nanoseconds: 0,
        zone_hours: None,
    };
    let mut rest = text;
    for piece in pieces {
        rest = rest.trim_start_matches(' ');
        if rest.is_empty() {
            break;
        }
        match piece {
            Piece::Literal(literal) => {
                for expected in literal.chars().filter(|character| *character != ' ') {
                    rest = rest.trim_start_matches(' ');
                    if rest.is_empty() {
                        break;
                    }
                    rest = rest.strip_prefix(expected).ok_or_else(mismatch)?;
                }
            }
            Piece::Code(code) => rest = read_code(*code, rest, &mut found)?,
        }
    }
    found.ticks(precision, zone)
}

/// A whole number of at most `digits` digits, perhaps with a sign, and how many digits it had.
fn number(text: &str, digits: usize) -> Result<(i64, usize, &str)> {
    let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let length = unsigned.bytes().take(digits).take_while(u8::is_ascii_digit).count();
    let value: i64 = unsigned[..length].parse().map_err(|_| mismatch())?;
    Ok((if negative { -value } else { value }, length, &unsigned[length..]))
}

/// The place of the name that `text` starts with, whatever its letter case.
fn name<'a>(text: &'a str, names: &[&str], length: Option<usize>) -> Result<(usize, &'a str)> {
    let starts = |name: &&str| {
        let name = length.map_or(*name, |length| &name[..length]);
        text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)).then_some(name.len())
    };
    let found = names.iter().enumerate().find_map(|(at, name)| starts(name).map(|length| (at, &text[length..])));
    found.ok_or_else(mismatch)
}

fn within(value: i64, bounds: std::ops::RangeInclusive<i64>) -> Result<i64> {
    if bounds.contains(&value) { Ok(value) } else { Err(wrong()) }
}

fn read_code<'a>(code: Code, text: &'a str, found: &mut Components) -> Result<&'a str> {
    Ok(match code {
        Code::Meridiem { dots, .. } => {
            let names: [&str; 2] = if dots { ["a.m.", "p.m."] } else { ["am", "pm"] };
            let (afternoon, rest) = name(text, &names, None)?;
            found.afternoon = Some(afternoon == 1);
            rest
        }
        Code::Year(digits) => {
            let (value, read, rest) = number(text, digits as usize)?;
            // Fewer digits mean the year near 2020, as PostgreSQL has it.
            found.year = match (digits, read) {
                (4, _) => value,
                (_, 3) => {
                    if value < 520 {
                        value + 2_000
                    } else {
                        value + 1_000
                    }
                }
                (_, 2) => {
                    if value < 70 {
                        value + 2_000
                    } else {
                        value + 1_900
                    }
                }
                _ => value + 2_000,
            };
            rest
        }
        Code::Month(_) => {
            let (month, rest) = name(text, &MONTHS, None).or_else(|_| name(text, &MONTHS, Some(3)))?;
            found.month = month as i64 + 1;
            rest
        }
        Code::MonthShort(_) => {
            let (month, rest) = name(text, &MONTHS, Some(3))?;
            found.month = month as i64 + 1;
            rest
        }
        Code::WeekdayName(_) => name(text, &WEEKDAYS, None)?.1,
        Code::WeekdayShort(_) => name(text, &WEEKDAYS, Some(3))?.1,
        Code::MonthNumber => {
            let (value, _, rest) = number(text, 2)?;
            found.month = within(value, 1..=12)?;
            rest
        }
        Code::Day => {
            let (value, _, rest) = number(text, 2)?;
            (found.day, found.day_given) = (within(value, 1..=31)?, true);
            rest
        }
        Code::DayOfYear => {
            let (value, _, rest) = number(text, 3)?;
            within(value, 1..=366)?;
            found.day_of_year = true;
            rest
        }
        Code::DayOfWeek => number(text, 1)?.2,
        Code::Hour24 => {
            let (value, _, rest) = number(text, 2)?;
            (found.hour, found.twelve) = (within(value, 0..=23)?, false);
            rest
        }
        Code::Hour12 => {
            let (value, _, rest) = number(text, 2)?;
            if !(1..=12).contains(&value) {
                return Err(mismatch());
            }
            (found.hour, found.twelve) = (value, true);
            rest
        }
        Code::Minute => {
            let (value, _, rest) = number(text, 2)?;
            found.minute = within(value, 0..=59)?;
            rest
        }
        Code::Second => {
            let (value, _, rest) = number(text, 2)?;
            found.second = within(value, 0..=59)?;
            rest
        }
        Code::Fraction(digits) => {
            // A sign, as `TO_CHAR` writes one before 1970, stands in the place of a digit.
            let sign = usize::from(text.starts_with('-'));
            let (value, read, rest) = number(text, digits as usize - sign)?;
            found.nanoseconds = value * 10_i64.pow(9 - (read + sign) as u32);
            rest
        }
        Code::ZoneHours => {
            let (sign, unsigned) = match text.as_bytes().first() {
                Some(b'-') => (-1, &text[1..]),
                Some(b'+') => (1, &text[1..]),
                _ => (1, text),
            };
            let (value, _, rest) = number(unsigned, 2)?;
            found.zone_hours = Some(sign * within(value, 0..=12)?);
            rest
        }
    })
}

impl Components {
    fn ticks(&self, precision: Precision, zone: &Zone) -> Result<i64> {
        if self.day_of_year && !self.day_given {
            return Err(unsupported());
        }
        let hour = match self.afternoon {
            Some(_) if !(1..=12).contains(&self.hour) => return Err(mismatch()),
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
            None if self.twelve => self.hour % 12,
            None => self.hour,
        };
        // A day beyond its month runs over into the next.
        let first = civil::Date::new(self.year as i16, self.month as i8, 1).map_err(|_| wrong())?;
        let date = first.checked_add(jiff::Span::new().days(self.day - 1)).map_err(|_| wrong())?;
        let time = civil::Time::new(hour as i8, self.minute as i8, self.second as i8, 0).map_err(|_| wrong())?;
        let local = date.to_datetime(time);
        let offset = match self.zone_hours {
            Some(hours) => hours as i32 * 3_600,
            // As recorded, without daylight saving time, unlike a literal.
            None => zone.standard_offset(zone.from_local(local).ok_or_else(wrong)?.saturating_mul(1_000), Precision::Milli),
        };
        let seconds = Zone::fixed(offset).from_local(local);
        let ticks = seconds.and_then(|seconds| seconds.checked_mul(precision.ticks_per_second()));
        ticks.map(|ticks| ticks + self.nanoseconds / precision.nanoseconds()).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-03-10 15:04:05.678, a Sunday.
    const TIME: i64 = 1_710_083_045_678;

    fn formatted(format: &str) -> String {
        let mut out = String::new();
        format_time(TIME, Precision::Milli, &Zone::utc(), &pieces(format), &mut out).unwrap();
        out
    }

    fn parsed(text: &str, format: &str) -> Result<i64> {
        parse_time(text, Precision::Milli, &Zone::utc(), &pieces(format))
    }

    #[test]
    fn formats() {
        for (format, expected) in [
            ("Day DD Mon YYYY HH12:MI AM ddd d", "Sunday    10 Mar 2024 03:04 PM 070 1"),
            ("yyyy-mm-dd hh24:mi:ss.ms us ns", "2024-03-10 15:04:05.678 678000 678000000"),
            ("YY Y YYY YYYY", "24 4 024 2024"),
            ("MONTH|Month|month|MON|mon", "MARCH    |March    |march    |MAR|mar"),
            ("A.M. p.m. PM", "P.M. p.m. PM"),
            ("FMMonth", "F03onth"),
            ("mmm ddd", "03m 070"),
            ("\"YYYY\" 年YYYY", "YYYY 年2024"),
            ("TZH DY dy", "+00 SUN sun"),
        ] {
            assert_eq!(formatted(format), expected, "{format}");
        }
    }

    #[test]
    fn texts_of_every_form() {
        let day = 1_709_251_200_000; // 2024-03-01
        for (text, format, expected) in [
            ("2024-02-30", "YYYY-MM-DD", day),
            ("24-3-1", "YY-MM-DD", day),
            ("March 1 2024", "Month DD YYYY", day),
            ("MARCH1,2024", "month dd,yyyy", day),
            ("2024-03-01 11:00 PM", "YYYY-MM-DD HH:MI PM", day + 23 * 3_600_000),
            ("2024-03-01 123456", "YYYY-MM-DD US", day + 123),
            ("20240301", "YYYYMMDD", day),
            ("2024-03", "YYYY-MM-DD", day),
            ("Mon 2024-03-01", "Dy YYYY-MM-DD", day),
            ("2024年03月01日", "YYYY年MM月DD日", day),
            ("10/03/24 PM 03", "dd/mm/yy am hh", 1_710_082_800_000),
            ("12:00 am", "hh:mi am", -62_167_219_200_000),
            ("", "YYYY", -62_167_219_200_000),
            ("1970-01-01.-01", "YYYY-MM-DD.MS", -1),
        ] {
            assert_eq!(parsed(text, format), Ok(expected), "{text}");
        }
        for (text, format, code) in [("2024-03-01 13:00 PM", "YYYY-MM-DD HH12:MI PM", 0x2806), ("2024-060", "YYYY-DDD", 0x2808), ("-1", "SS", 0x2807)] {
            assert_eq!(parsed(text, format).unwrap_err().code().0, code, "{text}");
        }
    }
}
