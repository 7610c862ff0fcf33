//! ALTER TABLE: what each kind of table takes, and the schema that comes of it (spec/sql.md 3.5).

use embudo_types::{DataType, Error, Result, Value, code};

use crate::change::Change;
use crate::changing::Changing;
use crate::rules::{check_column_type, check_counts, check_lengths, check_name, check_tag_type};
use crate::{Column, Schema, Table, TableOptions};

/// One ALTER TABLE.
#[derive(Clone, Debug, PartialEq)]
pub enum Alteration {
    /// COMMENT and TTL, those that are written.
    Options {
        /// COMMENT.
        comment: Option<String>,
        /// TTL in days.
        ttl: Option<u32>,
    },
    /// ADD COLUMN; the id is given here.
    AddColumn(Column),
    /// DROP COLUMN.
    DropColumn(String),
    /// MODIFY COLUMN c type.
    ModifyColumn {
        /// Column.
        name: String,
        /// Its longer type.
        data_type: DataType,
    },
    /// MODIFY COLUMN c ENCODE, COMPRESS, LEVEL, those that are written.
    ModifyStorage {
        /// Column.
        name: String,
        /// ENCODE.
        encode: Option<String>,
        /// COMPRESS.
        compress: Option<String>,
        /// LEVEL.
        level: Option<String>,
    },
    /// RENAME COLUMN.
    RenameColumn {
        /// Old name.
        from: String,
        /// New name.
        to: String,
    },
    /// ADD TAG; the id is given here.
    AddTag(Column),
    /// DROP TAG.
    DropTag(String),
    /// MODIFY TAG t type.
    ModifyTag {
        /// Tag.
        name: String,
        /// Its longer type.
        data_type: DataType,
    },
    /// RENAME TAG.
    RenameTag {
        /// Old name.
        from: String,
        /// New name.
        to: String,
    },
    /// SET TAG with a value of the tag's type.
    SetTag {
        /// Tag.
        name: String,
        /// Its new value.
        value: Value,
    },
}

impl Changing<'_> {
    /// ALTER TABLE. Rows stay as they are: new columns are absent in them, dropped ones are not read any more.
    pub fn alter(&mut self, table: &Table, alteration: &Alteration) -> Result<()> {
        match alteration {
            Alteration::Options { comment, ttl } => self.alter_options(table, comment.as_deref(), *ttl),
            Alteration::SetTag { name, value } => self.set_tag(table, name, value),
            _ => self.alter_schema(table, std::slice::from_ref(alteration)),
        }
    }

    /// Several changes of columns and tags as one, each seeing those before it.
    pub fn alter_schema(&mut self, table: &Table, alterations: &[Alteration]) -> Result<()> {
        if let (Table::Child(_), Some(first)) = (table, alterations.first()) {
            return Err(refuse_child(first));
        }
        let mut schema = (*table.schema()).clone();
        alterations.iter().try_for_each(|alteration| alter_schema(&mut schema, matches!(table, Table::Super(_)), alteration))?;
        schema.version += 1;
        let altered = self.now();
        self.push(Change::SetSchema { name: table.name().clone(), altered, schema });
        Ok(())
    }

    fn alter_options(&mut self, table: &Table, comment: Option<&str>, ttl: Option<u32>) -> Result<()> {
        let old = match table {
            Table::Super(_) if ttl.is_some() => return Err(Error::new(code::INVALID_ALTER_TABLE_STATEMENT)),
            Table::Super(table) => table.options(),
            Table::Normal(table) => table.options(),
            Table::Child(child) => child.supertable.children().options(child.slot),
        };
        let mut options: TableOptions = (*old).clone();
        if let Some(comment) = comment {
            options.comment = Some(comment.into());
        }
        options.ttl = ttl.unwrap_or(options.ttl);
        self.push(Change::SetOptions { name: table.name().clone(), options });
        Ok(())
    }

    fn set_tag(&mut self, table: &Table, name: &str, value: &Value) -> Result<()> {
        let child = match table {
            Table::Child(child) => child,
            Table::Super(_) => return Err(refused("Set tag value only available for child table")),
            Table::Normal(_) => return Err(invalid_tag(name)),
        };
        let schema = child.supertable.schema();
        let tag = schema.tags.iter().find(|tag| &*tag.name == name).ok_or_else(|| invalid_tag(name))?;
        self.push(Change::SetTag { name: child.name.clone(), tag: tag.id, value: value.clone() });
        Ok(())
    }
}

