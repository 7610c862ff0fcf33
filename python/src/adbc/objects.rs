//! Databases, their tables and columns, in the nested lists that `GetObjects` gives.

use std::sync::Arc;

use adbc_core::{
    error::{Error, Result, Status},
    options::ObjectDepth,
    schemas,
};
use arrow_array::{Array, ArrayRef, Int32Array, ListArray, RecordBatch, StringArray, StructArray, cast::AsArray, new_null_array};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Fields};
use embudo_client::literal;

use super::{connection::Session, failed, refused};

/// Kinds of tables.
pub const KINDS: [&str; 3] = ["supertable", "table", "view"];

/// What is asked for; names may hold `%` and `_`.
pub struct Filter<'a> {
    pub catalog: Option<&'a str>,
    pub database: Option<&'a str>,
    pub table: Option<&'a str>,
    pub kinds: Option<Vec<&'a str>>,
    pub column: Option<&'a str>,
}

struct Table {
    name: String,
    kind: &'static str,
    /// Name and type.
    columns: Vec<(String, String)>,
}

/// `[database.]table` quoted.
pub fn quoted(database: Option<&str>, table: &str) -> Result<String> {
    let mut out = String::new();
    if let Some(database) = database.filter(|database| !database.is_empty()) {
        literal::write_name(database.as_bytes(), &mut out).map_err(failed)?;
        out.push('.');
    }
    if table.is_empty() || table.contains(['`', '\0', '\n']) {
        return Err(refused(format!("{table:?} cannot be a table's name"), Status::InvalidArguments));
    }
    out.extend(["`", table, "`"]);
    Ok(out)
}

/// The texts of one column of a statement's rows.
pub fn texts(session: &Session, sql: &str, place: usize) -> Result<Vec<Option<String>>> {
    let batches = session.driver.execute(sql, &[]).and_then(embudo_types::ResultSet::collect).map_err(failed)?;
    let mut found = Vec::new();
    for batch in &batches {
        let column = batch.column(place);
        for row in 0..batch.num_rows() {
            let text = if let Some(bytes) = column.as_binary_opt::<i32>() {
                String::from_utf8_lossy(bytes.value(row)).into_owned()
            } else if let Some(texts) = column.as_string_opt::<i32>() {
                texts.value(row).to_owned()
            } else {
                continue;
            };
            found.push(column.is_valid(row).then_some(text));
        }
    }
    Ok(found)
}

fn names(session: &Session, sql: &str) -> Result<Vec<String>> {
    Ok(texts(session, sql, 0)?.into_iter().flatten().collect())
}

/// The objects that the filter lets through, down to a depth.
pub fn list(session: &Session, depth: ObjectDepth, filter: &Filter<'_>) -> Result<RecordBatch> {
    let schema = Arc::clone(&schemas::GET_OBJECTS_SCHEMA);
    if filter.catalog.is_some_and(|catalog| !is_like("", catalog)) {
        return Ok(RecordBatch::new_empty(schema));
    }
    let catalogs: ArrayRef = Arc::new(StringArray::from(vec![""]));
    let DataType::List(item) = schema.field(1).data_type() else { return Err(wrong()) };
    if matches!(depth, ObjectDepth::Catalogs) {
        return Ok(RecordBatch::try_new(Arc::clone(&schema), vec![catalogs, new_null_array(schema.field(1).data_type(), 1)])?);
    }
    // Who asks for a table by its name and for no database means the session's, as in a statement.
    let current = match (filter.database, filter.table) {
        (None, Some(_)) => texts(session, "SELECT DATABASE()", 0)?.into_iter().next().flatten(),
        _ => None,
    };
    let is_wanted = |name: &String| current.as_ref().is_none_or(|current| current == name) && filter.database.is_none_or(|like| is_like(name, like));
    let databases: Vec<String> = names(session, "SHOW DATABASES")?.into_iter().filter(is_wanted).collect();
    let fields = fields_of(item.data_type())?;
    let tables = if matches!(depth, ObjectDepth::Schemas) {
        new_null_array(fields[1].data_type(), databases.len())
    } else {
        let with_columns = matches!(depth, ObjectDepth::All | ObjectDepth::Columns);
        let tables = databases.iter().map(|database| tables(session, database, filter, with_columns)).collect::<Result<Vec<_>>>()?;
        list_of(fields[1].data_type(), tables.iter().map(Vec::len), |item| table_structs(item, &tables.iter().flatten().collect::<Vec<_>>(), with_columns))?
    };
    let databases: ArrayRef = Arc::new(StringArray::from(databases));
    let count = databases.len();
    let structs: ArrayRef = Arc::new(StructArray::try_new(fields.clone(), vec![databases, tables], None)?);
    let all = ListArray::try_new(Arc::clone(item), OffsetBuffer::from_lengths([count]), structs, None)?;
    Ok(RecordBatch::try_new(schema, vec![catalogs, Arc::new(all)])?)
}

