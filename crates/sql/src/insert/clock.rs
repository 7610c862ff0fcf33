//! Time texts of INSERT at the speed of the rest: the date and hour are worked out once per hour of data. An hour that stands twice, as
//! clocks go back, goes on with the offset of the time before it in the statement, as recorded.

use embudo_types::{Precision, Zone, parse_timestamp};

/// `YYYY-MM-DD HH`.
const HOUR: usize = 13;
/// `YYYY-MM-DD HH:MM:SS`.
const SECOND: usize = 19;

/// Reads `'YYYY-MM-DD HH:MM:SS[.f…]'` in one zone.
#[derive(Clone, Copy)]
pub(super) struct Clock<'a> {
    zone: &'a Zone,
    /// The hour last read, zeros for none, and its first second since the epoch.
    hour: [u8; HOUR],
    hour_start: i64,
    /// Seconds of local time ahead of UTC in that hour.
    offset: Option<i64>,
}

impl<'a> Clock<'a> {
    pub(super) fn new(zone: &'a Zone) -> Self {
        Self { zone, hour: [0; HOUR], hour_start: 0, offset: None }
    }

    /// Takes over the hour that a clock of the same zone learned.
    pub(super) fn take_hour(&mut self, other: &Clock<'_>) {
        (self.hour, self.hour_start, self.offset) = (other.hour, other.hour_start, other.offset);
    }

    /// Ticks of the quoted time at the start of `bytes` and its length with the quotes; `None` for any other form, which is then read
    /// the long way.
    pub(super) fn read(&mut self, bytes: &[u8], precision: Precision) -> Option<(i64, usize)> {
        let text = bytes.get(1..=SECOND)?;
        if text[..HOUR] != self.hour && !self.set_hour(&text[..HOUR]) {
            return None;
        }
        if text[HOUR] != b':' || text[16] != b':' {
            return None;
        }
        let (minute, second) = (two_digits(text[14], text[15])?, two_digits(text[17], text[18])?);
        if minute > 59 || second > 59 {
            return None;
        }
        let mut at = SECOND + 1;
        let mut fraction = 0;
        if bytes.get(at) == Some(&b'.') {
            at += 1;
            let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            let kept = precision.digits();
            for place in 0..kept {
                fraction = fraction * 10 + if place < digits { i64::from(bytes[at + place] - b'0') } else { 0 };
            }
            at += digits;
        }
        if bytes.get(at) != Some(&bytes[0]) || bytes.get(at + 1) == Some(&bytes[0]) {
            return None;
        }
        let seconds = self.hour_start + i64::from(minute * 60 + second);
        Some((seconds.checked_mul(precision.ticks_per_second())? + fraction, at + 1))
    }

    /// Learns the hour `text`, unless a clock change falls into it.
    fn set_hour(&mut self, text: &[u8]) -> bool {
        let mut whole = [0; SECOND];
        whole[..HOUR].copy_from_slice(text);
        whole[HOUR..].copy_from_slice(b":00:00");
        let first = parse_timestamp(&whole, Precision::Milli, self.zone);
        whole[HOUR..].copy_from_slice(b":59:59");
        let last = parse_timestamp(&whole, Precision::Milli, self.zone);
        let (Some(first), Some(last)) = (first, last) else { return false };
        if last - first != 3_599_000 {
            return false;
        }
        whole[HOUR..].copy_from_slice(b":00:00");
        let Some(local) = parse_timestamp(&whole, Precision::Milli, &Zone::utc()) else { return false };
        let (local, mut start) = (local.div_euclid(1_000), first.div_euclid(1_000));
        if let Some(offset) = self.offset
            && i64::from(self.zone.offset_at_second(local - offset)) == offset
        {
            start = local - offset;
        }
        self.hour.copy_from_slice(text);
        (self.hour_start, self.offset) = (start, Some(local - start));
        true
    }
}

fn two_digits(tens: u8, units: u8) -> Option<u32> {
    (tens.is_ascii_digit() && units.is_ascii_digit()).then(|| u32::from(tens - b'0') * 10 + u32::from(units - b'0'))
}