fn refused(message: &str) -> Error {
    Error::with(code::INVALID_ALTER_TABLE_STATEMENT, message)
}

/// TDengine names an unknown tag of SET TAG under the code of a wrong ALTER.
pub(crate) fn invalid_tag(name: &str) -> Error {
    refused(&format!("Invalid tag name: {name}"))
}

fn invalid_column(name: &str) -> Error {
    Error::with(code::INVALID_COLUMN_NAME, format!("Invalid column name: {name}"))
}

/// Columns and tags are the supertable's to change.
fn refuse_child(alteration: &Alteration) -> Error {
    match alteration {
        Alteration::AddTag(_) | Alteration::DropTag(_) | Alteration::ModifyTag { .. } | Alteration::RenameTag { .. } => {
            Error::new(code::INVALID_ALTER_TABLE_STATEMENT)
        }
        Alteration::RenameColumn { .. } => refused("Rename column only available for normal table"),
        _ => Error::new(code::INVALID_TABLE_ACTION),
    }
}

fn alter_schema(schema: &mut Schema, is_super: bool, alteration: &Alteration) -> Result<()> {
    match alteration {
        Alteration::AddColumn(column) => add_column(schema, is_super, column),
        Alteration::DropColumn(name) => drop_column(schema, is_super, name),
        Alteration::ModifyColumn { name, data_type } => {
            let at = schema.column(name).ok_or_else(|| invalid_column(name))?;
            refuse_key(&schema.columns[at])?;
            lengthen(&mut schema.columns[at], *data_type)?;
            check_column_type(*data_type)?;
            check_lengths(&schema.columns, &[])
        }
        Alteration::ModifyStorage { name, encode, compress, level } => {
            let at = schema.column(name).ok_or_else(|| invalid_column(name))?;
            let old = schema.columns[at].clone();
            schema.columns[at].set_storage(encode.as_deref(), compress.as_deref(), level.as_deref())?;
            if schema.columns[at] == old { Err(Error::new(code::SAME_WITH_OLD_PARAM)) } else { Ok(()) }
        }
        Alteration::RenameColumn { from, to } => {
            if is_super {
                return Err(refused("Rename column only available for normal table"));
            }
            let at = schema.column(from).ok_or_else(|| invalid_column(from))?;
            refuse_key(&schema.columns[at])?;
            check_name(to)?;
            if schema.column(to).is_some() {
                return Err(Error::new(code::DUPLICATED_COLUMN_NAMES_263C));
            }
            schema.columns[at].name = to.as_str().into();
            Ok(())
        }
        _ if !is_super => Err(Error::new(code::INVALID_ALTER_TABLE_STATEMENT)),
        _ => alter_tags(schema, alteration),
    }
}

fn add_column(schema: &mut Schema, is_super: bool, column: &Column) -> Result<()> {
    check_name(&column.name)?;
    check_column_type(column.data_type)?;
    if schema.tag(&column.name).is_some() {
        return Err(Error::new(code::TAG_ALREADY_EXISTS));
    }
    if schema.column(&column.name).is_some() {
        return Err(Error::new(if is_super { code::COLUMN_ALREADY_EXISTS } else { code::DUPLICATED_COLUMN_NAMES_263C }));
    }
    let id = take_id(schema)?;
    schema.columns.push(Column { id, ..column.clone() });
    check_counts(schema.columns.len(), schema.tags.len())?;
    check_lengths(&schema.columns, &[])
}

