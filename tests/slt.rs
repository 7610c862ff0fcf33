//! Runs `tests/slt/**/*.slt` on every transport, each file on a fresh in-memory database. `SLT_ONLY=text` picks files by
//! name, `SLT_TRANSPORT=embedded|rest|websocket|native|native-3.0` one transport, `SLT_COMPLETE=1` writes what the embedded engine answered into the files.
//!
//! `native` opens our own C library, `native-3.0` one that has no more functions than TDengine 3.0 had, in front of it.
//!
//! A statement `LOGIN user password [database]` goes on as that user; a file begins as root. `{{3 c# INT}}` in a statement stands for
//! `c0 INT, c1 INT, c2 INT`, `{{3*(}}` for `(((`: what no file should hold in full.
//!
//! Files in `slt/zones` run once more in a process of its own for each of [`ZONES`], whose sessions and engine keep its zone.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::{Arc, LazyLock},
};

use embudo_client::{ConnectOptions, Driver, Dsn, connect};
use embudo_engine::{Engine, EngineOptions};
use embudo_server::{Server, ServerHandle, ServerOptions};
use embudo_tests::{cell, letter};
use embudo_types::{Error, Outcome, Zone, arrow};
use sqllogictest::{ColumnType, DB, DBOutput, Runner, default_normalizer, default_validator, strict_column_validator};

/// Zones in which the statements of `slt/zones` must give the same answers.
const ZONES: [&str; 3] = ["UTC", "Asia/Shanghai", "America/New_York"];

/// Set for the process of one of [`ZONES`].
const IN_ZONE: &str = "SLT_IN_ZONE";

/// A column's letter, as `embudo_tests` defines them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Letter(char);

impl ColumnType for Letter {
    fn from_char(value: char) -> Option<Self> {
        "IRBWTJXN".contains(value).then_some(Self(value))
    }

    fn to_char(&self) -> char {
        self.0
    }
}

/// One session on one transport.
struct Session {
    driver: Box<dyn Driver>,
    fixture: Arc<Fixture>,
}

impl DB for Session {
    type Error = Error;
    type ColumnType = Letter;

    fn run(&mut self, sql: &str) -> Result<DBOutput<Letter>, Error> {
        if let Some(words) = sql.strip_prefix("LOGIN ") {
            let words: Vec<&str> = words.split_whitespace().collect();
            let (user, password) = (words.first().copied().unwrap_or_default(), words.get(1).copied().unwrap_or_default());
            let driver = self.fixture.connect(user, password, words.get(2).copied().unwrap_or_default())?;
            // Some transports log in with the first statement only.
            driver.execute("SELECT SERVER_STATUS()", &[])?;
            self.driver = driver;
            return Ok(DBOutput::StatementComplete(0));
        }
        let result = self.driver.execute(&expanded(sql), &[])?;
        let fields = result.schema.fields().clone();
        let types = fields.iter().map(|field| arrow::data_type(field).map(|data_type| Letter(letter(data_type)))).collect::<Result<Vec<_>, _>>()?;
        match result.outcome {
            Outcome::Affected(rows) => Ok(DBOutput::StatementComplete(rows)),
            Outcome::Rows(batches) => {
                let mut rows = Vec::new();
                for batch in batches {
                    let batch = batch?;
                    for row in 0..batch.num_rows() {
                        rows.push(fields.iter().zip(batch.columns()).map(|(field, array)| cell(field, array, row)).collect::<Result<Vec<_>, _>>()?);
                    }
                }
                Ok(DBOutput::Rows { types, rows })
            }
        }
    }

    fn engine_name(&self) -> &'static str {
        "embudo"
    }
}

/// The statement with what its `{{…}}` stand for.
fn expanded(sql: &str) -> Cow<'_, str> {
    let Some((before, rest)) = sql.split_once("{{") else { return Cow::Borrowed(sql) };
    let Some((repetition, after)) = rest.split_once("}}") else { return Cow::Borrowed(sql) };
    let digits = repetition.len() - repetition.trim_start_matches(|char: char| char.is_ascii_digit()).len();
    let (count, text) = repetition.split_at(digits);
    let (Ok(count), Some((separator, text))) = (count.parse::<u32>(), text.split_at_checked(1)) else { return Cow::Borrowed(sql) };
    let separator = if separator == "*" { "" } else { ", " };
    let parts: Vec<String> = (0..count).map(|number| text.replace('#', &number.to_string())).collect();
    Cow::Owned(format!("{before}{}{}", parts.join(separator), expanded(after)))
}

