//! Columns and tags of a table: names, types, ids, storage options. What SQL may write in a definition and which
//! limits hold stands in [`crate::rules`].

use std::sync::Arc;

use embudo_storage::ColumnId;
use embudo_types::DataType;

/// The id of every table's first column, the primary timestamp.
pub const TIMESTAMP_ID: ColumnId = 1;

/// A column or a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Never used again in the same table, not even after DROP COLUMN; tags and columns share the numbers.
    pub id: ColumnId,
    /// As metadata shows it.
    pub name: Arc<str>,
    /// Type with length.
    pub data_type: DataType,
    /// Whether this is the second half of the row key (spec/sql.md 2.3).
    pub primary_key: bool,
    /// `ENCODE`.
    pub encode: Encoding,
    /// `COMPRESS`.
    pub compress: Compression,
    /// `LEVEL`.
    pub level: Level,
}

impl Column {
    /// A data column with its type's default storage options.
    pub fn new(id: ColumnId, name: &str, data_type: DataType) -> Self {
        Self { id, name: name.into(), data_type, primary_key: false, encode: Encoding::default_of(data_type), compress: Compression::Lz4, level: Level::Medium }
    }

    /// A tag; tags are not stored in blocks and have no storage options.
    pub fn tag(id: ColumnId, name: &str, data_type: DataType) -> Self {
        Self { encode: Encoding::Disabled, compress: Compression::Disabled, level: Level::Disabled, ..Self::new(id, name, data_type) }
    }
}

/// What a table's rows look like. Immutable: ALTER makes another one with the next version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// 1 at first, one more with every change of columns or tags.
    pub version: u32,
    /// Data columns; the first is the timestamp.
    pub columns: Vec<Column>,
    /// Tags of a supertable; empty for a normal table.
    pub tags: Vec<Column>,
    /// The id that the next added column or tag takes.
    pub next_id: ColumnId,
}

impl Schema {
    /// Place of a data column by name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| &*column.name == name)
    }

    /// Place of a tag by name.
    pub fn tag(&self, name: &str) -> Option<usize> {
        self.tags.iter().position(|tag| &*tag.name == name)
    }

    /// The second column where it is part of the row key.
    pub fn key(&self) -> Option<&Column> {
        self.columns.get(1).filter(|column| column.primary_key)
    }

    /// Bytes that a row counts (`storage_length` of every column).
    pub fn row_length(&self) -> u64 {
        self.columns.iter().map(|column| u64::from(column.data_type.storage_length())).sum()
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $id:literal $name:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $type { $($(#[$variant_doc])* $variant = $id),* }

        impl $type {
            /// As SQL writes it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// From SQL, any case.
            pub fn parse(text: &str) -> Option<Self> {
                $(if text.eq_ignore_ascii_case($name) { return Some(Self::$variant); })*
                None
            }

            /// From the number that the log holds.
            pub(crate) fn from_id(id: u8) -> Option<Self> {
                match id { $($id => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

named! {
    /// How a column's values are encoded before compression.
    Encoding {
        /// None.
        Disabled = 0 "disabled",
        /// Integers.
        Simple8b = 1 "simple8b",
        /// Integers and timestamps by difference.
        DeltaI = 2 "delta-i",
        /// Floats by difference.
        DeltaD = 3 "delta-d",
        /// BOOL.
        BitPacking = 4 "bit-packing",
    }
}

named! {
    /// A column's compression.
    Compression {
        /// None.
        Disabled = 0 "disabled",
        /// LZ4.
        Lz4 = 1 "lz4",
        /// zlib.
        Zlib = 2 "zlib",
        /// Zstandard.
        Zstd = 3 "zstd",
        /// Floats with loss.
        Tsz = 4 "tsz",
        /// xz.
        Xz = 5 "xz",
    }
}

named! {
    /// A column's compression level.
    Level {
        /// Of tags, which are not compressed.
        Disabled = 0 "disabled",
        /// Smallest.
        High = 1 "high",
        /// Between.
        Medium = 2 "medium",
        /// Fastest.
        Low = 3 "low",
    }
}

impl Encoding {
    /// A type's default, which for most is the only one.
    pub fn default_of(data_type: DataType) -> Self {
        match data_type {
            DataType::Timestamp => Self::DeltaI,
            DataType::Bool => Self::BitPacking,
            DataType::Float | DataType::Double => Self::DeltaD,
            other if other.is_integer() => Self::Simple8b,
            _ => Self::Disabled,
        }
    }
}
