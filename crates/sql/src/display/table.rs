//! Tables, databases and their options as SQL.

use std::fmt::{Display, Formatter, Result};

use embudo_types::Duration;

use super::{List, Name, Names, Text, optional, when};
use crate::ast::{
    database::{DatabaseOption, KeepTime, Retention},
    table::{
        AlterAction, AlterTable, ColumnDefinition, ColumnStorage, CreateChildTable, CreateIndex, CreateSmaIndex, CreateTable, CreateTsma, DropTable,
        LiteralValue, TableOptions,
    },
};

/// SQL that parses to the same option.
impl Display for DatabaseOption {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Integer(option, value) => write!(f, "{} {value}", option.keyword().to_ascii_uppercase()),
            Self::CacheModel(text) => write!(f, "CACHEMODEL {}", Text(text)),
            Self::Precision(text) => write!(f, "PRECISION {}", Text(text)),
            Self::EncryptAlgorithm(text) => write!(f, "ENCRYPT_ALGORITHM {}", Text(text)),
            Self::Duration(time) => write!(f, "DURATION {time}"),
            Self::Keep(times) => write!(f, "KEEP {}", List(times, ", ")),
            Self::S3KeepLocal(time) => write!(f, "S3_KEEPLOCAL {time}"),
            Self::Retentions(levels) => write!(f, "RETENTIONS {}", List(levels, ", ")),
        }
    }
}

/// SQL that parses to the same time.
impl Display for KeepTime {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Days(days) => days.fmt(f),
            Self::Duration(duration) => duration.fmt(f),
        }
    }
}

/// SQL that parses to the same level.
impl Display for Retention {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.frequency {
            Some(frequency) => write!(f, "{frequency}:{}", self.keep),
            None => write!(f, "-:{}", self.keep),
        }
    }
}

/// SQL that parses to the same column.
impl Display for ColumnDefinition {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} {}", Name(&self.name), self.data_type)?;
        self.storage.fmt(f)?;
        when(f, self.primary_key, " PRIMARY KEY")
    }
}

/// ` ENCODE 'e' COMPRESS 'c' LEVEL 'l'`, what is given of it.
impl Display for ColumnStorage {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        optional(f, " ENCODE ", self.encode.as_deref().map(Text))?;
        optional(f, " COMPRESS ", self.compress.as_deref().map(Text))?;
        optional(f, " LEVEL ", self.level.as_deref().map(Text))
    }
}

fn durations(f: &mut Formatter<'_>, word: &str, durations: &[Duration]) -> Result {
    if durations.is_empty() { Ok(()) } else { write!(f, " {word} {}", List(durations, ", ")) }
}

/// The options, each with a space before it.
impl Display for TableOptions {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        optional(f, " COMMENT ", self.comment.as_deref().map(Text))?;
        durations(f, "MAX_DELAY", &self.max_delay)?;
        durations(f, "WATERMARK", &self.watermark)?;
        if !self.rollup.is_empty() {
            write!(f, " ROLLUP({})", List(&self.rollup, ", "))?;
        }
        optional(f, " TTL ", self.ttl)?;
        if !self.sma.is_empty() {
            write!(f, " SMA({})", Names(&self.sma))?;
        }
        durations(f, "DELETE_MARK", &self.delete_mark)
    }
}

/// SQL that parses to the same statement.
impl Display for CreateTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(if self.tags.is_empty() { "CREATE TABLE " } else { "CREATE STABLE " })?;
        when(f, self.if_not_exists, "IF NOT EXISTS ")?;
        write!(f, "{} ({})", self.name, List(&self.columns, ", "))?;
        if !self.tags.is_empty() {
            write!(f, " TAGS ({})", List(&self.tags, ", "))?;
        }
        self.options.fmt(f)
    }
}

/// SQL that parses to the same clause, after CREATE TABLE.
impl Display for CreateChildTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        when(f, self.if_not_exists, "IF NOT EXISTS ")?;
        write!(f, "{} USING {} ", self.name, self.supertable)?;
        if !self.tag_names.is_empty() {
            write!(f, "({}) ", Names(&self.tag_names))?;
        }
        write!(f, "TAGS ({}){}", List(&self.values, ", "), self.options)
    }
}

