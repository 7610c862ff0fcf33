//! The project's error as Python's: class, message and attributes are chosen in `embudo.errors`, from the code alone.

use std::{convert::Infallible, error::Error as _};

use embudo_client::HttpStatus;
use embudo_types::{Error, code};
use pyo3::{prelude::*, sync::PyOnceLock, types::PyDict};

/// The result of anything that Python calls.
pub type Outcome<T> = Result<T, Failure>;

/// What went wrong: a failure of the database's, or an exception that Python itself raised.
#[derive(Debug)]
pub enum Failure {
    /// Becomes a class of `embudo.errors`.
    Database(Error),
    /// Passes through.
    Python(PyErr),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<Infallible> for Failure {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Python(error) => error,
            Failure::Database(error) => Python::attach(|py| to_python(py, &error)),
        }
    }
}

/// A use of the interface that it does not allow: `embudo.InterfaceError`.
pub fn misuse(message: impl Into<String>) -> Failure {
    Failure::Database(Error::with(code::INVALID_OPTION, message))
}

/// A value that cannot be what it should: `embudo.DataError`.
pub fn bad_value(message: impl Into<String>) -> Failure {
    Failure::Database(Error::with(code::OUT_OF_RANGE, message))
}

/// Makes the exception by `embudo.errors.exception(code, name, message, position=, status=, system=)`.
fn to_python(py: Python<'_>, error: &Error) -> PyErr {
    static FACTORY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = FACTORY.get_or_try_init(py, || py.import("embudo.errors")?.getattr("exception").map(Bound::unbind)).and_then(|factory| {
        let keywords = PyDict::new(py);
        if let Some(position) = error.position() {
            keywords.set_item("position", position)?;
        }
        if let Some(status) = error.source().and_then(|source| source.downcast_ref::<HttpStatus>()) {
            keywords.set_item("status", status.status)?;
        }
        if error.source().and_then(|source| source.downcast_ref::<std::io::Error>()).is_some() {
            keywords.set_item("system", true)?;
        }
        factory.call(py, (error.code().0, error.code().name(), error.message()), Some(&keywords))
    });
    match made {
        Ok(exception) => PyErr::from_value(exception.into_bound(py)),
        Err(error) => error,
    }
}
