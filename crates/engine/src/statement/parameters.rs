//! All `?` of an INSERT alike: what they stand for, and binding one array for each, the table's name and its tags among them.

use std::ops::Range;

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType as ArrowType;
use embudo_catalog::{MAX_TABLE_NAME, Table};
use embudo_types::{DataType, Error, Precision, Result, ResultSet, Value, code};

use super::{BoundCells, FieldRole, Kind, Statement, StatementField, wrong_count};
use crate::Session;
use crate::bind::user_value;
use crate::pending::Pending;
use crate::template::{InsertTemplate, Place, TagCell};

/// The template of an INSERT whose table is a supertable as that of one which takes a table's name. What does not exist yet is reported when
/// rows are bound.
pub(super) fn resolve(session: &Session, sql: &str, template: InsertTemplate) -> InsertTemplate {
    let Some(name) = template.table.clone().filter(|_| template.supertable.is_none()) else { return template };
    let mut resolved = None;
    let looked_up = session.run(sql, &[], |context| {
        if let Some(Table::Super(supertable)) = context.database_of(&name)?.table(&name.name) {
            resolved = template.of_supertable(&name, &supertable.schema());
        }
        Ok(ResultSet::affected(0))
    });
    looked_up.ok().and(resolved).unwrap_or(template)
}

impl Statement {
    /// Whether this is an INSERT whose table is a `?`.
    pub fn names_table(&self) -> bool {
        matches!(&self.kind, Kind::Insert(insert) if insert.template.table.is_none())
    }

    /// Whether this is an INSERT whose table is a `?` that was not named yet.
    pub fn lacks_table(&self) -> bool {
        matches!(&self.kind, Kind::Insert(insert) if insert.table.is_none())
    }

    /// Whether this is an INSERT that tells the supertable of its table.
    pub fn names_supertable(&self) -> bool {
        matches!(&self.kind, Kind::Insert(insert) if insert.template.supertable.is_some())
    }

    /// What every `?` of an INSERT stands for, in the order of the statement.
    pub fn parameters(&mut self) -> Result<Vec<StatementField>> {
        let Kind::Insert(insert) = &self.kind else { return Err(Error::new(code::OPERATION_NOT_SUPPORTED)) };
        let places = insert.template.places();
        // Of TAGS(…) only those that are not written.
        let is_bound: Vec<bool> = insert.template.tags.iter().map(|tag| *tag == TagCell::Bound).collect();
        let has_tags = places.iter().any(|place| matches!(place, Place::Tag(_)));
        let tags = if has_tags { self.tags()? } else { Vec::new() };
        if has_tags && tags.len() != is_bound.len() {
            return Err(Error::new(code::TAGS_NUMBER_NOT_MATCHED));
        }
        let tags: Vec<StatementField> = tags.into_iter().zip(is_bound).filter_map(|(tag, is_bound)| is_bound.then_some(tag)).collect();
        let columns = self.columns()?;
        let field = |place: Place| match place {
            Place::Table => Some(StatementField {
                name: "tbname".into(),
                data_type: DataType::Varchar(MAX_TABLE_NAME as u32),
                precision: Precision::Milli,
                role: FieldRole::Table,
            }),
            Place::Tag(number) => tags.get(number).cloned(),
            Place::Column(number) => columns.get(number).cloned(),
        };
        places.into_iter().map(|place| field(place).ok_or_else(wrong_count)).collect()
    }

    /// Forgets rows that were bound and not yet written.
    pub fn clear(&mut self) {
        match &mut self.kind {
            Kind::Insert(insert) => {
                insert.pending = Pending::default();
                insert.rows = 0;
            }
            Kind::Rowwise { rows, .. } => rows.clear(),
            Kind::Other(..) => {}
        }
    }

    /// Runs a statement that is not INSERT … VALUES with the first cell of each array as its parameters.
    pub fn query_cells(&self, cells: &[ArrayRef]) -> Result<ResultSet> {
        let values = cells.iter().map(|cell| if cell.is_empty() { Err(wrong_count()) } else { user_value(cell, 0) }).collect::<Result<Vec<Value>>>()?;
        self.query(&values)
    }

