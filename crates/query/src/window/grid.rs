//! Where the windows of INTERVAL lie in time.
//!
//! Windows of fixed length start at multiples of the step since the epoch, plus the offset; where the length is in days or weeks
//! the epoch is local midnight of the zone's standard time, so that such a window is always 24 or 168 hours. Windows of months and
//! years start at calendar months, counted from year 0, in local time; what TDengine shows as their bounds is reckoned with the
//! offset of their first row ([`Grid::shown`]). (Recorded in golden/zones.)

use embudo_types::{Duration, DurationUnit, Precision, Zone};

/// The grid of an INTERVAL clause in ticks.
#[derive(Clone, Debug)]
pub enum Grid {
    /// Windows of fixed length.
    Fixed {
        /// Length.
        length: i64,
        /// From one start to the next, at most the length.
        step: i64,
        /// A start of the grid.
        origin: i64,
    },
    /// Windows of calendar months; a year is twelve.
    Calendar {
        /// Length.
        months: i64,
        /// Shift of the grid in ticks.
        offset: i64,
        /// Shift of the grid in months.
        offset_months: i64,
        /// Of the database.
        precision: Precision,
        /// Of the session.
        zone: Zone,
    },
}

/// Window starts beyond this are out of the calendar; both ends of time clamp to it.
const CALENDAR_SECONDS: i64 = 250_000_000_000;

/// No clock change moves further than this.
const LARGEST_CLOCK_CHANGE: i64 = 2 * 3_600;

impl Grid {
    /// A grid of fixed windows; `local` where the length is in days or weeks. `now` decides the zone's standard offset in force.
    pub(crate) fn fixed(length: i64, step: i64, offset: i64, local: bool, precision: Precision, zone: &Zone, now: i64) -> Self {
        let shift = if local { i64::from(zone.standard_offset(now, Precision::Nano)) * precision.ticks_per_second() } else { 0 };
        Self::Fixed { length, step, origin: (offset - shift).rem_euclid(step) }
    }

    /// A grid of calendar windows.
    pub(crate) fn calendar(length: Duration, offset: Option<Duration>, precision: Precision, zone: &Zone) -> Self {
        let zone = zone.clone();
        let months = |duration: Duration| duration.value.saturating_mul(if duration.unit == DurationUnit::Year { 12 } else { 1 });
        let (offset, offset_months) = match offset {
            Some(offset) if offset.unit.is_calendar() => (0, months(offset)),
            Some(offset) => (offset.ticks(precision).unwrap_or(0), 0),
            None => (0, 0),
        };
        Self::Calendar { months: months(length).max(1), offset, offset_months, precision, zone }
    }

    /// Start of the earliest window that contains `tick`.
    pub fn first_start(&self, tick: i64) -> i64 {
        match self {
            Self::Fixed { length, step, origin } => {
                // The earliest start above tick - length.
                let after = tick.saturating_sub(*length).saturating_sub(*origin);
                after.div_euclid(*step).saturating_add(1).saturating_mul(*step).saturating_add(*origin)
            }
            Self::Calendar { .. } => self.last_start(tick),
        }
    }

    /// Start of the latest window that contains `tick`.
    pub fn last_start(&self, tick: i64) -> i64 {
        match self {
            Self::Fixed { step, origin, .. } => tick.saturating_sub(*origin).div_euclid(*step).saturating_mul(*step).saturating_add(*origin),
            Self::Calendar { months, offset, offset_months, precision, zone } => {
                let limit = CALENDAR_SECONDS.saturating_mul(precision.ticks_per_second());
                // As recorded, to whole seconds towards zero: the last fraction before a month that lies before 1970 belongs to that month.
                let tick = tick - tick % precision.ticks_per_second();
                let shifted = tick.clamp(-limit, limit).saturating_sub(*offset);
                let local = zone.local(shifted, *precision);
                let month = local.map_or(0, |local| i64::from(local.year()) * 12 + i64::from(local.month()) - 1) - offset_months;
                let mut start = month.div_euclid(*months) * months + offset_months;
                // An offset in days may reach over the month's start in local time.
                if self.month_start(start) > tick && tick > -limit {
                    start -= months;
                }
                self.month_start(start)
            }
        }
    }

