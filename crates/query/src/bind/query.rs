//! A query: one SELECT or a UNION, its order and its limits.

use std::sync::Arc;

use embudo_expr::{Binder, BoundExpr, Input, Scope};
use embudo_sql::ast::expr::{Expr, Literal};
use embudo_sql::ast::query::{Query, QueryBody, SortItem};
use embudo_types::{DataType, Error, Precision, Result, code};

use super::items::by_place;
use super::relation::BY_PLACE;
use super::select;
use crate::QueryContext;
use crate::array::KeyOrder;
use crate::plan::{Body, OutputColumn, QueryPlan, Stage, StageColumn};

/// Binds a query.
pub(crate) fn bind(query: &Query, context: &QueryContext) -> Result<QueryPlan> {
    match &query.body {
        QueryBody::Select(body) => {
            let mut bound = select::bind(body, &query.order_by, context)?;
            if query.slimit.is_some() && !bound.grouped {
                return Err(Error::new(code::SLIMIT_SOFFSET_ONLY_AVAILABLE_FOR_PARTITION));
            }
            bound.plan.hash_order = query.slimit.is_some();
            let limit_per_group = bound.grouped && bound.order.is_empty();
            Ok(QueryPlan {
                body: Body::Select(Arc::new(bound.plan)),
                columns: bound.columns,
                order: bound.order,
                slimit: query.slimit,
                limit: query.limit,
                limit_per_group,
            })
        }
        QueryBody::Union { left, right, all } => {
            let (left, right) = (bind(left, context)?, bind(right, context)?);
            if query.slimit.is_some() {
                return Err(Error::new(code::SLIMIT_SOFFSET_ONLY_AVAILABLE_FOR_PARTITION));
            }
            let (columns, casts) = union_columns(&left.columns, &right.columns, context)?;
            let order = union_order(&query.order_by, &columns)?;
            let body = Body::Union { left: Arc::new(left), right: Arc::new(right), casts, all: *all };
            Ok(QueryPlan { body, columns, order, slimit: None, limit: query.limit, limit_per_group: false })
        }
    }
}

/// Result columns of a union, and the casts that bring the right operand's columns to their types.
fn union_columns(left: &[OutputColumn], right: &[OutputColumn], context: &QueryContext) -> Result<(Vec<OutputColumn>, Vec<BoundExpr>)> {
    if left.len() != right.len() {
        return Err(Error::new(code::QUERY_BLOCK_HAS_INCORRECT_NUMBER_OF));
    }
    let mut columns = left.to_vec();
    let mut casts = Vec::with_capacity(right.len());
    for (place, (column, right)) in columns.iter_mut().zip(right).enumerate() {
        column.data_type = wider(column.data_type, right.data_type);
        let input = Input { index: place, data_type: right.data_type, precision: right.precision };
        if same_cells(column, right) {
            casts.push(BoundExpr::input(input));
            continue;
        }
        if column.data_type == DataType::Varchar(0) {
            // The type of a bare NULL takes nothing else.
            return Err(Error::with(code::Code(0xFFFF), "Unknown error 65535"));
        }
        let scope = Columns(&[(place, input)]);
        let bind_context = context.bind_context(column.precision);
        let cast = Expr::Cast { expr: Box::new(by_place(place)), data_type: column.data_type, length_given: true };
        casts.push(Binder::new(&bind_context, &scope).bind(&cast)?);
    }
    Ok((columns, casts))
}

fn wider(left: DataType, right: DataType) -> DataType {
    match (left, right) {
        (DataType::Varchar(a), DataType::Varchar(b)) => DataType::Varchar(a.max(b)),
        (DataType::NChar(a), DataType::NChar(b)) => DataType::NChar(a.max(b)),
        (DataType::VarBinary(a), DataType::VarBinary(b)) => DataType::VarBinary(a.max(b)),
        (DataType::Geometry(a), DataType::Geometry(b)) => DataType::Geometry(a.max(b)),
        (left, _) => left,
    }
}

fn same_cells(left: &OutputColumn, right: &OutputColumn) -> bool {
    left.data_type.id() == right.data_type.id()
        && (left.data_type != DataType::Timestamp || left.precision == right.precision)
        && !matches!(left.data_type, DataType::Decimal(..))
}

/// Columns known by place.
struct Columns<'a>(&'a [(usize, Input)]);

