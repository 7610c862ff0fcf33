//! The server and the program `embudo`, inside Python.

use std::sync::{Mutex, PoisonError};

use embudo_server::{Server, ServerHandle, ServerOptions};
use pyo3::prelude::*;

use crate::{
    error::{Outcome, misuse},
    fork::Owned,
    session::Session,
    wait,
};

/// A server on an engine of this process, until it is closed or dropped.
#[pyclass(frozen, module = "embudo._embudo")]
pub struct RunningServer {
    address: std::net::SocketAddr,
    handle: Owned<Mutex<Option<ServerHandle>>>,
}

/// Serves the engine behind an embedded session.
pub fn serve(py: Python<'_>, session: &Session, host: &str, port: u16) -> Outcome<RunningServer> {
    let engine = session.driver()?.engine().ok_or_else(|| misuse("only an embedded database can be served"))?;
    let listen = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let options = ServerOptions { listen, ..ServerOptions::default() };
    let handle = wait::outside(py, || (), move || Server::start(engine, options))?;
    Ok(RunningServer { address: handle.address(), handle: Owned::new(Mutex::new(Some(handle))) })
}

#[pymethods]
impl RunningServer {
    #[getter]
    fn host(&self) -> String {
        self.address.ip().to_string()
    }

    #[getter]
    fn port(&self) -> u16 {
        self.address.port()
    }

    /// Finishes the requests that run and stops.
    fn close(&self, py: Python<'_>) -> Outcome<()> {
        let Some(mut handle) = self.handle.get()?.lock().unwrap_or_else(PoisonError::into_inner).take() else { return Ok(()) };
        wait::outside(
            py,
            || (),
            move || {
                handle.shutdown();
                Ok(())
            },
        )
    }
}

impl Drop for RunningServer {
    /// Stops outside the interpreter lock: a request that is to be finished may need it.
    fn drop(&mut self) {
        let Ok(handle) = self.handle.get() else { return };
        let Some(mut handle) = handle.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        // Where the interpreter is ending there is no lock to give back, and dropping the handle stops the server too.
        Python::try_attach(|py| py.detach(|| handle.shutdown()));
    }
}

/// Runs the program `embudo` with a command line, the program's name first, and gives its exit code.
#[pyfunction]
pub fn run_program(py: Python<'_>, arguments: Vec<String>) -> u8 {
    py.detach(|| embudo_cli::run(arguments))
}
