//! Instants as local calendar fields, and `datetime` objects of them, fast enough for a column: the zone's offset is
//! looked up once a day of data, not once a value.

use std::ffi::{c_int, c_void};

use embudo_types::{Precision, Zone, civil_from_days};
use pyo3::{exceptions::PyImportError, ffi, prelude::*, sync::PyOnceLock, types::PyType};

use crate::error::{Outcome, bad_value};

const DAY: i64 = 86_400;

/// The offset of a zone, remembered for the day last asked for.
pub struct Offsets {
    zone: Zone,
    day: i64,
    /// The one offset of that day and the day before it, where there is one.
    uniform: Option<i32>,
}

impl Offsets {
    /// For instants in `zone`.
    pub fn new(zone: Zone) -> Self {
        Self { zone, day: i64::MIN, uniform: None }
    }

    /// Seconds east of UTC at an instant in seconds, and whether its local time stands twice and this is the second.
    pub fn at(&mut self, second: i64) -> (i32, bool) {
        let day = second.div_euclid(DAY);
        if day != self.day {
            // The day before belongs to it: a clock set back shortly before midnight repeats an hour after it.
            let offset = |day: i64| self.zone.offset_at_second(day.saturating_mul(DAY));
            let (before, start, end) = (offset(day - 1), offset(day), offset(day + 1));
            self.uniform = (before == start && start == end).then_some(end);
            self.day = day;
        }
        if let Some(offset) = self.uniform {
            return (offset, false);
        }
        let offset = self.zone.offset_at_second(second);
        // The earlier of two equal local times lies as far back as the clock was set back, three hours at most.
        let folded = (1..=12).map(|quarters| quarters * 900).any(|step| self.zone.offset_at_second(second - i64::from(step)) == offset + step);
        (offset, folded)
    }
}

/// The front of `PyDateTime_CAPI` of `datetime.h`, which the capsule `datetime.datetime_CAPI` leads to. The stable ABI does not
/// name it, but every interpreter since 3.7 has this layout, and [`DatetimeMaker::new`] checks it by the type it holds: a call
/// through it takes a quarter of the time of calling the class.
#[repr(C)]
struct DatetimeTable {
    date_type: *mut c_void,
    datetime_type: *mut ffi::PyObject,
    time_delta_tzinfo_types: [*mut c_void; 3],
    utc: *mut c_void,
    makers_without_fold: [*mut c_void; 7],
    datetime_with_fold: unsafe extern "C" fn(
        year: c_int,
        month: c_int,
        day: c_int,
        hour: c_int,
        minute: c_int,
        second: c_int,
        microsecond: c_int,
        tzinfo: *mut ffi::PyObject,
        fold: c_int,
        class: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject,
}

/// What a `datetime` carries as its zone.
pub enum Label {
    /// Nothing.
    Naive,
    /// This `tzinfo`.
    Zone(Py<PyAny>),
    /// A fixed offset named after itself, `+08:00`, as texts with an offset give; the last one is kept.
    Offset(Option<(i32, Py<PyAny>)>),
}

impl Label {
    /// The object for an instant of this offset, borrowed from `self` or the interpreter.
    fn object(&mut self, py: Python<'_>, offset: i32) -> PyResult<*mut ffi::PyObject> {
        match self {
            // SAFETY: attached; None lives as long as the interpreter.
            Self::Naive => Ok(unsafe { ffi::Py_None() }),
            Self::Zone(zone) => Ok(zone.as_ptr()),
            Self::Offset(Some((known, zone))) if *known == offset => Ok(zone.as_ptr()),
            Self::Offset(last) => {
                let datetime = py.import("datetime")?;
                let sign = if offset < 0 { '-' } else { '+' };
                let name = format!("{sign}{:02}:{:02}", offset.abs() / 3_600, offset.abs() / 60 % 60);
                let delta = datetime.getattr("timedelta")?.call1((0, offset))?;
                let zone = datetime.getattr("timezone")?.call1((delta, name))?.unbind();
                Ok(last.insert((offset, zone)).1.as_ptr())
            }
        }
    }
}

/// Makes `datetime` objects.
pub struct DatetimeMaker {
    offsets: Offsets,
    label: Label,
    table: *const DatetimeTable,
}

impl DatetimeMaker {
    /// For local times of `zone`.
    pub fn new(py: Python<'_>, zone: Zone, label: Label) -> PyResult<Self> {
        static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        let class = CLASS.import(py, "datetime", "datetime")?;
        // SAFETY: attached, and the module is imported; the call gives the capsule's pointer or null with an exception.
        let table = unsafe { ffi::PyCapsule_Import(c"datetime.datetime_CAPI".as_ptr(), 0) }.cast::<DatetimeTable>().cast_const();
        if table.is_null() {
            return Err(PyErr::fetch(py));
        }
        // SAFETY: the capsule holds a table of at least this length, alive as long as the interpreter.
        if unsafe { (*table).datetime_type } != class.as_ptr() {
            return Err(PyImportError::new_err("this Python's datetime module has another C interface"));
        }
        Ok(Self { offsets: Offsets::new(zone), label, table })
    }

    /// A new reference to the `datetime` of `ticks`; what is below microseconds is cut. Outside the years 1 to 9999 it is an error.
    pub fn make(&mut self, py: Python<'_>, ticks: i64, precision: Precision) -> Outcome<*mut ffi::PyObject> {
        let unit = precision.ticks_per_second();
        let (second, fraction) = (ticks.div_euclid(unit), ticks.rem_euclid(unit));
        let (offset, fold) = self.offsets.at(second);
        let local = second + i64::from(offset);
        let (year, month, day) = civil_from_days(local.div_euclid(DAY));
        if !(1..=9999).contains(&year) {
            return Err(bad_value(format!("the timestamp {ticks} ({}) lies in year {year}: a datetime ends at the years 1 and 9999", precision.name())));
        }
        let clock = local.rem_euclid(DAY) as i32;
        let microsecond = fraction * 1_000_000 / unit;
        let tzinfo = self.label.object(py, offset)?;
        // SAFETY: `table` was checked by `new` and lives as long as the interpreter; every argument is in the range of its field, and
        // `tzinfo` is None or a tzinfo object that the label keeps.
        let made = unsafe {
            ((*self.table).datetime_with_fold)(
                year as i32,
                month as i32,
                day as i32,
                clock / 3_600,
                clock / 60 % 60,
                clock % 60,
                microsecond as i32,
                tzinfo,
                i32::from(fold),
                (*self.table).datetime_type,
            )
        };
        if made.is_null() { Err(PyErr::fetch(py).into()) } else { Ok(made) }
    }
}
