//! What the user of a query may read: asked when FROM is bound, of the engine, which knows what was granted. Here stand the question and
//! what a condition on tags leaves of a supertable's children.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray};
use embudo_catalog::{Children, Database, Table, View};
use embudo_expr::{Binder, Input, Scope};
use embudo_sql::ast::expr::{Expr, PseudoColumn};
use embudo_types::{DataType, Precision, Result, Value};
use roaring::RoaringBitmap;

use crate::QueryContext;
use crate::array::selected;
use crate::bind::relation::TABLE_NAME_TYPE;
use crate::run::block::evaluate_condition;

/// Which rows of a table a user has a right on.
#[derive(Clone, Debug)]
pub enum Reach {
    /// All.
    Everything,
    /// Those of the children for which one of these conditions on tags holds.
    Children(Vec<Expr>),
}

/// Tells what may be read.
pub trait Access: Send + Sync {
    /// 0x2644 where the user has no right in the database at all, so that nobody learns by trying what there is.
    fn database(&self, name: &str) -> Result<()>;

    /// The rows of a table that may be read: 0x2644 where there are none.
    fn table(&self, database: &Database, table: &Table) -> Result<Reach>;

    /// What a view's query may read, which is what its maker may: 0x2644 where the user may not read the view.
    fn view(&self, database: &Database, view: &View) -> Result<Arc<dyn Access>>;

    /// The user by name.
    fn user(&self) -> &str;
}

/// Everything may be read.
impl Access for () {
    fn database(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn table(&self, _: &Database, _: &Table) -> Result<Reach> {
        Ok(Reach::Everything)
    }

    fn view(&self, _: &Database, _: &View) -> Result<Arc<dyn Access>> {
        Ok(Arc::new(()))
    }

    fn user(&self) -> &'static str {
        "root"
    }
}

/// Tags of children by place, and behind them `tbname`.
struct TagScope<'a> {
    children: &'a Children,
    precision: Precision,
}

impl Scope for TagScope<'_> {
    fn resolve(&self, expr: &Expr) -> Result<Option<Input>> {
        let tags = &self.children.schema().tags;
        Ok(match expr {
            Expr::Column { name, .. } => {
                self.children.schema().tag(name).map(|at| Input { index: at, data_type: tags[at].data_type, precision: self.precision })
            }
            Expr::Pseudo { column: PseudoColumn::TableName, .. } => Some(Input { index: tags.len(), data_type: TABLE_NAME_TYPE, precision: self.precision }),
            _ => None,
        })
    }
}

/// The children for which one of the conditions holds; a condition that names what is no tag is an error.
pub fn children_in_reach(conditions: &[Expr], children: &Children, precision: Precision, context: &QueryContext) -> Result<RoaringBitmap> {
    let slots: Vec<u32> = children.slots().iter().collect();
    let mut arrays: Vec<ArrayRef> = (0..children.schema().tags.len()).map(|place| children.tag_array(place, &slots)).collect();
    let names: Vec<Arc<str>> = slots.iter().map(|slot| children.name(*slot)).collect();
    arrays.push(Arc::new(BinaryArray::from_iter_values(names.iter().map(|name| name.as_bytes()))));
    let found = rows_in_reach(conditions, children, &arrays, slots.len(), precision, context)?;
    Ok(found.into_iter().map(|row| slots[row as usize]).collect())
}

/// Whether one of the conditions holds for a child.
pub fn child_in_reach(conditions: &[Expr], children: &Children, slot: u32, precision: Precision, context: &QueryContext) -> Result<bool> {
    let tags: Vec<Value> = (0..children.schema().tags.len()).map(|place| children.tag_value(place, slot)).collect();
    tags_in_reach(conditions, children, &children.name(slot), &tags, precision, context)
}

/// Whether one of the conditions holds for a child that is about to be made: `tags` in the order of the supertable's, each of its type.
pub fn tags_in_reach(conditions: &[Expr], children: &Children, name: &str, tags: &[Value], precision: Precision, context: &QueryContext) -> Result<bool> {
    let types: Vec<DataType> = children.schema().tags.iter().map(|tag| tag.data_type).collect();
    let of_tag = |(value, data_type): (&Value, &DataType)| embudo_expr::array_of_values(std::slice::from_ref(value), *data_type, precision);
    let mut arrays = tags.iter().zip(&types).map(of_tag).collect::<Result<Vec<ArrayRef>>>()?;
    arrays.push(Arc::new(BinaryArray::from_iter_values([name.as_bytes()])));
    Ok(!rows_in_reach(conditions, children, &arrays, 1, precision, context)?.is_empty())
}

fn rows_in_reach(
    conditions: &[Expr],
    children: &Children,
    arrays: &[ArrayRef],
    rows: usize,
    precision: Precision,
    context: &QueryContext,
) -> Result<RoaringBitmap> {
    let (scope, bind) = (TagScope { children, precision }, context.bind_context(precision));
    let mut found = RoaringBitmap::new();
    for condition in conditions {
        let bound = Binder::new(&bind, &scope).bind_condition(condition)?;
        match selected(&evaluate_condition(&bound, arrays, rows)?) {
            None => found.insert_range(0..rows as u32),
            Some(some) => some.into_iter().filter(|row| found.insert(*row)).count() as u64,
        };
    }
    Ok(found)
}
