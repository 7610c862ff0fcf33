//! Tables: CREATE, ALTER, DROP, and what hangs on them: indexes, SMA, TSMA (spec/sql.md 3.2 to 3.6).

use embudo_types::{DataType, Duration};

use super::{expr::Expr, query::WindowDuration, statement::ObjectName};

/// CREATE TABLE with a column list, or CREATE STABLE; with `tags` it makes a super table.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTable {
    /// Name.
    pub name: ObjectName,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Columns, the timestamp first.
    pub columns: Vec<ColumnDefinition>,
    /// Tags; empty for a normal table.
    pub tags: Vec<ColumnDefinition>,
    /// COMMENT, TTL and their kind.
    pub options: TableOptions,
}

/// `name type [PRIMARY KEY] [ENCODE …] [COMPRESS …] [LEVEL …]`; of a tag only name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnDefinition {
    /// Name.
    pub name: String,
    /// Type.
    pub data_type: DataType,
    /// PRIMARY KEY: second part of the row key.
    pub primary_key: bool,
    /// How it is stored.
    pub storage: ColumnStorage,
}

/// ENCODE, COMPRESS and LEVEL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnStorage {
    /// ENCODE.
    pub encode: Option<String>,
    /// COMPRESS.
    pub compress: Option<String>,
    /// LEVEL.
    pub level: Option<String>,
}

/// Options after a table's columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// COMMENT.
    pub comment: Option<String>,
    /// TTL in days.
    pub ttl: Option<i64>,
    /// SMA(columns).
    pub sma: Vec<String>,
    /// `MAX_DELAY`.
    pub max_delay: Vec<Duration>,
    /// WATERMARK.
    pub watermark: Vec<Duration>,
    /// ROLLUP(functions).
    pub rollup: Vec<String>,
    /// `DELETE_MARK`.
    pub delete_mark: Vec<Duration>,
}

/// `[IF NOT EXISTS] name USING supertable [(tags)] TAGS (values) [options]`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateChildTable {
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Name.
    pub name: ObjectName,
    /// Its super table.
    pub supertable: ObjectName,
    /// The tags that `values` are for; empty for all in order.
    pub tag_names: Vec<String>,
    /// Tag values.
    pub values: Vec<LiteralValue>,
    /// COMMENT, TTL.
    pub options: TableOptions,
}

/// A value where only literals may stand: TAGS(…), SET TAG. [`crate::literal`] makes a typed value of it.
#[derive(Clone, Debug, PartialEq)]
pub enum LiteralValue {
    /// NULL.
    Null,
    /// TRUE, FALSE.
    Bool(bool),
    /// A number as written, lower case, with its sign; also `0x1f` and `0b101`.
    Number(String),
    /// Quoted text, escapes resolved.
    String(String),
    /// `NOW` or `NOW()`.
    Now,
    /// `TODAY` or `TODAY()`.
    Today,
    /// A time moved by a duration (negative for `-`).
    Shifted {
        /// The time.
        base: Box<LiteralValue>,
        /// By how much.
        offset: Duration,
    },
    /// Text without quotes, lower case (older TDengine's examples have such tag values).
    Word(String),
    /// `?`, counted from 0.
    Parameter(usize),
}

/// An element of DROP TABLE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropTable {
    /// Name.
    pub name: ObjectName,
    /// IF EXISTS.
    pub if_exists: bool,
}

/// ALTER TABLE or ALTER STABLE.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterTable {
    /// Name.
    pub name: ObjectName,
    /// ALTER STABLE.
    pub supertable: bool,
    /// What changes.
    pub action: AlterAction,
}

/// What ALTER TABLE changes.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterAction {
    /// COMMENT, TTL.
    Options(TableOptions),
    /// ADD COLUMN.
    AddColumn(ColumnDefinition),
    /// DROP COLUMN.
    DropColumn(String),
    /// MODIFY COLUMN c type.
    ModifyColumn {
        /// Column.
        name: String,
        /// Its new type.
        data_type: DataType,
    },
    /// MODIFY COLUMN c ENCODE … COMPRESS … LEVEL ….
    ModifyStorage {
        /// Column.
        name: String,
        /// What is given.
        storage: ColumnStorage,
    },
    /// RENAME COLUMN.
    RenameColumn {
        /// Old name.
        from: String,
        /// New name.
        to: String,
    },
    /// ADD TAG.
    AddTag {
        /// Tag.
        name: String,
        /// Type.
        data_type: DataType,
    },
    /// DROP TAG.
    DropTag(String),
    /// MODIFY TAG.
    ModifyTag {
        /// Tag.
        name: String,
        /// Its new type.
        data_type: DataType,
    },
    /// RENAME TAG.
    RenameTag {
        /// Old name.
        from: String,
        /// New name.
        to: String,
    },
    /// SET TAG t = value.
    SetTag {
        /// Tag.
        name: String,
        /// Its new value.
        value: LiteralValue,
    },
}

/// CREATE INDEX name ON table (tags).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateIndex {
    /// Name.
    pub name: ObjectName,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Super table.
    pub table: ObjectName,
    /// Tags.
    pub columns: Vec<String>,
}

/// CREATE SMA INDEX name ON table FUNCTION(…) INTERVAL(…) ….
#[derive(Clone, Debug, PartialEq)]
pub struct CreateSmaIndex {
    /// Name.
    pub name: ObjectName,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Table.
    pub table: ObjectName,
    /// Aggregates, each an [`Expr::Function`].
    pub functions: Vec<Expr>,
    /// Window length.
    pub interval: WindowDuration,
    /// Window offset.
    pub offset: Option<WindowDuration>,
    /// SLIDING.
    pub sliding: Option<WindowDuration>,
    /// WATERMARK.
    pub watermark: Option<Duration>,
    /// `MAX_DELAY`.
    pub max_delay: Option<Duration>,
    /// `DELETE_MARK`.
    pub delete_mark: Option<Duration>,
}

/// CREATE \[RECURSIVE\] TSMA.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTsma {
    /// Name.
    pub name: ObjectName,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// The table, or with `recursive` the base TSMA.
    pub source: ObjectName,
    /// RECURSIVE.
    pub recursive: bool,
    /// Aggregates, each an [`Expr::Function`]; empty with `recursive`.
    pub functions: Vec<Expr>,
    /// Window length.
    pub interval: WindowDuration,
}
