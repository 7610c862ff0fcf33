//! Timestamp precision of a database: milli-, micro- or nanoseconds a tick.

use crate::{Error, Result, code};

/// How long a tick is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Precision {
    /// 1/1,000 s, the default.
    #[default]
    Milli,
    /// 1/1,000,000 s.
    Micro,
    /// 1/1,000,000,000 s.
    Nano,
}

impl Precision {
    /// Ticks in a second.
    pub fn ticks_per_second(self) -> i64 {
        match self {
            Self::Milli => 1_000,
            Self::Micro => 1_000_000,
            Self::Nano => 1_000_000_000,
        }
    }

    /// Nanoseconds in a tick.
    pub fn nanoseconds(self) -> i64 {
        1_000_000_000 / self.ticks_per_second()
    }

    /// Digits after the second's point: 3, 6 or 9.
    pub fn digits(self) -> usize {
        match self {
            Self::Milli => 3,
            Self::Micro => 6,
            Self::Nano => 9,
        }
    }

    /// `ms`, `us` or `ns`, as in CREATE DATABASE.
    pub fn name(self) -> &'static str {
        match self {
            Self::Milli => "ms",
            Self::Micro => "us",
            Self::Nano => "ns",
        }
    }

    /// The number on wires: 0 ms, 1 us, 2 ns.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// The precision of a wire's number.
    pub fn from_id(id: u8) -> Result<Self> {
        [Self::Milli, Self::Micro, Self::Nano]
            .get(usize::from(id))
            .copied()
            .ok_or_else(|| Error::with(code::INVALID_PARAMETERS, format!("unknown precision {id}")))
    }

    /// Ticks of `self` as ticks of `to`: finer exactly (saturating), coarser rounded towards minus infinity.
    pub fn convert(self, ticks: i64, to: Self) -> i64 {
        let (from, to) = (self.ticks_per_second(), to.ticks_per_second());
        if to >= from { ticks.saturating_mul(to / from) } else { ticks.div_euclid(from / to) }
    }
}