impl Scope for Columns<'_> {
    fn resolve(&self, expr: &Expr) -> Result<Option<Input>> {
        let Expr::Column { table: Some(table), name } = expr else { return Ok(None) };
        let place = (table == BY_PLACE).then(|| name.parse::<usize>().ok()).flatten();
        Ok(self.0.iter().find(|(at, _)| Some(*at) == place).map(|(_, input)| *input))
    }
}

/// ORDER BY after a UNION: names or ordinals of the result only.
fn union_order(order_by: &[SortItem], columns: &[OutputColumn]) -> Result<Vec<(usize, KeyOrder)>> {
    let mut order = Vec::with_capacity(order_by.len());
    for key in order_by {
        let by = KeyOrder { descending: key.descending, nulls_first: key.nulls_first.unwrap_or(!key.descending) };
        let place = match &key.expr {
            Expr::Literal(Literal::Integer(ordinal)) => match usize::try_from(*ordinal) {
                Ok(ordinal) if (1..=columns.len()).contains(&ordinal) => Some(ordinal - 1),
                _ => return Err(Error::new(code::ORDER_BY_ITEM_MUST_BE_THE)),
            },
            Expr::Literal(_) => continue,
            Expr::Column { table: None, name } => columns.iter().position(|column| column.named && column.name == *name),
            Expr::Pseudo { table: None, text, .. } => columns.iter().position(|column| column.named && column.name == *text),
            _ => None,
        };
        order.push((place.ok_or_else(|| Error::new(code::INVALID_EXPR_IN_ORDER_BY_CLAUSE))?, by));
    }
    Ok(order)
}

impl QueryPlan {
    /// Precision of time literals over its rows.
    pub(crate) fn precision(&self) -> Precision {
        match &self.body {
            Body::Select(select) => select.relation.precision,
            Body::Union { left, .. } => left.precision(),
        }
    }

    /// The result column that is the primary timestamp to an outer query, and whether the rows come in its order.
    pub(crate) fn timeline(&self) -> (Option<usize>, bool) {
        let place = match &self.body {
            Body::Select(select) => select_timeline(select),
            Body::Union { .. } => {
                let first = self.order.first().map(|(place, _)| *place);
                return (first.filter(|place| self.columns[*place].data_type == DataType::Timestamp), self.order.first().is_some_and(|(_, by)| !by.descending));
            }
        };
        let Some(place) = place else { return (None, false) };
        match self.order.first() {
            Some((key, by)) => {
                if *key == place {
                    (Some(place), !by.descending)
                } else {
                    (Some(place), false)
                }
            }
            None => (Some(place), self.keeps_time_order()),
        }
    }

    fn keeps_time_order(&self) -> bool {
        let Body::Select(select) = &self.body else { return false };
        match &select.stage {
            Stage::Rows { keys } => {
                keys.is_empty() && !select.distinct && select.relation.ordered && (select.relation.table().is_none() || select.relation.is_single_table())
            }
            Stage::Tables => false,
            Stage::Aggregate(plan) => plan.keys.iter().all(|key| key.per_table && select.relation.is_single_table()),
            Stage::Series(plan) => plan.keys.is_empty(),
            Stage::Interp(plan) => plan.keys.is_empty(),
        }
    }
}

fn select_timeline(select: &crate::plan::SelectPlan) -> Option<usize> {
    let is_timeline = |expr: &BoundExpr| {
        let Some(index) = expr.input_index() else { return false };
        let of_row = |input: usize| select.relation.timeline == Some(select.inputs[input]);
        match &select.stage {
            Stage::Rows { .. } => of_row(index),
            Stage::Tables => false,
            Stage::Aggregate(plan) => match plan.columns[index] {
                StageColumn::WindowStart | StageColumn::WindowEnd => true,
                StageColumn::Companion(place) => plan.companions[place].input_index().is_some_and(of_row),
                StageColumn::Call(place) => {
                    let call = &plan.calls[place];
                    matches!(call.name(), "first" | "last" | "last_row") && call.arguments().first().and_then(BoundExpr::input_index).is_some_and(of_row)
                }
                _ => false,
            },
            Stage::Series(plan) => matches!(plan.columns[index], StageColumn::Companion(place) if plan.companions[place].input_index().is_some_and(of_row)),
            Stage::Interp(plan) => plan.columns[index] == StageColumn::InterpTimestamp,
        }
    };
    select.items[..select.shown].iter().position(is_timeline)
}
