//! A session's time zone: local fields of an instant and back, month arithmetic. All zone rules come from jiff.

use jiff::{Timestamp, civil, tz::TimeZone};

use crate::{Error, Precision, Result, code};

/// A time zone, cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// UTC.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The process's zone (`TZ`, else the machine's setting).
    pub fn system() -> Self {
        Self(TimeZone::system())
    }

    /// A zone by IANA name, such as `Asia/Shanghai`, or a fixed offset such as `+08:00`.
    pub fn named(name: &str) -> Result<Self> {
        if name.eq_ignore_ascii_case("utc") || name.eq_ignore_ascii_case("z") {
            return Ok(Self::utc());
        }
        if let Some(seconds) = crate::timestamp::parse_offset(name.as_bytes()) {
            return Ok(Self::fixed(seconds));
        }
        TimeZone::get(name).map(Self).map_err(|source| Error::with(code::INVALID_PARAMETERS, format!("unknown time zone {name}")).caused_by(source))
    }

    /// A fixed offset east of UTC in seconds.
    pub fn fixed(seconds: i32) -> Self {
        Self(jiff::tz::Offset::from_seconds(seconds).map_or(TimeZone::UTC, TimeZone::fixed))
    }

    /// The IANA name, `UTC`, or an offset.
    pub fn name(&self) -> String {
        if let Some(name) = self.0.iana_name() { name.to_owned() } else { format_offset(self.offset_at_second(0), true) }
    }

    /// Offset east of UTC in seconds at an instant.
    pub fn offset_at(&self, ticks: i64, precision: Precision) -> i32 {
        self.offset_at_second(ticks.div_euclid(precision.ticks_per_second()))
    }

    /// Offset east of UTC in seconds, outside daylight saving, of the zone's rules now in force: day and longer windows align to it.
    pub fn standard_offset(&self, ticks: i64, precision: Precision) -> i32 {
        let second = ticks.div_euclid(precision.ticks_per_second());
        let Ok(instant) = Timestamp::from_second(second.clamp(-377_000_000_000, 253_000_000_000)) else { return 0 };
        let info = self.0.to_offset_info(instant);
        if !info.dst().is_dst() {
            return info.offset().seconds();
        }
        // The nearest transitions out of daylight saving tell what standard time is; where that has changed meanwhile, the one that an hour was
        // added to, else one that up to two were.
        let after = self.0.following(instant).find(|transition| !transition.dst().is_dst()).map(|transition| transition.offset().seconds());
        let before = self.0.preceding(instant).find(|transition| !transition.dst().is_dst()).map(|transition| transition.offset().seconds());
        let summer = info.offset().seconds();
        let near = [after, before];
        let with = |is_saved: fn(i32) -> bool| near.into_iter().flatten().find(|standard| is_saved(summer - standard));
        with(|saved| saved == 3_600).or_else(|| with(|saved| (1..=7_200).contains(&saved))).or(after).or(before).unwrap_or(summer - 3_600)
    }

    /// Whether daylight saving is in force, and the abbreviation, at an instant.
    pub fn abbreviation_at(&self, ticks: i64, precision: Precision) -> String {
        let second = ticks.div_euclid(precision.ticks_per_second());
        Timestamp::from_second(second).map_or_else(|_| "UTC".into(), |instant| self.0.to_offset_info(instant).abbreviation().to_owned())
    }

    /// Ticks of a local date and time of day. A time that a clock change skipped moves on by the gap; one that stands twice is
    /// the later, standard time, as recorded of TDengine.
    pub fn from_local(&self, local: civil::DateTime) -> Option<i64> {
        let second = |local| self.0.to_ambiguous_timestamp(local).later().ok().map(Timestamp::as_second);
        // jiff's last instant lies in 9999-12-30, UTC; no zone changes its clock on the day after.
        second(local).or_else(|| local.checked_sub(jiff::Span::new().days(1)).ok().and_then(second).map(|day_before| day_before + 86_400))
    }

    /// The local date and time of day of an instant, to whole seconds. `None` outside years -9999 to 9999.
    pub fn local(&self, ticks: i64, precision: Precision) -> Option<civil::DateTime> {
        let instant = Timestamp::from_second(ticks.div_euclid(precision.ticks_per_second())).ok()?;
        Some(self.0.to_datetime(instant))
    }

    /// `ticks` moved by calendar months in local time, the day clamped to the month's end.
    pub fn add_months(&self, ticks: i64, months: i64, precision: Precision) -> Option<i64> {
        let unit = precision.ticks_per_second();
        let local = self.local(ticks, precision)?;
        let moved = local.checked_add(jiff::Span::new().try_months(months).ok()?).ok()?;
        self.from_local(moved)?.checked_mul(unit)?.checked_add(ticks.rem_euclid(unit))
    }

    /// Offset east of UTC in seconds at an instant in seconds.
    pub fn offset_at_second(&self, second: i64) -> i32 {
        Timestamp::from_second(second.clamp(-377_000_000_000, 253_000_000_000)).map_or(0, |instant| self.0.to_offset(instant).seconds())
    }
}

/// `+08:00` or, without the colon, `+0800`.
pub(crate) fn format_offset(seconds: i32, colon: bool) -> String {
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
    format!("{sign}{:02}{}{:02}", minutes / 60, if colon { ":" } else { "" }, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_time_is_what_summer_was_added_to() {
        let second = |text: &str| text.parse::<Timestamp>().unwrap().as_second() * 1_000;
        for (zone, instant, hours) in [
            ("America/New_York", "2024-07-01T00:00:00Z", -5.0),
            ("Australia/Lord_Howe", "2024-01-01T00:00:00Z", 10.5),
            // Samoa changed its day, and its standard time with it, in summer.
            ("Pacific/Apia", "2011-10-01T00:00:00Z", -11.0),
            ("Pacific/Apia", "2012-01-01T00:00:00Z", 13.0),
            ("Asia/Kolkata", "1950-01-01T00:00:00Z", 5.5),
        ] {
            let zone = Zone::named(zone).unwrap();
            assert_eq!(f64::from(zone.standard_offset(second(instant), Precision::Milli)) / 3_600.0, hours, "{zone:?} {instant}");
        }
    }
}