/// SQL that parses to the same value.
impl Display for LiteralValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Bool(value) => f.write_str(if *value { "TRUE" } else { "FALSE" }),
            Self::Number(text) | Self::Word(text) => f.write_str(text),
            Self::String(text) => Text(text).fmt(f),
            Self::Now => f.write_str("NOW"),
            Self::Today => f.write_str("TODAY"),
            Self::Shifted { base, offset } if offset.value < 0 => write!(f, "{base} - {}{}", offset.value.unsigned_abs(), offset.unit.letter()),
            Self::Shifted { base, offset } => write!(f, "{base} + {offset}"),
            Self::Parameter(_) => f.write_str("?"),
        }
    }
}

/// SQL that parses to the same element of DROP TABLE.
impl Display for DropTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        when(f, self.if_exists, "IF EXISTS ")?;
        self.name.fmt(f)
    }
}

/// SQL that parses to the same statement.
impl Display for AlterTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "ALTER {} {}", if self.supertable { "STABLE" } else { "TABLE" }, self.name)?;
        match &self.action {
            AlterAction::Options(options) => options.fmt(f),
            AlterAction::AddColumn(column) => write!(f, " ADD COLUMN {column}"),
            AlterAction::DropColumn(name) => write!(f, " DROP COLUMN {}", Name(name)),
            AlterAction::ModifyColumn { name, data_type } => write!(f, " MODIFY COLUMN {} {data_type}", Name(name)),
            AlterAction::ModifyStorage { name, storage } => write!(f, " MODIFY COLUMN {}{storage}", Name(name)),
            AlterAction::RenameColumn { from, to } => write!(f, " RENAME COLUMN {} {}", Name(from), Name(to)),
            AlterAction::AddTag { name, data_type } => write!(f, " ADD TAG {} {data_type}", Name(name)),
            AlterAction::DropTag(name) => write!(f, " DROP TAG {}", Name(name)),
            AlterAction::ModifyTag { name, data_type } => write!(f, " MODIFY TAG {} {data_type}", Name(name)),
            AlterAction::RenameTag { from, to } => write!(f, " RENAME TAG {} {}", Name(from), Name(to)),
            AlterAction::SetTag { name, value } => write!(f, " SET TAG {} = {value}", Name(name)),
        }
    }
}

/// SQL that parses to the same statement.
impl Display for CreateIndex {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("CREATE INDEX ")?;
        when(f, self.if_not_exists, "IF NOT EXISTS ")?;
        write!(f, "{} ON {} ({})", self.name, self.table, Names(&self.columns))
    }
}

/// SQL that parses to the same statement.
impl Display for CreateSmaIndex {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("CREATE SMA INDEX ")?;
        when(f, self.if_not_exists, "IF NOT EXISTS ")?;
        write!(f, "{} ON {} FUNCTION({}) INTERVAL({}", self.name, self.table, List(&self.functions, ", "), self.interval)?;
        optional(f, ", ", self.offset)?;
        f.write_str(")")?;
        if let Some(sliding) = self.sliding {
            write!(f, " SLIDING({sliding})")?;
        }
        optional(f, " WATERMARK ", self.watermark)?;
        optional(f, " MAX_DELAY ", self.max_delay)?;
        optional(f, " DELETE_MARK ", self.delete_mark)
    }
}

/// SQL that parses to the same statement.
impl Display for CreateTsma {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(if self.recursive { "CREATE RECURSIVE TSMA " } else { "CREATE TSMA " })?;
        when(f, self.if_not_exists, "IF NOT EXISTS ")?;
        write!(f, "{} ON {}", self.name, self.source)?;
        if !self.recursive {
            write!(f, " FUNCTION({})", List(&self.functions, ", "))?;
        }
        write!(f, " INTERVAL({})", self.interval)
    }
}
