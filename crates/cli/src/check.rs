//! `embudo check`: reads every file of a database and reports what is damaged. Changes nothing; a server may be using the database.

use embudo_engine::{Engine, EngineOptions};
use embudo_types::{Error, Result, code};

use crate::arguments::CheckOptions;

/// Checks the logs, by replaying them, and all block files.
pub fn run(options: &CheckOptions) -> Result<()> {
    if !options.directory.is_dir() {
        return Err(Error::with(code::INVALID_CONFIG_OPTION, format!("{} is no directory", options.directory.display())));
    }
    let engine = Engine::open(EngineOptions { read_only: true, ..EngineOptions::directory(&options.directory) })?;
    let mut damaged = 0;
    for database in engine.catalog().databases() {
        let store = database.store();
        let (figures, damages) = (store.figures(), store.check());
        let state = if damages.is_empty() { "good".to_owned() } else { format!("{} damaged parts", damages.len()) };
        println!(
            "{}: {} files, {} rows, {} bytes, {} log segments: {state}",
            database.name, figures.files, figures.file_rows, figures.file_bytes, figures.log_segments
        );
        for damage in &damages {
            println!("  {}", damage.message());
        }
        damaged += damages.len();
    }
    engine.close()?;
    if damaged == 0 { Ok(()) } else { Err(Error::corrupt(format!("{damaged} damaged parts; what lies elsewhere stays readable"))) }
}
