//! The `embudo` program as a library, so that a Python installation can offer it too: [`run`] takes a command line and gives the exit
//! code.
//!
//! `serve` runs the server on a database, `shell` talks to one over any transport, `import` and `export` move CSV, `check` verifies
//! files. What the words of the command line are stands in `arguments`.

mod arguments;
mod cell;
mod check;
mod configuration;
mod connection;
mod parse;
mod serve;
mod shell;
mod transfer;

use std::{ffi::OsString, io::Write};

use clap::Parser;
use embudo_types::Result;

use arguments::{Arguments, Command};

/// Success.
const SUCCESS: u8 = 0;
/// A failure that was reported on standard error.
const FAILURE: u8 = 1;

/// Runs a command line, whose first word is the program's name, and gives the exit code: 0, 1 after a failure that was reported, 2
/// for a command line that cannot be understood.
pub fn run(words: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> u8 {
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are "errors" that belong on standard output; clap knows which.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(FAILURE);
        }
    };
    match execute(arguments.command) {
        Ok(()) => SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error {error}");
            FAILURE
        }
    }
}

fn execute(command: Command) -> Result<()> {
    match command {
        Command::Serve(options) => serve::run(options),
        Command::Shell(options) => shell::run(&options),
        Command::Import(options) => transfer::import(&options),
        Command::Export(options) => transfer::export(&options),
        Command::Check(options) => check::run(&options),
        Command::Version => {
            println!("embudo {} (speaks as TDengine {})", env!("CARGO_PKG_VERSION"), embudo_types::SERVER_VERSION);
            Ok(())
        }
    }
}