/// A database in memory, behind a server where the transport needs one; all sessions of a file share it.
#[expect(clippy::large_enum_variant, reason = "there is one of it a file")]
enum Fixture {
    Embedded(usize),
    Server(ServerHandle, &'static str, Option<PathBuf>),
}

impl Fixture {
    fn start(transport: &str, number: usize) -> Result<Self, Error> {
        if transport == "embedded" {
            return Ok(Self::Embedded(number));
        }
        let mut options = EngineOptions::memory();
        if !in_zone() {
            options.zone = Zone::utc();
        }
        let engine = Engine::open(options)?;
        let (scheme, library) = match transport {
            "websocket" => ("taosws", None),
            // Our own C library is asked for by its path; it speaks WebSocket to the server.
            "native" => ("taos+native", Some(own_library()?)),
            "native-3.0" => ("taos+native", Some(OLD_LIBRARY.clone()?)),
            _ => ("taosrest", None),
        };
        let server = Server::start(engine, ServerOptions { listen: "127.0.0.1:0".into(), ..ServerOptions::default() })?;
        Ok(Self::Server(server, scheme, library))
    }

    fn connect(&self, user: &str, password: &str, database: &str) -> Result<Box<dyn Driver>, Error> {
        let mut options = vec![format!("database={database}")];
        if !in_zone() {
            options.push("timezone=UTC".into());
        }
        let dsn = match self {
            Self::Embedded(number) => format!("embudo://{user}:{password}@/:memory:slt{number}?{}", options.join("&")),
            Self::Server(server, scheme, library) => {
                options.extend(library.as_ref().map(|path| format!("library_path={}", path.display())));
                format!("{scheme}://{user}:{password}@{}/{database}?{}", server.address(), options.split_off(1).join("&"))
            }
        };
        connect(&Dsn::parse(&dsn)?, &ConnectOptions::default())
    }
}

/// Whether this is the process of one of [`ZONES`].
fn in_zone() -> bool {
    std::env::var_os(IN_ZONE).is_some()
}

/// The files of `slt/zones` in a process of each zone, which tells of its failures itself.
fn other_zones() -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    for zone in ZONES {
        let status = Command::new(&program).env("TZ", zone).env(IN_ZONE, "1").env("SLT_ONLY", "zones").status();
        if !status.map_err(|error| error.to_string())?.success() {
            return Err(format!("slt/zones with TZ={zone}"));
        }
    }
    Ok(())
}

/// The C library that was built with this program.
fn own_library() -> Result<PathBuf, Error> {
    let program = std::env::current_exe().map_err(|source| Error::io("looking for this program", source))?;
    Ok(program.with_file_name("libtaos.so"))
}

/// The library of old, which is built when it is first asked for.
static OLD_LIBRARY: LazyLock<Result<PathBuf, Error>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libtaos_3_0.so");
    let mut command = Command::new("cc");
    command.args(["-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o"]).arg(&library).arg(folder.join("libtaos_3_0.c"));
    command.arg("-I").arg(folder.join("../crates/libtaos/include")).arg(format!("-DTARGET=\"{}\"", own_library()?.display())).arg("-ldl");
    let status = command.status().map_err(|source| Error::io("starting cc", source))?;
    if status.success() { Ok(library) } else { Err(Error::internal("cc could not build libtaos_3_0.c")) }
});

fn corpus(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(corpus(&path));
        } else if path.extension().is_some_and(|extension| extension == "slt") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn run_file(path: &Path, transport: &str, number: usize, complete: bool) -> Result<(), String> {
    let fixture = Fixture::start(transport, number).map_err(|error| error.to_string())?;
    let fixture = Arc::new(fixture);
    let session = || fixture.connect("root", "taosdata", "").map(|driver| Session { driver, fixture: fixture.clone() });
    let mut runner = Runner::new(async || session());
    runner.with_column_validator(strict_column_validator);
    if complete {
        let update = runner.update_test_file(path, " ", default_validator, default_normalizer, strict_column_validator);
        futures::executor::block_on(update).map_err(|error| error.to_string())
    } else {
        runner.run_file(path).map_err(|error| error.display(false).to_string())
    }
}

/// Whether a transport cannot do what a file asks: TDengine 3.0's library has no way to tell the digits of decimals.
fn is_beyond(transport: &str, path: &Path) -> bool {
    transport == "native-3.0" && path.ends_with("decimal.slt")
}

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("slt");
    let only = std::env::var("SLT_ONLY").unwrap_or_default();
    let chosen = std::env::var("SLT_TRANSPORT").ok();
    let complete = std::env::var_os("SLT_COMPLETE").is_some();
    let (mut passed, mut failed) = (0, 0);
    for transport in ["embedded", "rest", "websocket", "native", "native-3.0"] {
        if chosen.as_deref().is_some_and(|chosen| chosen != transport) || (complete && transport != "embedded") {
            continue;
        }
        for (number, path) in corpus(&folder).iter().enumerate().filter(|(_, path)| path.to_string_lossy().contains(&only)) {
            if is_beyond(transport, path) {
                continue;
            }
            match run_file(path, transport, number, complete) {
                Ok(()) => passed += 1,
                Err(reason) => {
                    failed += 1;
                    println!("{transport}: {}\n{reason}\n", path.display());
                }
            }
        }
    }
    if !in_zone() && !complete && "zones".contains(&only) {
        match other_zones() {
            Ok(()) => passed += 1,
            Err(reason) => {
                failed += 1;
                println!("{reason}");
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed > 0 || passed == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