    /// Start of the window after the one that starts at `start`.
    pub fn next_start(&self, start: i64) -> i64 {
        match self {
            Self::Fixed { step, .. } => start.saturating_add(*step),
            Self::Calendar { .. } => self.end(start),
        }
    }

    /// First tick after the window that starts at `start`.
    pub fn end(&self, start: i64) -> i64 {
        match self {
            Self::Fixed { length, .. } => start.saturating_add(*length),
            // Not from the start's time of day: where the clock skipped midnight, that is another.
            Self::Calendar { months, offset, precision, zone, .. } => {
                let local = zone.local(start.saturating_sub(*offset), *precision);
                let month = local.map(|local| i64::from(local.year()) * 12 + i64::from(local.month()) - 1);
                // Behind the last year of the calendar there is no end.
                month.map(|month| self.month_start(month + months)).filter(|end| *end > start).unwrap_or(i64::MAX)
            }
        }
    }

    /// `_wstart` and `_wend` of the window that starts at `start` and whose first row is at `tick`: across a clock change a
    /// calendar window's bounds keep the offset that its first row has.
    pub(crate) fn shown(&self, start: i64, tick: i64) -> (i64, i64) {
        let Self::Calendar { precision, zone, .. } = self else { return (start, self.end(start)) };
        let offset = zone.offset_at(tick, *precision);
        if offset == zone.offset_at(start, *precision) && offset == zone.offset_at(self.end(start), *precision) {
            return (start, self.end(start));
        }
        let fixed = self.with_zone(Zone::fixed(offset));
        let start = fixed.last_start(tick);
        (start, fixed.end(start))
    }

    fn with_zone(&self, new: Zone) -> Self {
        let mut grid = self.clone();
        if let Self::Calendar { zone, .. } = &mut grid {
            *zone = new;
        }
        grid
    }

    /// Whether the window shown with a start is the one that starts at `start`.
    pub(crate) fn is_shown_as(&self, start: i64, shown: i64) -> bool {
        match self {
            Self::Fixed { .. } => start == shown,
            Self::Calendar { precision, .. } => start.abs_diff(shown) <= LARGEST_CLOCK_CHANGE.unsigned_abs() * precision.ticks_per_second().unsigned_abs(),
        }
    }

    /// Whether windows lie edge to edge.
    pub fn is_tumbling(&self) -> bool {
        match self {
            Self::Fixed { length, step, .. } => length == step,
            Self::Calendar { .. } => true,
        }
    }

    /// How many windows begin in the closed range between two starts, at most `limit`.
    pub(crate) fn count(&self, first: i64, last: i64, limit: usize) -> usize {
        match self {
            Self::Fixed { step, .. } => usize::try_from((i128::from(last) - i128::from(first)) / i128::from(*step) + 1).map_or(limit, |count| count.min(limit)),
            Self::Calendar { .. } => {
                let (mut count, mut start) = (0, first);
                while start <= last && count < limit {
                    count += 1;
                    let next = self.next_start(start);
                    if next <= start {
                        break;
                    }
                    start = next;
                }
                count
            }
        }
    }

