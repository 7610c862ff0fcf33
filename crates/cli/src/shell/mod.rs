//! `embudo shell`: SQL typed by a person, or given by the command line, a file or standard input.
//!
//! `statements` cuts text into statements, `editor` reads lines from a terminal, `completion` knows what could come next, `show` lays
//! results out.

mod completion;
mod editor;
pub(crate) mod show;
mod statements;

use std::{
    io::{IsTerminal, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use embudo_client::Driver;
use embudo_types::{Error, Outcome, Result, Zone, code};

use crate::{
    arguments::{Format, ShellOptions},
    connection,
};
use editor::{Editor, Line};
use statements::Statement;

/// Runs the shell.
pub fn run(options: &ShellOptions) -> Result<()> {
    let connection = connection::open(&options.target)?;
    let session = Arc::new(Session { driver: Arc::from(connection.driver), zone: connection.zone, running: AtomicBool::new(false) });
    session.interrupt_on_ctrl_c()?;
    let outcome = match given_text(options)? {
        Some(text) => session.run_all(&text, options.format),
        None => session.converse(&connection.name, options.format),
    };
    let closed = session.driver.close();
    outcome.and(closed)
}

/// The statements to run without a conversation: from the command line, a file, or standard input that is no terminal.
fn given_text(options: &ShellOptions) -> Result<Option<String>> {
    if let Some(sql) = &options.sql {
        return Ok(Some(sql.clone()));
    }
    if let Some(path) = &options.file {
        return std::fs::read_to_string(path).map(Some).map_err(|source| Error::io(format!("reading {}", path.display()), source));
    }
    if std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|source| Error::io("reading standard input", source))?;
    Ok(Some(text))
}

/// One connection and who is using it.
struct Session {
    driver: Arc<dyn Driver>,
    zone: Zone,
    running: AtomicBool,
}

impl Session {
    /// Ctrl-C ends the statement that runs; when none runs, the program.
    fn interrupt_on_ctrl_c(self: &Arc<Self>) -> Result<()> {
        let session = Arc::clone(self);
        let handler = move || {
            if session.running.load(Ordering::Acquire) {
                session.driver.interrupt();
            } else {
                std::process::exit(130);
            }
        };
        ctrlc::set_handler(handler).map_err(|error| Error::internal(format!("cannot listen for Ctrl-C: {error}")))
    }

    /// Runs every statement of a text and stops at the first that fails.
    fn run_all(&self, text: &str, format: Format) -> Result<()> {
        let (statements, rest) = statements::split(text);
        let last = Statement { sql: rest, vertical: false };
        for statement in statements.iter().chain(std::iter::once(&last)).filter(|statement| !statement.sql.trim().is_empty()) {
            self.run_one(statement, format, false)?;
        }
        Ok(())
    }

    /// Reads and runs statements until the person leaves.
    fn converse(&self, name: &str, format: Format) -> Result<()> {
        println!("embudo {} on {name}; statements end with ; or \\G, help shows more", env!("CARGO_PKG_VERSION"));
        let mut editor = Editor::new(Arc::clone(&self.driver))?;
        loop {
            let text = match editor.read()? {
                Line::Text(text) => text,
                Line::Cancelled => continue,
                Line::End => return Ok(()),
            };
            match text.trim().trim_end_matches(';').trim().to_ascii_lowercase().as_str() {
                "" => {}
                "exit" | "quit" | "\\q" | "q" => return Ok(()),
                "help" | "\\h" | "\\?" | "?" => println!("{HELP}"),
                _ => {
                    // A failure is shown and the conversation goes on.
                    for statement in statements::split(&text).0 {
                        if let Err(error) = self.run_one(&statement, format, true) {
                            show_error(&error, statement.sql);
                            break;
                        }
                    }
                    editor.forget_names(&text);
                }
            }
        }
    }

    fn run_one(&self, statement: &Statement<'_>, format: Format, chatty: bool) -> Result<()> {
        self.running.store(true, Ordering::Release);
        let outcome = self.show(statement, format, chatty);
        self.running.store(false, Ordering::Release);
        outcome
    }

    fn show(&self, statement: &Statement<'_>, format: Format, chatty: bool) -> Result<()> {
        let started = Instant::now();
        let result = self.driver.execute(statement.sql, &[])?;
        let format = if statement.vertical { Format::Vertical } else { format };
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let told = match result.outcome {
            Outcome::Affected(rows) => format!("{} affected", count(rows)),
            Outcome::Rows(batches) => match show::rows(&result.schema, batches, &self.zone, format, &mut out) {
                Ok(rows) => count(rows),
                // Whoever reads has seen enough, as in `embudo shell … | head`.
                Err(show::Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
                Err(show::Failure::Output(error)) => return Err(Error::io("writing to standard output", error)),
                Err(show::Failure::Statement(error)) => {
                    let _ = out.flush();
                    return Err(error);
                }
            },
        };
        if chatty || format != Format::Csv {
            let _ = writeln!(out, "({told}, {:.3} ms)", started.elapsed().as_secs_f64() * 1_000.0);
        }
        if chatty {
            let _ = writeln!(out);
        }
        let _ = out.flush();
        Ok(())
    }
}

fn count(rows: u64) -> String {
    if rows == 1 { "1 row".into() } else { format!("{rows} rows") }
}

/// Shows a failure and, where the place is known, points at it.
fn show_error(error: &Error, sql: &str) {
    eprintln!("error {error}");
    let Some(position) = error.position().filter(|&position| sql.is_char_boundary(position)) else { return };
    let start = sql[..position].rfind('\n').map_or(0, |at| at + 1);
    let line = sql[start..].lines().next().unwrap_or("");
    let indent = unicode_width::UnicodeWidthStr::width(&sql[start..position]);
    if error.code() != code::QUERY_TERMINATED && line.len() < 200 {
        eprintln!("  {line}\n  {:indent$}^", "");
    }
}

const HELP: &str = concat!(
    "  statement;         run it; it may take several lines\n",
    "  statement\\G        run it and show one cell a line\n",
    "  Tab                complete keywords, databases, tables and columns\n",
    "  Up, Ctrl-R         earlier statements\n",
    "  Ctrl-C             stop the statement that runs, or forget what was typed\n",
    "  exit, quit, Ctrl-D leave\n",
    "  To start: SHOW DATABASES;  USE name;  SHOW TABLES;  DESCRIBE name;"
);