fn drop_column(schema: &mut Schema, is_super: bool, name: &str) -> Result<()> {
    let missing = || if is_super { Error::new(code::COLUMN_DOES_NOT_EXIST) } else { invalid_column(name) };
    let at = schema.column(name).ok_or_else(missing)?;
    if at == 0 {
        return Err(Error::new(code::PRIMARY_TIMESTAMP_COLUMN_CANNOT_BE_DROPPED));
    }
    refuse_key(&schema.columns[at])?;
    if schema.columns.len() == 2 {
        return Err(Error::new(if is_super { code::INVALID_STABLE_ALTER_OPTIONS } else { code::NO_COLUMNS_CAN_BE_DROPPED }));
    }
    schema.columns.remove(at);
    Ok(())
}

fn alter_tags(schema: &mut Schema, alteration: &Alteration) -> Result<()> {
    let is_json = schema.tags.iter().any(|tag| tag.data_type == DataType::Json);
    if is_json && !matches!(alteration, Alteration::RenameTag { .. }) {
        return Err(Error::new(code::ONLY_ONE_TAG_IF_THERE_IS));
    }
    let find = |schema: &Schema, name: &str| schema.tag(name).ok_or_else(|| Error::new(code::TAG_DOES_NOT_EXIST));
    match alteration {
        Alteration::AddTag(tag) => {
            check_name(&tag.name)?;
            check_tag_type(tag.data_type)?;
            if tag.data_type == DataType::Json {
                return Err(Error::new(code::ONLY_ONE_TAG_IF_THERE_IS));
            }
            refuse_taken(schema, &tag.name)?;
            let id = take_id(schema)?;
            schema.tags.push(Column { id, ..tag.clone() });
            check_counts(schema.columns.len(), schema.tags.len())?;
            check_lengths(&[], &schema.tags)
        }
        Alteration::DropTag(name) => {
            let at = find(schema, name)?;
            if schema.tags.len() == 1 {
                return Err(refused("the only tag cannot be dropped"));
            }
            schema.tags.remove(at);
            Ok(())
        }
        Alteration::ModifyTag { name, data_type } => {
            let at = schema.tag(name).ok_or_else(|| invalid_column(name))?;
            lengthen(&mut schema.tags[at], *data_type)?;
            check_tag_type(*data_type)?;
            check_lengths(&[], &schema.tags)
        }
        Alteration::RenameTag { from, to } => {
            let at = find(schema, from)?;
            check_name(to)?;
            refuse_taken(schema, to)?;
            schema.tags[at].name = to.as_str().into();
            Ok(())
        }
        _ => Err(Error::new(code::INVALID_ALTER_TABLE_STATEMENT)),
    }
}

/// A tag's new name must be no tag's and no column's.
fn refuse_taken(schema: &Schema, name: &str) -> Result<()> {
    if schema.tag(name).is_some() {
        return Err(Error::new(code::TAG_ALREADY_EXISTS));
    }
    if schema.column(name).is_some() {
        return Err(Error::new(code::COLUMN_ALREADY_EXISTS));
    }
    Ok(())
}

fn refuse_key(column: &Column) -> Result<()> {
    if column.primary_key { Err(Error::new(code::PRIMARY_KEY_COLUMN_CAN_NOT_BE)) } else { Ok(()) }
}

/// MODIFY: the same variable type, longer.
fn lengthen(column: &mut Column, data_type: DataType) -> Result<()> {
    let is_same = column.data_type.id() == data_type.id() && data_type.is_variable();
    if !is_same || data_type.length() <= column.data_type.length() {
        return Err(Error::new(code::ONLY_VARBINARY_BINARY_NCHAR_GEOMETRY_COLUMN));
    }
    column.data_type = data_type;
    Ok(())
}

/// The next column id; a table that used up all of them takes no more columns.
fn take_id(schema: &mut Schema) -> Result<u16> {
    let id = schema.next_id;
    schema.next_id = id.checked_add(1).ok_or_else(|| Error::new(code::TOO_MANY_COLUMNS))?;
    Ok(id)
}
