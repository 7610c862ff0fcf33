//! `embudo._embudo`: what the Python packages cannot do fast or at all in Python. Sessions over every transport, results as
//! tuples, NumPy memory and Arrow, parameters. The typed API, the shims and the dialects are Python and stand on this.

mod adbc;
mod aio;
mod arrays;
mod calendar;
mod ending;
mod error;
mod export;
mod fork;
mod ingest;
mod parameters;
#[cfg(feature = "embedded")]
mod program;
mod result;
mod rows;
mod session;
mod statement;
mod subscription;
mod wait;
mod zone;

use pyo3::prelude::*;

#[pymodule]
mod _embudo {
    #[pymodule_export]
    use crate::{
        aio::{AsyncStatementResult, Call, Port, connect_later, start, start_close, start_ingest, start_lines, start_many, start_poll, start_version},
        arrays::Memory,
        ending::at_exit,
        result::{StatementResult, Table},
        rows::RowStyle,
        session::{Session, connect, described, masked, parameter_names},
        statement::{Column, Statement},
        subscription::{Message, Subscription, check_consumer},
    };

    #[cfg(feature = "embedded")]
    #[pymodule_export]
    use crate::program::{RunningServer, run_program};

    use pyo3::prelude::*;

    /// The text of an error code.
    #[pyfunction]
    fn error_message(code: u16) -> &'static str {
        embudo_types::code::Code(code).text()
    }

    /// Dropped locks and dead threads of a parent must not be touched in its forked child.
    #[pyfunction]
    fn after_fork() {
        crate::fork::after_fork();
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        let os = module.py().import("os")?;
        // Windows has no fork.
        if let Ok(register) = os.getattr("register_at_fork") {
            let keywords = pyo3::types::PyDict::new(module.py());
            keywords.set_item("after_in_child", module.getattr("after_fork")?)?;
            register.call((), Some(&keywords))?;
        }
        module.py().import("atexit")?.call_method1("register", (module.getattr("at_exit")?,))?;
        Ok(())
    }
}

/// What driver managers of ADBC call: they load this very file.
#[allow(missing_docs, reason = "the macro writes the functions; they check the pointers that they are given")]
mod driver {
    adbc_ffi::export_driver!(EmbudoDriverInit, crate::adbc::AdbcDriver);
}
