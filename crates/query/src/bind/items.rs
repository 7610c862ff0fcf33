//! The select list: stars, `_tags` and `FIRST`, `LAST`, `LAST_ROW` over several columns spelled out, and the names of results.

use embudo_sql::ast::expr::{Expr, PseudoColumn};
use embudo_sql::ast::query::{Select, SelectItem};
use embudo_types::{Error, Result, code};

use super::relation::{BY_PLACE, ColumnSource, Relation};

/// Longest name of a result column in bytes.
const LONGEST_NAME: usize = 64;

/// A column of the result.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// What it is.
    pub expr: Expr,
    /// Its name.
    pub name: String,
    /// Whether the name is an alias.
    pub alias: bool,
    /// Whether an outer query can name it.
    pub named: bool,
}

/// The items of a select list, one a result column.
pub(crate) fn expand(select: &Select, relation: &Relation) -> Result<Vec<Item>> {
    let mut items = Vec::with_capacity(select.items.len());
    for item in &select.items {
        match &item.expr {
            Expr::Star { table } => stars(table.as_deref(), relation, &mut items)?,
            Expr::Pseudo { column: PseudoColumn::Tags, .. } => tags(relation, &mut items),
            Expr::Function { name, arguments } if is_selection_of_many(name) && (arguments.len() > 1 || matches!(arguments[..], [Expr::Star { .. }])) => {
                selections(name, arguments, relation, &mut items)?;
            }
            Expr::Function { name, arguments } if name == "cols" && matches!(arguments[..], [_, Expr::Star { .. }]) => {
                followers(&arguments[0], &arguments[1], relation, &mut items)?;
            }
            _ => items.push(named(item)),
        }
    }
    if items.is_empty() {
        return Err(Error::new(code::INVALID_SELECTED_EXPRESSION));
    }
    if items.len() > 4_096 {
        return Err(Error::new(code::TOO_MANY_COLUMNS_2640));
    }
    Ok(items)
}

fn is_selection_of_many(name: &str) -> bool {
    matches!(name, "first" | "last" | "last_row")
}

fn named(item: &SelectItem) -> Item {
    if let Some(alias) = &item.alias {
        return Item { expr: item.expr.clone(), name: truncated(alias), alias: true, named: true };
    }
    let shown = match &item.expr {
        Expr::Function { name, arguments } if name == "cols" => arguments.last().unwrap_or(&item.expr),
        shown => shown,
    };
    let (name, named) = match shown {
        Expr::Column { name, .. } => (name.clone(), true),
        Expr::Pseudo { column: PseudoColumn::TableName, .. } => ("tbname".to_owned(), true),
        Expr::Pseudo { text, .. } => (text.clone(), true),
        _ => (truncated(&item.text), false),
    };
    Item { expr: item.expr.clone(), name, alias: false, named }
}

fn truncated(name: &str) -> String {
    let mut end = name.len().min(LONGEST_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].to_owned()
}

fn stars(table: Option<&str>, relation: &Relation, items: &mut Vec<Item>) -> Result<()> {
    if let Some(table) = table {
        relation.check_table(table)?;
    }
    for (at, column) in relation.columns.iter().enumerate() {
        if column.listed && table.is_none_or(|table| *column.table == *table) {
            items.push(Item { expr: by_place(at), name: column.label.to_string(), alias: false, named: column.name.is_some() });
        }
    }
    Ok(())
}

fn tags(relation: &Relation, items: &mut Vec<Item>) {
    for (at, column) in relation.columns.iter().enumerate() {
        if matches!(column.source, ColumnSource::Tag(_)) {
            items.push(Item { expr: by_place(at), name: column.label.to_string(), alias: false, named: true });
        }
    }
}

fn selections(function: &str, arguments: &[Expr], relation: &Relation, items: &mut Vec<Item>) -> Result<()> {
    for argument in arguments {
        let mut columns = Vec::new();
        match argument {
            Expr::Star { table } => {
                stars(table.as_deref(), relation, &mut columns)?;
                // A star inside a function means data columns; tags come only with an option that Embudo does not have.
                columns.retain(|item| !matches!(relation.find(&item.expr), Ok(Some(at)) if matches!(relation.columns[at].source, ColumnSource::Tag(_))));
            }
            other => columns.push(Item { expr: other.clone(), name: argument_name(other), alias: false, named: false }),
        }
        for column in columns {
            let name = truncated(&format!("{function}({})", column.name));
            items.push(Item { expr: Expr::Function { name: function.to_owned(), arguments: vec![column.expr] }, name, alias: false, named: false });
        }
    }
    Ok(())
}

/// `COLS(selection, *)`.
fn followers(selection: &Expr, star: &Expr, relation: &Relation, items: &mut Vec<Item>) -> Result<()> {
    let Expr::Star { table } = star else { return Ok(()) };
    let mut columns = Vec::new();
    stars(table.as_deref(), relation, &mut columns)?;
    for column in columns {
        let arguments = vec![selection.clone(), column.expr];
        items.push(Item { expr: Expr::Function { name: "cols".into(), arguments }, ..column });
    }
    Ok(())
}

fn argument_name(argument: &Expr) -> String {
    match argument {
        Expr::Column { name, .. } => name.clone(),
        Expr::Pseudo { text, .. } => text.clone(),
        other => other.to_string(),
    }
}

/// A column of the relation by its place, whatever its name.
pub(crate) fn by_place(column: usize) -> Expr {
    Expr::Column { table: Some(BY_PLACE.into()), name: column.to_string() }
}
