//! Durations as TDengine writes them: digits and one unit letter, `10s`, `500a`, `1n` (spec/sql.md 1.6).

use crate::{Error, Precision, Result, Zone, code};

/// The unit letter of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DurationUnit {
    /// `b`, nanosecond.
    Nanosecond,
    /// `u`, microsecond.
    Microsecond,
    /// `a`, millisecond.
    Millisecond,
    /// `s`.
    Second,
    /// `m`.
    Minute,
    /// `h`.
    Hour,
    /// `d`, 24 hours.
    Day,
    /// `w`, 7 days.
    Week,
    /// `n`, calendar month.
    Month,
    /// `y`, calendar year.
    Year,
}

impl DurationUnit {
    /// The unit of a letter, either case.
    pub fn from_letter(letter: u8) -> Option<Self> {
        Some(match letter.to_ascii_lowercase() {
            b'b' => Self::Nanosecond,
            b'u' => Self::Microsecond,
            b'a' => Self::Millisecond,
            b's' => Self::Second,
            b'm' => Self::Minute,
            b'h' => Self::Hour,
            b'd' => Self::Day,
            b'w' => Self::Week,
            b'n' => Self::Month,
            b'y' => Self::Year,
            _ => return None,
        })
    }

    /// The letter.
    pub fn letter(self) -> char {
        match self {
            Self::Nanosecond => 'b',
            Self::Microsecond => 'u',
            Self::Millisecond => 'a',
            Self::Second => 's',
            Self::Minute => 'm',
            Self::Hour => 'h',
            Self::Day => 'd',
            Self::Week => 'w',
            Self::Month => 'n',
            Self::Year => 'y',
        }
    }

    /// Nanoseconds of a fixed unit; `None` for months and years.
    pub fn nanoseconds(self) -> Option<i64> {
        const SECOND: i64 = 1_000_000_000;
        Some(match self {
            Self::Nanosecond => 1,
            Self::Microsecond => 1_000,
            Self::Millisecond => 1_000_000,
            Self::Second => SECOND,
            Self::Minute => 60 * SECOND,
            Self::Hour => 3_600 * SECOND,
            Self::Day => 86_400 * SECOND,
            Self::Week => 604_800 * SECOND,
            Self::Month | Self::Year => return None,
        })
    }

    /// Whether the length depends on the calendar.
    pub fn is_calendar(self) -> bool {
        matches!(self, Self::Month | Self::Year)
    }
}

/// A count of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Duration {
    /// How many; negative only where a sign stood before the token.
    pub value: i64,
    /// Of what.
    pub unit: DurationUnit,
}

impl Duration {
    /// Reads `10s`.
    ///
    /// ```
    /// use embudo_types::{Duration, DurationUnit, Precision};
    /// let duration = Duration::parse("90m").unwrap();
    /// assert_eq!(duration.unit, DurationUnit::Minute);
    /// assert_eq!(duration.ticks(Precision::Milli), Some(5_400_000));
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = || Error::with(code::SYNTAX_ERROR_NEAR, format!("syntax error near \"{text}\""));
        let (&letter, digits) = text.as_bytes().split_last().ok_or_else(invalid)?;
        let unit = DurationUnit::from_letter(letter).ok_or_else(invalid)?;
        let value = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or_else(invalid)?;
        Ok(Self { value, unit })
    }

    /// Length in ticks, what is finer than the precision cut off; `None` for calendar units and on overflow.
    pub fn ticks(self, precision: Precision) -> Option<i64> {
        let nanoseconds = i128::from(self.unit.nanoseconds()?) * i128::from(self.value);
        i64::try_from(nanoseconds / i128::from(precision.nanoseconds())).ok()
    }

    /// `ticks` moved by `times` of this duration; calendar units keep the local time of day and clamp the day to the month.
    pub fn add_to(self, ticks: i64, times: i64, precision: Precision, zone: &Zone) -> Option<i64> {
        if let Some(length) = self.ticks(precision) {
            return ticks.checked_add(length.checked_mul(times)?);
        }
        let months = self.value.checked_mul(if self.unit == DurationUnit::Year { 12 } else { 1 })?.checked_mul(times)?;
        zone.add_months(ticks, months, precision)
    }
}

impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // `0b` would begin a binary number.
        let zero = if self.value == 0 && self.unit.letter() == 'b' { "0" } else { "" };
        write!(f, "{zero}{}{}", self.value, self.unit.letter())
    }
}
