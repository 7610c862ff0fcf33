//! CREATE, ALTER and DROP DATABASE: from the tree to the catalogue.

use embudo_catalog::{CacheModel, DatabaseOptions, MAX_NAME, RightSet, RightTarget, minutes_of, minutes_of_duration};
use embudo_sql::ast::database::{DatabaseOption, KeepTime, Retention};
use embudo_types::{Error, Result, code};

use crate::dispatch::unsupported;
use crate::session::StatementContext;
use crate::system_tables::is_system_database;

/// CREATE DATABASE.
pub(crate) fn create(context: &StatementContext<'_>, name: &str, if_not_exists: bool, written: &[DatabaseOption]) -> Result<()> {
    if name.contains('.') {
        return Err(Error::with(code::INVALID_IDENTIFIER_NAME, "The database name cannot contain '.'"));
    }
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(Error::with(code::INVALID_IDENTIFIER_NAME, format!("Invalid identifier name: {name}")));
    }
    let mut options = DatabaseOptions::default();
    set(&mut options, written)?;
    options.check()?;
    if is_system_database(name) {
        return Err(Error::new(code::DATABASE_ALREADY_EXISTS));
    }
    match context.engine.catalog().create_database(name, options) {
        // Whoever makes a database has all rights on it.
        Ok(_) if !context.account.is_superuser() => context.engine.catalog().change_rights(context.account.name(), |rights| {
            rights.grant(RightTarget::Database(name.into()), RightSet::ALL);
            Ok(())
        }),
        Ok(_) => Ok(()),
        Err(error) if if_not_exists && error.code() == code::DATABASE_ALREADY_EXISTS => Ok(()),
        Err(error) => Err(error),
    }
}

/// ALTER DATABASE.
pub(crate) fn alter(context: &StatementContext<'_>, name: &str, written: &[DatabaseOption]) -> Result<()> {
    refuse_system(name)?;
    let catalog = context.engine.catalog();
    let mut options = (*catalog.database(name)?.options()).clone();
    set(&mut options, written)?;
    options.check()?;
    catalog.alter_database(name, options)
}

/// DROP DATABASE.
pub(crate) fn drop_database(context: &StatementContext<'_>, name: &str, if_exists: bool) -> Result<()> {
    refuse_system(name)?;
    match context.engine.catalog().drop_database(name) {
        Ok(()) => context.engine.streams().stop_where(|stream| *stream.source_database == *name || *stream.target_database == *name),
        Err(error) if if_exists && error.code() == code::DATABASE_NOT_EXIST => Ok(()),
        outcome => outcome,
    }
}

/// 0x0303-class refusal of changes to what only shows.
pub(crate) fn refuse_system(name: &str) -> Result<()> {
    if is_system_database(name) { Err(Error::new(code::INSUFFICIENT_PRIVILEGE_FOR_OPERATION)) } else { Ok(()) }
}

/// Options as written, in order: the last of equal ones counts.
fn set(options: &mut DatabaseOptions, written: &[DatabaseOption]) -> Result<()> {
    for option in written {
        match option {
            DatabaseOption::Integer(which, value) => options.set_integer(which.keyword(), *value)?,
            DatabaseOption::CacheModel(name) => options.cache_model = CacheModel::parse(name)?,
            DatabaseOption::Precision(name) => options.set_precision(name)?,
            DatabaseOption::EncryptAlgorithm(name) if name.eq_ignore_ascii_case("none") => {}
            DatabaseOption::EncryptAlgorithm(_) => return Err(unsupported()),
            DatabaseOption::Duration(time) => options.set_duration(minutes("daysPerFile", *time)?)?,
            DatabaseOption::Keep(times) => {
                let times = times.iter().map(|time| minutes("keep", *time)).collect::<Result<Vec<_>>>()?;
                options.set_keep(&times)?;
            }
            DatabaseOption::S3KeepLocal(time) => options.set_s3_keep_local(minutes("s3KeepLocal", *time)?)?,
            DatabaseOption::Retentions(levels) => options.retentions = levels.iter().map(retention).collect::<Vec<_>>().join(","),
        }
    }
    Ok(())
}

fn minutes(label: &str, time: KeepTime) -> Result<i64> {
    match time {
        KeepTime::Days(days) => Ok(minutes_of(days)),
        KeepTime::Duration(duration) => minutes_of_duration(label, duration),
    }
}

fn retention(level: &Retention) -> String {
    let written = |duration: embudo_types::Duration| format!("{}{}", duration.value, duration.unit.letter());
    format!("{}:{}", level.frequency.map_or_else(|| "-".into(), written), written(level.keep))
}
