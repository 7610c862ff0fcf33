//! Limits and rules of table definitions (spec/sql.md 2.2, 2.3, 3.2): what CREATE and ALTER refuse, with TDengine's codes.

use embudo_types::{DataType, Error, MAX_NCHAR, MAX_VARCHAR, Result, code};
use rustc_hash::FxHashSet;

use crate::schema::{Column, Compression, Encoding, Level};

/// Longest names in bytes: databases, columns and tags.
pub const MAX_NAME: usize = 64;
/// Longest table name in bytes.
pub const MAX_TABLE_NAME: usize = 192;
/// Longest COMMENT in bytes.
pub const MAX_COMMENT: usize = 1_024;
/// Most bytes of a row by `storage_length`.
const MAX_ROW: u64 = 65_531;
/// Most columns and tags together.
const MAX_COLUMNS: usize = 4_096;
/// Most tags.
const MAX_TAGS: usize = 128;
/// Most bytes of all tags by `storage_length`.
const MAX_TAG_BYTES: u64 = 16_384;
/// Longest variable tag by `storage_length`.
const MAX_TAG: u32 = 16_384;

/// A whole definition; `tags` is empty for a normal table.
pub(crate) fn check_table(columns: &[Column], tags: &[Column]) -> Result<()> {
    if columns.first().is_none_or(|column| column.data_type != DataType::Timestamp) {
        return Err(Error::new(code::FIRST_COLUMN_MUST_BE_TIMESTAMP));
    }
    if columns.len() < 2 {
        return Err(Error::new(code::ILLEGAL_NUMBER_OF_COLUMNS));
    }
    if columns.len() + tags.len() > MAX_COLUMNS {
        return Err(Error::new(code::TOO_MANY_COLUMNS_2640));
    }
    if tags.len() > MAX_TAGS {
        return Err(Error::new(code::INVALID_NUMBER_OF_TAG_COLUMNS));
    }
    check_keys(columns)?;
    if tags.len() > 1 && tags.iter().any(|tag| tag.data_type == DataType::Json) {
        return Err(Error::new(code::ONLY_ONE_TAG_IF_THERE_IS));
    }
    let mut names = FxHashSet::default();
    for column in columns {
        check_name(&column.name)?;
        check_column_type(column.data_type)?;
        if !names.insert(&column.name) {
            return Err(Error::new(code::DUPLICATED_COLUMN_NAMES_263C));
        }
    }
    for tag in tags {
        check_name(&tag.name)?;
        check_tag_type(tag.data_type)?;
        if !names.insert(&tag.name) {
            return Err(Error::new(code::DUPLICATED_COLUMN_NAMES_263C));
        }
    }
    check_lengths(columns, tags)
}

/// PRIMARY KEY stands on the second column or nowhere, and only some types can be keys.
fn check_keys(columns: &[Column]) -> Result<()> {
    for (at, column) in columns.iter().enumerate().filter(|(_, column)| column.primary_key) {
        if at != 1 {
            return Err(Error::new(code::PRIMARY_KEY_COLUMN_MUST_BE_SECOND));
        }
        if !matches!(column.data_type, DataType::Int | DataType::UInt | DataType::BigInt | DataType::UBigInt | DataType::Varchar(_)) {
            return Err(Error::new(code::PRIMARY_KEY_COLUMN_MUST_BE_OF));
        }
    }
    Ok(())
}

/// Sums of lengths.
pub(crate) fn check_lengths(columns: &[Column], tags: &[Column]) -> Result<()> {
    // What may be megabytes long does not count: the limit is that of a row without it.
    let counts = |column: &&Column| !matches!(column.data_type, DataType::Blob | DataType::MediumBlob);
    let sum = |columns: &[Column]| columns.iter().filter(counts).map(|column| u64::from(column.data_type.storage_length())).sum::<u64>();
    if sum(columns) > MAX_ROW {
        return Err(Error::with(code::ROW_LENGTH_EXCEEDS_MAX_LENGTH, format!("Row length exceeds max length {MAX_ROW}")));
    }
    let is_json = tags.iter().any(|tag| tag.data_type == DataType::Json);
    if !is_json && sum(tags) > MAX_TAG_BYTES {
        return Err(Error::with(code::TAGS_LENGTH_EXCEEDS_MAX_LENGTH, format!("Tags length exceeds max length {MAX_TAG_BYTES}")));
    }
    Ok(())
}

/// How many columns and tags there may be.
pub(crate) fn check_counts(columns: usize, tags: usize) -> Result<()> {
    if columns + tags > MAX_COLUMNS {
        return Err(Error::new(code::TOO_MANY_COLUMNS));
    }
    if tags > MAX_TAGS {
        return Err(Error::new(code::TOO_MANY_TAGS));
    }
    Ok(())
}

/// A column's or tag's name.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(Error::with(code::INVALID_IDENTIFIER_NAME, format!("Invalid identifier name: {name}")));
    }
    Ok(())
}

/// A data column's type.
pub(crate) fn check_column_type(data_type: DataType) -> Result<()> {
    match data_type {
        DataType::Json => Err(Error::new(code::ONLY_TAG_CAN_BE_JSON_TYPE)),
        DataType::Varchar(n) | DataType::VarBinary(n) | DataType::Geometry(n) if n == 0 || n > MAX_VARCHAR => Err(bad_length()),
        DataType::NChar(n) if n == 0 || n > MAX_NCHAR => Err(bad_length()),
        _ => Ok(()),
    }
}

/// A tag's type.
pub(crate) fn check_tag_type(data_type: DataType) -> Result<()> {
    match data_type {
        DataType::Varchar(n) | DataType::VarBinary(n) | DataType::Geometry(n) if n == 0 || n > MAX_TAG - 2 => Err(bad_length()),
        DataType::NChar(n) if n == 0 || n > (MAX_TAG - 2) / 4 => Err(bad_length()),
        _ => Ok(()),
    }
}

fn bad_length() -> Error {
    Error::new(code::INVALID_COLUMN_LENGTH_FOR_VAR_LENGTH)
}

impl Column {
    /// Takes ENCODE, COMPRESS and LEVEL where they are written; each must fit the type (spec/sql.md 3.2).
    pub fn set_storage(&mut self, encode: Option<&str>, compress: Option<&str>, level: Option<&str>) -> Result<()> {
        if let Some(text) = encode {
            self.encode = Encoding::parse(text).filter(|encoding| fits(*encoding, self.data_type)).ok_or_else(|| Error::new(code::INVALID_ENCODE_PARAM))?;
        }
        if let Some(text) = compress {
            let is_float = matches!(self.data_type, DataType::Float | DataType::Double);
            self.compress = Compression::parse(text)
                .filter(|compression| is_float || *compression != Compression::Tsz)
                .ok_or_else(|| Error::new(code::INVALID_COMPRESS_PARAM))?;
        }
        if let Some(text) = level {
            self.level = match text.to_ascii_lowercase().as_str() {
                "h" | "high" => Level::High,
                "m" | "medium" => Level::Medium,
                "l" | "low" => Level::Low,
                _ => return Err(Error::new(code::INVALID_COMPRESS_LEVEL_PARAM)),
            };
        }
        Ok(())
    }
}

/// Whether a type's values can be encoded so.
fn fits(encoding: Encoding, data_type: DataType) -> bool {
    encoding == Encoding::default_of(data_type) || (encoding == Encoding::DeltaI && matches!(data_type, DataType::BigInt | DataType::UBigInt))
}
