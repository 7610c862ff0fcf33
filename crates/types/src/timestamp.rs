//! TDengine's text forms of timestamps, in and out (spec/sql.md 1.7).

use jiff::civil;

use crate::{Precision, Zone, zone::format_offset};

/// Ticks of a timestamp text: `2024-01-31`, `2024-1-31 1:2:3.5`, `2024-01-31T01:02:03Z`, with a zone suffix or in `zone`;
/// fraction digits beyond the precision are cut. `None` where the text is no timestamp. Texts of digits alone are the caller's business.
///
/// ```
/// use embudo_types::{Precision, Zone, parse_timestamp};
/// assert_eq!(parse_timestamp(b"1970-01-01 08:00:01.25+08:00", Precision::Milli, &Zone::utc()), Some(1_250));
/// assert_eq!(parse_timestamp(b"1970-01-01 00:00", Precision::Milli, &Zone::utc()), None);
/// ```
pub fn parse_timestamp(text: &[u8], precision: Precision, zone: &Zone) -> Option<i64> {
    let mut input = Input(text);
    while input.eat(b' ') {}
    let year = input.number(4, 4)?;
    input.expect(b'-')?;
    let month = input.number(1, 2)?;
    input.expect(b'-')?;
    let day = input.number(1, 2)?;
    let date = civil::Date::new(year as i16, month as i8, day as i8).ok()?;
    let (mut second_of_day, mut fraction) = (0, 0);
    let mut offset = None;
    if !input.0.is_empty() {
        if !input.eat(b'T') {
            input.expect(b' ')?;
        }
        let hour = input.number(1, 2)?;
        input.expect(b':')?;
        let minute = input.number(1, 2)?;
        input.expect(b':')?;
        let second = input.number(1, 2)?;
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        second_of_day = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
        if input.eat(b'.') {
            fraction = input.fraction(precision.digits())?;
        }
        if !input.0.is_empty() {
            offset = Some(parse_offset(input.0)?);
        }
    }
    let seconds = if let Some(offset) = offset {
        days_from_epoch(date) * 86_400 + second_of_day - i64::from(offset)
    } else {
        // Second 60 is the next minute's first; jiff has no field for it.
        let clock = second_of_day.min(86_399);
        let time = civil::Time::new((clock / 3_600) as i8, (clock / 60 % 60) as i8, (clock % 60) as i8, 0).ok()?;
        zone.from_local(date.to_datetime(time))? + second_of_day - clock
    };
    seconds.checked_mul(precision.ticks_per_second())?.checked_add(fraction)
}

fn days_from_epoch(date: civil::Date) -> i64 {
    let epoch = civil::date(1970, 1, 1);
    epoch.until(date).map_or(0, |span| i64::from(span.get_days()))
}

/// Seconds east of UTC of `Z`, `z`, `+8`, `+08`, `+0800`, `+08:00`.
pub(crate) fn parse_offset(text: &[u8]) -> Option<i32> {
    let (&sign, rest) = text.split_first()?;
    if matches!(sign, b'Z' | b'z') {
        return rest.is_empty().then_some(0);
    }
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let mut input = Input(rest);
    let hour = input.number(1, 2)?;
    let minute = if input.0.is_empty() {
        0
    } else {
        input.eat(b':');
        input.number(2, 2)?
    };
    if !input.0.is_empty() || minute > 59 || hour > 12 || (hour == 12 && minute > 0) {
        return None;
    }
    Some(sign * (hour * 3_600 + minute * 60))
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.0.first() == Some(&byte);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    fn number(&mut self, least: usize, most: usize) -> Option<i32> {
        let digits = self.0.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        if digits < least {
            return None;
        }
        let value = self.0[..digits].iter().fold(0, |value, byte| value * 10 + i32::from(byte - b'0'));
        self.0 = &self.0[digits..];
        Some(value)
    }

    /// At least one digit; the first `keep` count, right-padded with zeros.
    fn fraction(&mut self, keep: usize) -> Option<i64> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let value = (0..keep).fold(0, |value, at| value * 10 + if at < digits { i64::from(self.0[at] - b'0') } else { 0 });
        self.0 = &self.0[digits..];
        Some(value)
    }
}

/// RFC 3339 with the precision's fixed number of fraction digits: `Z` for UTC, else `+hh:mm`; appended to `out`.
///
/// ```
/// use embudo_types::{Precision, Zone, format_rfc3339};
/// let mut text = String::new();
/// format_rfc3339(1_250, Precision::Milli, &Zone::fixed(8 * 3_600), &mut text);
/// assert_eq!(text, "1970-01-01T08:00:01.250+08:00");
/// ```
pub fn format_rfc3339(ticks: i64, precision: Precision, zone: &Zone, out: &mut String) {
    use std::fmt::Write;
    let unit = precision.ticks_per_second();
    let (second, fraction) = (ticks.div_euclid(unit), ticks.rem_euclid(unit));
    let offset = zone.offset_at(ticks, precision);
    let local = second + i64::from(offset);
    let (year, month, day) = civil_from_days(local.div_euclid(86_400));
    let clock = local.rem_euclid(86_400);
    let width = precision.digits();
    // Writing to a String cannot fail.
    let _ = write!(out, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{fraction:0width$}", clock / 3_600, clock / 60 % 60, clock % 60);
    if offset == 0 { out.push('Z') } else { out.push_str(&format_offset(offset, true)) }
}

/// Year, month and day of a day number since 1970-01-01, for any i64 second (jiff's calendar ends at year 9999).
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_that_tdengine_takes_and_refuses() {
        let parse = |text: &str| parse_timestamp(text.as_bytes(), Precision::Milli, &Zone::utc());
        for text in ["2024-1-1", "2024-01-01 1:2:3", " 2024-01-01", "2024-01-01T00:00:60", "2024-01-01 00:00:00+5", "2024-01-01 00:00:00z"] {
            assert!(parse(text).is_some(), "{text}");
        }
        for text in [
            "2024-01-01 24:00:00",
            "2024-02-30",
            "2024-01-01 ",
            "2024-01-01 00:00:00.",
            "2024-01-01 00:00:00 Z",
            "2024-01-01t00:00:00",
            "2024-01-01 00:00",
            "2024-06",
            "2024-01-01 00:00:00+13:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(ticks in -60_000_000_000_000_i64..250_000_000_000_000, offset in -11_i32..12) {
            let zone = Zone::fixed(offset * 3_600);
            let mut text = String::new();
            format_rfc3339(ticks, Precision::Milli, &zone, &mut text);
            prop_assert_eq!(parse_timestamp(text.as_bytes(), Precision::Milli, &Zone::utc()), Some(ticks));
        }
    }
}