    /// Start of a month by its number since year 0, with the grid's shift in ticks.
    fn month_start(&self, month: i64) -> i64 {
        let Self::Calendar { offset, precision, zone, .. } = self else { return 0 };
        let year = month.div_euclid(12).clamp(-9_000, 9_000) as i16;
        let date = jiff::civil::Date::new(year, (month.rem_euclid(12) + 1) as i8, 1);
        let second = date.ok().and_then(|date| zone.from_local(date.to_datetime(jiff::civil::Time::midnight()))).unwrap_or(0);
        second.saturating_mul(precision.ticks_per_second()).saturating_add(*offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embudo_types::parse_timestamp;
    use proptest::prelude::*;

    fn ticks(text: &str) -> i64 {
        parse_timestamp(text.as_bytes(), Precision::Milli, &Zone::utc()).unwrap()
    }

    fn grid(length: &str, offset: Option<&str>, zone: &str) -> Grid {
        let (length, zone) = (Duration::parse(length).unwrap(), Zone::named(zone).unwrap());
        let offset = offset.map(|offset| Duration::parse(offset).unwrap());
        if length.unit.is_calendar() {
            return Grid::calendar(length, offset, Precision::Milli, &zone);
        }
        let local = matches!(length.unit, DurationUnit::Day | DurationUnit::Week);
        let ticks = length.ticks(Precision::Milli).unwrap();
        Grid::fixed(ticks, ticks, offset.map_or(0, |offset| offset.ticks(Precision::Milli).unwrap()), local, Precision::Milli, &zone, 1_710_000_000_000_000_000)
    }

    #[test]
    fn windows_start_where_tdengine_starts_them() {
        for (length, offset, zone, tick, start) in [
            ("1w", None, "UTC", "2024-03-10 00:00:25", "2024-03-07"),
            ("7s", None, "UTC", "2024-03-10 00:00:01", "2024-03-09 23:59:56"),
            ("1d", None, "America/New_York", "2024-03-11 04:30:00", "2024-03-10 05:00:00"),
            ("1n", None, "Asia/Shanghai", "2024-03-09 10:00:00", "2024-02-29 16:00:00"),
            ("1n", None, "America/New_York", "2024-04-15", "2024-04-01 04:00:00"),
            ("3n", None, "UTC", "1955-07-05", "1955-07-01"),
            ("10y", None, "UTC", "1955-07-05", "1950-01-01"),
            ("1n", Some("3d"), "UTC", "2024-03-01", "2024-02-04"),
            ("1y", Some("1n"), "UTC", "2024-01-15", "2023-02-01"),
        ] {
            assert_eq!(grid(length, offset, zone).last_start(ticks(tick)), ticks(start), "{length} {offset:?} {zone} {tick}");
        }
    }

    #[test]
    fn months_end_where_the_next_begin() {
        // Midnight of the first of May was skipped.
        let grid = grid("1n", None, "Asia/Shanghai");
        let (may, june) = (ticks("1948-04-30 16:00:00"), ticks("1948-05-31 15:00:00"));
        assert_eq!((grid.last_start(may + 1), grid.end(may), grid.last_start(june)), (may, june, june));
    }

    proptest! {
        #[test]
        fn every_tick_lies_in_its_windows(tick in -4_000_000_000_000_i64..4_000_000_000_000, length in 1_i64..100_000, step in 1_i64..100_000, offset in 0_i64..100_000) {
            let step = step.min(length);
            let grid = Grid::fixed(length, step, offset, false, Precision::Milli, &Zone::utc(), 0);
            let (first, last) = (grid.first_start(tick), grid.last_start(tick));
            prop_assert!(first <= tick && tick < grid.end(first));
            prop_assert!(grid.end(first - step) <= tick);
            prop_assert!(last <= tick && tick < last + step);
            prop_assert_eq!((last - first) / step + 1, grid.count(first, last, usize::MAX) as i64);
        }

        #[test]
        fn every_tick_lies_in_its_month(tick in -4_000_000_000_000_i64..4_000_000_000_000, months in 1_i64..30, days in 0_i64..20) {
            let offset = Duration { value: days, unit: DurationUnit::Day };
            let grid = Grid::calendar(Duration { value: months, unit: DurationUnit::Month }, Some(offset), Precision::Milli, &Zone::named("Europe/Berlin").unwrap());
            let (start, second) = (grid.last_start(tick), tick - tick % 1_000);
            prop_assert!(start <= second, "{start} {tick}");
            prop_assert!(second < grid.end(start));
            prop_assert_eq!(grid.last_start(grid.end(start)), grid.end(start));
        }
    }
}
