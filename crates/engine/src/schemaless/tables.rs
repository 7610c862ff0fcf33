//! Supertables as points need them: made where they are missing, with columns and tags added and lengthened where they are not.

use embudo_catalog::{Alteration, Changing, Column, Database, RightSet, Schema, TableOptions};
use embudo_types::{DataType, MAX_NCHAR, MAX_VARCHAR, Result};

use super::points::{Measure, Points, check_column, check_tag, schema_of};
use crate::cells::too_long;
use crate::session::StatementContext;

/// Name of the time column.
const TIME_COLUMN: &str = "_ts";
/// The tag of a supertable whose points have none.
const NO_TAG: &str = "_tag_null";
/// Longest tag in bytes.
const MAX_TAG: u32 = 16_382;
/// From this length on columns are as long as their longest value.
const EXACT_LENGTH: u32 = 1_024;

/// Brings every supertable up to what its points need, in one record.
pub(super) fn bring_up(context: &StatementContext<'_>, database: &Database, points: &Points) -> Result<()> {
    let mut is_ready = true;
    for measure in &points.measures {
        is_ready &= measure.known.as_ref().map_or(Ok(false), |known| alterations(measure, &known.schema).map(|needed| needed.is_empty()))?;
    }
    if is_ready {
        return Ok(());
    }
    if !context.account.is_superuser() {
        require_rights(context, database, points)?;
    }
    let mut changing = database.changing();
    for measure in &points.measures {
        let Some(table) = database.table(&measure.name) else {
            create(&mut changing, measure)?;
            continue;
        };
        let needed = alterations(measure, &*schema_of(&table)?)?;
        if !needed.is_empty() {
            changing.alter_schema(&table, &needed)?;
        }
    }
    changing.commit(Vec::new()).map(drop)
}

/// WRITE on every supertable that is widened, and on the database where one is made.
fn require_rights(context: &StatementContext<'_>, database: &Database, points: &Points) -> Result<()> {
    points.measures.iter().try_for_each(|measure| match database.table(&measure.name) {
        Some(table) => context.require_table(RightSet::WRITE | RightSet::ALTER, database, &table),
        None => context.account.require_database(&database.name, RightSet::WRITE),
    })
}

fn create(changing: &mut Changing<'_>, measure: &Measure) -> Result<()> {
    let mut columns = vec![Column::new(0, TIME_COLUMN, DataType::Timestamp)];
    for (name, cells) in &measure.columns {
        columns.push(Column::new(0, name, with_room(name, cells.data_type(), Place::Column)?));
    }
    let tags = measure.tags.iter().map(|(name, data_type)| Ok(Column::tag(0, name, with_room(name, *data_type, Place::Tag)?)));
    let mut tags = tags.collect::<Result<Vec<_>>>()?;
    if tags.is_empty() {
        tags.push(Column::tag(0, NO_TAG, DataType::NChar(1)));
    }
    let sma = Some((1..=columns.len() as u16).collect());
    changing.create_supertable(&measure.name, columns, tags, TableOptions { sma, ..TableOptions::default() }).map(drop)
}

/// What a schema lacks for points.
fn alterations(measure: &Measure, schema: &Schema) -> Result<Vec<Alteration>> {
    let mut needed = Vec::new();
    for (name, cells) in &measure.columns {
        let data_type = cells.data_type();
        match check_column(schema, name, data_type)? {
            None => needed.push(Alteration::AddColumn(Column::new(0, name, with_room(name, data_type, Place::Column)?))),
            Some(at) if is_longer(data_type, schema.columns[at].data_type) => {
                let data_type = with_room(name, data_type, Place::Column)?;
                if is_longer(data_type, schema.columns[at].data_type) {
                    needed.push(Alteration::ModifyColumn { name: name.to_string(), data_type });
                }
            }
            Some(_) => {}
        }
    }
    for (name, data_type) in &measure.tags {
        match check_tag(schema, name, *data_type)? {
            None => needed.push(Alteration::AddTag(Column::tag(0, name, with_room(name, *data_type, Place::Tag)?))),
            Some(at) if is_longer(*data_type, schema.tags[at].data_type) => {
                let data_type = with_room(name, *data_type, Place::Tag)?;
                if is_longer(data_type, schema.tags[at].data_type) {
                    needed.push(Alteration::ModifyTag { name: name.to_string(), data_type });
                }
            }
            Some(_) => {}
        }
    }
    Ok(needed)
}

fn is_longer(needed: DataType, there: DataType) -> bool {
    needed.is_variable() && needed.length() > there.length()
}

/// Where a type is for.
#[derive(Clone, Copy)]
enum Place {
    Column,
    Tag,
}

/// The type that holds values of this length in bytes and some more. NCHAR counts characters, of which there are no more than bytes.
fn with_room(name: &str, data_type: DataType, place: Place) -> Result<DataType> {
    let room = |longest: u32, limit: u32| (if longest < EXACT_LENGTH { (longest + 1).next_power_of_two() } else { longest }).min(limit);
    let bytes = |longest: u32| match place {
        Place::Column if longest <= MAX_VARCHAR => Ok(room(longest, MAX_VARCHAR)),
        Place::Tag if longest <= MAX_TAG => Ok(room(longest, MAX_TAG)),
        _ => Err(too_long(name)),
    };
    Ok(match data_type {
        DataType::Varchar(longest) => DataType::Varchar(bytes(longest)?),
        DataType::VarBinary(longest) => DataType::VarBinary(bytes(longest)?),
        DataType::Geometry(longest) => DataType::Geometry(bytes(longest)?),
        DataType::NChar(longest) => DataType::NChar(room(longest, if matches!(place, Place::Tag) { MAX_TAG / 4 } else { MAX_NCHAR })),
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_leave_room() {
        for (longest, length) in [(0, 1), (1, 2), (3, 4), (4, 8), (6, 8), (8, 16), (1_023, 1_024), (1_024, 1_024), (5_000, 5_000)] {
            assert_eq!(with_room("c", DataType::Varchar(longest), Place::Column), Ok(DataType::Varchar(length)));
        }
        assert_eq!(with_room("c", DataType::NChar(60_000), Place::Column), Ok(DataType::NChar(MAX_NCHAR)));
        assert_eq!(with_room("t", DataType::NChar(5_000), Place::Tag), Ok(DataType::NChar(4_095)));
        assert!(with_room("t", DataType::Varchar(16_383), Place::Tag).is_err());
        assert_eq!(with_room("c", DataType::Double, Place::Column), Ok(DataType::Double));
    }
}