fn tables(session: &Session, database: &str, filter: &Filter<'_>, with_columns: bool) -> Result<Vec<Table>> {
    let place = quoted(None, database)?;
    let mut found = Vec::new();
    for (kind, sql) in KINDS.into_iter().zip([format!("SHOW {place}.STABLES"), format!("SHOW NORMAL {place}.TABLES"), format!("SHOW {place}.VIEWS")]) {
        if filter.kinds.as_ref().is_some_and(|kinds| !kinds.contains(&kind)) {
            continue;
        }
        // A server without views refuses to show them.
        let listed = if kind == "view" { names(session, &sql).unwrap_or_default() } else { names(session, &sql)? };
        for name in listed.into_iter().filter(|name| filter.table.is_none_or(|like| is_like(name, like))) {
            let mut columns = Vec::new();
            if with_columns {
                let sql = format!("DESCRIBE {}", quoted(Some(database), &name)?);
                let (names, types) = (texts(session, &sql, 0)?, texts(session, &sql, 1)?);
                columns = names.into_iter().flatten().zip(types.into_iter().flatten()).collect();
                columns.retain(|(name, _)| filter.column.is_none_or(|like| is_like(name, like)));
            }
            found.push(Table { name, kind, columns });
        }
    }
    Ok(found)
}

fn table_structs(fields: &Fields, tables: &[&Table], with_columns: bool) -> Result<StructArray> {
    let names: ArrayRef = Arc::new(tables.iter().map(|table| Some(table.name.as_str())).collect::<StringArray>());
    let kinds: ArrayRef = Arc::new(tables.iter().map(|table| Some(table.kind)).collect::<StringArray>());
    let columns = if with_columns {
        list_of(fields[2].data_type(), tables.iter().map(|table| table.columns.len()), |fields| column_structs(fields, tables))?
    } else {
        new_null_array(fields[2].data_type(), tables.len())
    };
    let constraints = new_null_array(fields[3].data_type(), tables.len());
    Ok(StructArray::try_new(fields.clone(), vec![names, kinds, columns, constraints], None)?)
}

fn column_structs(fields: &Fields, tables: &[&Table]) -> Result<StructArray> {
    let columns: Vec<(i32, &(String, String))> = tables.iter().flat_map(|table| (1..).zip(&table.columns)).collect();
    let arrays = fields.iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            "column_name" => Arc::new(columns.iter().map(|(_, (name, _))| Some(name.as_str())).collect::<StringArray>()),
            "ordinal_position" => Arc::new(columns.iter().map(|(place, _)| Some(*place)).collect::<Int32Array>()),
            "xdbc_type_name" => Arc::new(columns.iter().map(|(_, (_, kind))| Some(kind.as_str())).collect::<StringArray>()),
            _ => new_null_array(field.data_type(), columns.len()),
        }
    });
    Ok(StructArray::try_new(fields.clone(), arrays.collect(), None)?)
}

/// A list of structs with so many in each.
fn list_of(data_type: &DataType, lengths: impl Iterator<Item = usize>, structs: impl FnOnce(&Fields) -> Result<StructArray>) -> Result<ArrayRef> {
    let DataType::List(item) = data_type else { return Err(wrong()) };
    let values = structs(fields_of(item.data_type())?)?;
    Ok(Arc::new(ListArray::try_new(Arc::clone(item), OffsetBuffer::from_lengths(lengths), Arc::new(values), None)?))
}

fn fields_of(data_type: &DataType) -> Result<&Fields> {
    if let DataType::Struct(fields) = data_type { Ok(fields) } else { Err(wrong()) }
}

fn wrong() -> Error {
    refused("the schema of objects is not as known", Status::Internal)
}

/// SQL's LIKE.
fn is_like(text: &str, pattern: &str) -> bool {
    fn matches(text: &[char], pattern: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('%', rest)) => (0..=text.len()).any(|from| matches(&text[from..], rest)),
            Some((wanted, rest)) => text.split_first().is_some_and(|(first, left)| (*wanted == '_' || wanted == first) && matches(left, rest)),
        }
    }
    matches(&text.chars().collect::<Vec<_>>(), &pattern.chars().collect::<Vec<_>>())
}
