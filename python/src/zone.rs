//! Time zones as Python has them.

use std::sync::Arc;

use embudo_types::{Error, Zone, code};
use pyo3::{prelude::*, sync::PyOnceLock};

use crate::error::{Failure, Outcome};

/// The zone that a result's instants are shown in, and its Python object once it is asked for.
#[derive(Clone)]
pub struct ShownZone {
    /// The zone's rules.
    pub zone: Zone,
    tzinfo: Arc<PyOnceLock<Py<PyAny>>>,
}

impl ShownZone {
    /// Shows instants in `zone`.
    pub fn new(zone: Zone) -> Self {
        Self { zone, tzinfo: Arc::new(PyOnceLock::new()) }
    }

    /// The `tzinfo` object.
    pub fn tzinfo<'py>(&self, py: Python<'py>) -> Outcome<Bound<'py, PyAny>> {
        if let Some(known) = self.tzinfo.get(py) {
            return Ok(known.bind(py).clone());
        }
        let made = tzinfo(py, &self.zone)?;
        Ok(self.tzinfo.get_or_init(py, || made.unbind()).bind(py).clone())
    }
}

/// UTC by its names in the time zone database.
const UTC: [&str; 8] = ["UTC", "Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu"];

/// The Python object of a zone: `zoneinfo.ZoneInfo` by name, `datetime.timezone` for UTC, which others know to need no look into a
/// zone's rules (pandas reads such a column ten times as fast), and for fixed offsets.
fn tzinfo<'py>(py: Python<'py>, zone: &Zone) -> Outcome<Bound<'py, PyAny>> {
    let name = zone.name();
    let datetime = py.import("datetime")?;
    if UTC.contains(&name.as_str()) {
        return Ok(datetime.getattr("timezone")?.getattr("utc")?);
    }
    if name.starts_with(['+', '-']) {
        let seconds = zone.offset_at_second(0);
        return Ok(datetime.getattr("timezone")?.call1((datetime.getattr("timedelta")?.call1((0, seconds))?,))?);
    }
    let found = py.import("zoneinfo")?.getattr("ZoneInfo")?.call1((&name,));
    found.map_err(|error| {
        let message = format!("Python has no data of time zone {name}; install the package tzdata");
        Failure::Database(Error::with(code::INVALID_CONFIG_OPTION, message).caused_by(error))
    })
}