    /// Names the table of `INSERT INTO ?` by a value that was bound: unlike in SQL its letters stay as they are.
    pub fn set_table_name(&mut self, name: &str) -> Result<()> {
        // One that is quoted already, or names its database too, is read as in SQL.
        if name.contains(['`', '.']) { self.set_table(name) } else { self.set_table(&format!("`{name}`")) }
    }

    /// Gives the values of TAGS(?, …) as arrays of one cell.
    pub fn set_tag_cells(&mut self, tags: &[ArrayRef]) -> Result<()> {
        // Bytes for a GEOMETRY are a shape, not its text.
        let has_bytes = tags.iter().any(|tag| matches!(tag.data_type(), ArrowType::Binary | ArrowType::LargeBinary | ArrowType::BinaryView));
        let fields = if has_bytes { self.parameters()? } else { Vec::new() };
        let mut types = fields.iter().filter(|field| field.role == FieldRole::Tag).map(|field| field.data_type);
        let mut values = Vec::with_capacity(tags.len());
        for tag in tags {
            if tag.is_empty() {
                return Err(wrong_count());
            }
            values.push(match (user_value(tag, 0)?, types.next()) {
                (Value::VarBinary(bytes), Some(DataType::Geometry(_))) => Value::Geometry(bytes),
                (value, _) => value,
            });
        }
        self.set_tags(&values)
    }

    /// Adds rows: one array for every `?` of the statement in its order, all of the same length. Rows that follow each other and name the
    /// same table go to it together, with the tags of the first of them.
    pub fn bind_parameters(&mut self, cells: &[ArrayRef]) -> Result<()> {
        self.bind_parameter_cells(&cells.iter().map(BoundCells::from).collect::<Vec<_>>())
    }

    /// [`bind_parameters`](Self::bind_parameters) where some cells of columns may not be set.
    pub fn bind_parameter_cells(&mut self, cells: &[BoundCells]) -> Result<()> {
        let Kind::Insert(insert) = &self.kind else { return self.bind_cells(cells) };
        let places = insert.template.places();
        let rows = cells.first().map_or(0, |cells| cells.array.len());
        if places.len() != cells.len() || cells.iter().any(|cells| cells.array.len() != rows) {
            return Err(wrong_count());
        }
        let of = |wanted: fn(&Place) -> Option<usize>| {
            let mut found: Vec<(usize, &BoundCells)> = places.iter().zip(cells).filter_map(|(place, cells)| Some((wanted(place)?, cells))).collect();
            found.sort_by_key(|(number, _)| *number);
            found.into_iter().map(|(_, cells)| cells.clone()).collect::<Vec<_>>()
        };
        let names = of(|place| matches!(place, Place::Table).then_some(0));
        let tags = of(|place| if let Place::Tag(number) = place { Some(*number) } else { None });
        let columns = of(|place| if let Place::Column(number) = place { Some(*number) } else { None });
        for run in runs(names.first().map(|cells| &cells.array), rows)? {
            let Range { start, end } = run.rows;
            if let Some(name) = run.name {
                self.set_table_name(&name)?;
            }
            if !tags.is_empty() {
                self.set_tag_cells(&tags.iter().map(|tag| tag.array.slice(start, 1)).collect::<Vec<_>>())?;
            }
            self.bind_cells(&columns.iter().map(|column| column.slice(start, end - start)).collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

/// Rows of one table.
struct Run {
    name: Option<String>,
    rows: Range<usize>,
}

fn runs(names: Option<&ArrayRef>, rows: usize) -> Result<Vec<Run>> {
    let Some(names) = names else { return Ok(vec![Run { name: None, rows: 0..rows }]) };
    let mut runs: Vec<Run> = Vec::new();
    for row in 0..rows {
        let name = match user_value(names, row)? {
            Value::Varchar(bytes) | Value::VarBinary(bytes) => String::from_utf8(bytes).ok(),
            Value::NChar(text) => Some(text),
            _ => None,
        };
        let name = name.filter(|name| !name.is_empty()).ok_or_else(|| Error::with(code::INVALID_OPERATION, "tbname can not be null or empty"))?;
        match runs.last_mut() {
            Some(run) if run.name.as_ref() == Some(&name) => run.rows.end = row + 1,
            _ => runs.push(Run { name: Some(name), rows: row..row + 1 }),
        }
    }
    Ok(runs)
}
