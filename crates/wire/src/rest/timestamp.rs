//! Timestamps as RFC 3339 strings, fast for neighbouring instants: the date and hour, and the zone's offset, are kept from cell to cell.

use embudo_types::{Precision, Zone, format_rfc3339};

/// `00` to `99`.
const PAIRS: [[u8; 2]; 100] = {
    let mut table = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        table[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    table
};

/// Writes the timestamps of one column.
pub struct TimestampWriter {
    precision: Precision,
    zone: Zone,
    /// UTC seconds for which `offset` is known to hold: from the first to before the second.
    offset_from: i64,
    offset_until: i64,
    offset: i64,
    /// Hours since the epoch in local time that `prefix` shows.
    hour: i64,
    /// `"2023-11-14T22:`.
    prefix: Vec<u8>,
    /// `Z"` or `+08:00"`.
    suffix: Vec<u8>,
}

impl TimestampWriter {
    /// A writer of ticks of `precision`, shown in `zone`.
    pub fn new(precision: Precision, zone: Zone) -> Self {
        Self { precision, zone, offset_from: 0, offset_until: 0, offset: 0, hour: i64::MIN, prefix: Vec::new(), suffix: Vec::new() }
    }

    /// Appends one instant as a JSON string.
    pub fn write(&mut self, ticks: i64, out: &mut Vec<u8>) {
        match self.precision {
            Precision::Milli => self.write_ticks::<1_000>(ticks, out),
            Precision::Micro => self.write_ticks::<1_000_000>(ticks, out),
            Precision::Nano => self.write_ticks::<1_000_000_000>(ticks, out),
        }
    }

    fn write_ticks<const PER_SECOND: i64>(&mut self, ticks: i64, out: &mut Vec<u8>) {
        let (second, fraction) = (ticks.div_euclid(PER_SECOND), ticks.rem_euclid(PER_SECOND));
        if second < self.offset_from || second >= self.offset_until {
            self.find_offset(second);
        }
        let local = second + self.offset;
        let hour = local.div_euclid(3_600);
        if hour != self.hour {
            self.find_hour(hour);
        }
        let within = local.rem_euclid(3_600) as usize;
        out.extend_from_slice(&self.prefix);
        let (minute, second) = (PAIRS[within / 60], PAIRS[within % 60]);
        out.extend_from_slice(&[minute[0], minute[1], b':', second[0], second[1], b'.']);
        write_fraction::<PER_SECOND>(fraction as u64, out);
        out.extend_from_slice(&self.suffix);
    }

    /// Zones change their offset seldom, and never twice in an hour: where it is the same at both ends of the hour, it holds within.
    fn find_offset(&mut self, second: i64) {
        let per_second = self.precision.ticks_per_second();
        let offset_at = |second: i64| self.zone.offset_at(second.saturating_mul(per_second), self.precision);
        let (start, end) = (second.div_euclid(3_600) * 3_600, second.div_euclid(3_600) * 3_600 + 3_600);
        let offset = offset_at(second);
        (self.offset_from, self.offset_until) = if offset_at(start) == offset && offset_at(end - 1) == offset { (start, end) } else { (second, second + 1) };
        self.offset = i64::from(offset);
        let shown = format(second, &self.zone);
        self.suffix = shown.as_bytes()[shown.find('.').unwrap_or(0) + 4..].to_vec();
        self.suffix.push(b'"');
    }

    fn find_hour(&mut self, hour: i64) {
        let shown = format(hour * 3_600, &Zone::utc());
        self.prefix = format!("\"{}", &shown[..shown.find('T').unwrap_or(0) + 4]).into_bytes();
        self.hour = hour;
    }
}

fn format(second: i64, zone: &Zone) -> String {
    let mut text = String::new();
    format_rfc3339(second.saturating_mul(1_000), Precision::Milli, zone, &mut text);
    text
}

fn write_fraction<const PER_SECOND: i64>(fraction: u64, out: &mut Vec<u8>) {
    match PER_SECOND {
        1_000 => write_triples::<1>(fraction, out),
        1_000_000 => write_triples::<2>(fraction, out),
        _ => write_triples::<3>(fraction, out),
    }
}

/// Three digits for every thousand-fold.
fn write_triples<const TRIPLES: usize>(fraction: u64, out: &mut Vec<u8>) {
    let mut divisor = 1_000_u64.pow(TRIPLES as u32);
    for _ in 0..TRIPLES {
        divisor /= 1_000;
        let triple = (fraction / divisor % 1_000) as usize;
        let pair = PAIRS[triple % 100];
        out.extend_from_slice(&[b'0' + (triple / 100) as u8, pair[0], pair[1]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_same_text_as_one_by_one(
            start in -2_000_000_000_000_i64..4_000_000_000_000,
            steps in proptest::collection::vec(-20_000_000_i64..20_000_000, 1..50),
            zone in prop::sample::select(vec!["UTC", "Asia/Shanghai", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/London", "-03:30"]),
            precision in prop::sample::select(vec![Precision::Milli, Precision::Micro, Precision::Nano]),
        ) {
            let zone = Zone::named(zone).unwrap();
            let mut writer = TimestampWriter::new(precision, zone.clone());
            let mut ticks = Precision::Milli.convert(start, precision);
            for step in steps {
                ticks = ticks.saturating_add(step);
                let (mut fast, mut slow) = (Vec::new(), String::new());
                writer.write(ticks, &mut fast);
                format_rfc3339(ticks, precision, &zone, &mut slow);
                prop_assert_eq!(String::from_utf8(fast).unwrap(), format!("\"{slow}\""));
            }
        }
    }

    #[test]
    fn the_ends_of_the_range_do_not_break_it() {
        for precision in [Precision::Milli, Precision::Micro, Precision::Nano] {
            let mut writer = TimestampWriter::new(precision, Zone::named("Asia/Shanghai").unwrap());
            for ticks in [i64::MIN, -1, 0, i64::MAX] {
                let mut out = Vec::new();
                writer.write(ticks, &mut out);
                assert!(out.starts_with(b"\"") && out.ends_with(b"\""));
            }
        }
    }
}
