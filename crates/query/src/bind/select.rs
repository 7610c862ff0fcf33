//! One SELECT: keys, stage, select list, HAVING, FILL and its sort keys.

use embudo_expr::aggregate::Kind;
use embudo_expr::{BindContext, Binder, BoundExpr, Input, Scope};
use embudo_sql::ast::expr::{Expr, Literal, PseudoColumn};
use embudo_sql::ast::query::{Fill, Select, SortItem, Window};
use embudo_storage::TimeRange;
use embudo_types::{Code, DataType, Error, Precision, Result, Value, code};

use super::filter;
use super::from;
use super::interp;
use super::items::{self, Item, by_place};
use super::pushdown;
use super::relation::{ColumnSource, Relation};
use super::scope::{Calls, Found, GroupScope, RowScope, ScopeKey, canonical, gives_rows, has_aggregate, has_interp, not_in_groups, series_call};
use super::window;
use crate::QueryContext;
use crate::array::KeyOrder;
use crate::plan::{AggregatePlan, FillItem, FillMode, FillPlan, Filter, KeyPlan, OutputColumn, SelectPlan, SeriesPlan, Stage, StageColumn, WindowPlan};

/// Most windows that FILL makes.
const MOST_FILLED: usize = 10_000_000;

/// A bound SELECT with its result columns and sort keys.
pub(crate) struct BoundSelect {
    /// The plan.
    pub plan: SelectPlan,
    /// Result columns.
    pub columns: Vec<OutputColumn>,
    /// Sort keys by item.
    pub order: Vec<(usize, KeyOrder)>,
    /// Whether rows come in groups, which LIMIT then counts in.
    pub grouped: bool,
}

/// A key as written and as bound.
struct Key {
    canonical: Expr,
    plan: KeyPlan,
}

/// Binds a SELECT with the ORDER BY that follows it.
pub(crate) fn bind(select: &Select, order_by: &[SortItem], context: &QueryContext) -> Result<BoundSelect> {
    let mut relation = from::bind(select.from.as_ref(), select.filter.as_ref(), context)?;
    let bind_context = context.bind_context(relation.precision);
    let scope = RowScope::new(&relation, code::THERE_MUSTN_T_BE_AGGREGATION);
    let (filter, times) = filter::bind(select.filter.as_ref(), &scope, &bind_context)?;
    let inputs = scope.into_inputs();
    add_query_range(&mut relation, &filter);
    let mut items = items::expand(select, &relation)?;
    let shown = items.len();
    let order = order_items(order_by, &mut items, select, &relation)?;
    if select.fill.is_some() && matches!(select.window, Some(Window::Interval { .. })) {
        // FILL must know each row's window.
        items.push(Item {
            expr: Expr::Pseudo { table: None, column: PseudoColumn::WindowStart, text: "_wstart".into() },
            name: String::new(),
            alias: false,
            named: false,
        });
    }
    let shape = Shape::of(select, &items);
    check_shape(select, &shape, &relation)?;
    let aggregate_code = if shape.aggregate { code::THERE_MUSTN_T_BE_AGGREGATION } else { code::SOME_FUNCTIONS_ARE_ALLOWED_ONLY_IN };
    let rows = RowScope::with_inputs(&relation, inputs, aggregate_code);
    let mut keys = bind_keys(select, &rows, &bind_context)?;
    if shape.aggregate {
        bind_driver(select, &rows, &mut keys)?;
    }
    let grouped = !select.partition_by.is_empty() || !select.group_by.is_empty();
    let bound = match shape {
        Shape { aggregate: true, .. } => bind_aggregate(select, &items, keys, &rows, &bind_context)?,
        Shape { series: Some(_), .. } => bind_series(select, &items, keys, &rows, &bind_context)?,
        Shape { interp: true, .. } => bind_interp(select, &items, keys, &rows, &bind_context)?,
        _ => bind_rows(select, &items, keys, &filter, &rows, &bind_context)?,
    };
    let fill = bind_fill(select, &items[..shown], &items, &bound, &filter, &bind_context)?;
    let inputs = rows.into_inputs();
    let columns = items[..shown].iter().zip(&bound.items).map(|(item, expr)| output(item, expr)).collect();
    let Staged { stage, having, items: expressions } = bound;
    let mut plan = SelectPlan { relation, inputs, filter, stage, having, items: expressions, shown, fill, distinct: select.distinct, hash_order: false };
    pushdown::hand_down(&mut plan, &times);
    Ok(BoundSelect { plan, columns, order, grouped })
}

/// What is bound over the stage.
struct Staged {
    stage: Stage,
    having: Option<BoundExpr>,
    items: Vec<BoundExpr>,
}

/// What kind of query it is.
struct Shape {
    aggregate: bool,
    /// The first series function.
    series: Option<String>,
    interp: bool,
}

impl Shape {
    fn of(select: &Select, items: &[Item]) -> Self {
        let any = |test: &dyn Fn(&Expr) -> bool| items.iter().any(|item| test(&item.expr)) || select.having.as_ref().is_some_and(test);
        let aggregate = any(&has_aggregate) || !select.group_by.is_empty() || select.window.is_some();
        let series = items.iter().map(|item| &item.expr).chain(&select.having).find_map(series_call).map(str::to_owned);
        Self { aggregate, series, interp: any(&has_interp) }
    }
}

fn output(item: &Item, expr: &BoundExpr) -> OutputColumn {
    // A column of NULLs is reported as VARCHAR.
    let data_type = if expr.data_type() == DataType::Null { DataType::Varchar(0) } else { expr.data_type() };
    OutputColumn { name: item.name.clone(), named: item.named, data_type, precision: expr.precision() }
}

/// `_qstart`, `_qend` and `_qduration` as columns that are the same in every row; an open side is NULL.
fn add_query_range(relation: &mut Relation, filter: &Filter) {
    let precision = relation.precision;
    let side = |tick: i64, open: i64| if tick == open { Value::Null } else { Value::Timestamp(tick) };
    let (start, end) = (side(filter.range.start, i64::MIN), side(filter.range.end, i64::MAX));
    let duration = match (&start, &end) {
        (Value::Timestamp(start), Value::Timestamp(end)) => Value::BigInt(end.saturating_sub(*start).saturating_add(1)),
        _ => Value::Null,
    };
    for (name, value, data_type) in [("_qstart", start, DataType::Timestamp), ("_qend", end, DataType::Timestamp), ("_qduration", duration, DataType::BigInt)] {
        let mut column = from::constant_column(value, data_type, precision);
        column.name = Some(name.into());
        relation.columns.push(column);
    }
}

fn check_shape(select: &Select, shape: &Shape, relation: &Relation) -> Result<()> {
    if let Some(name) = &shape.series
        && shape.aggregate
    {
        let windowed = select.window.is_some() || !select.group_by.is_empty();
        return Err(if windowed { not_in_groups(name) } else { Error::new(code::SOME_FUNCTIONS_ARE_ALLOWED_ONLY_IN) });
    }
    if shape.interp && (shape.aggregate || shape.series.is_some()) {
        return Err(Error::new(code::SOME_FUNCTIONS_ARE_ALLOWED_ONLY_IN));
    }
    if !shape.interp {
        interp::check_absent(select)?;
    }
    if shape.series.is_some() || shape.interp {
        if relation.is_system_table() {
            return Err(Error::new(code::FUNCTION_IS_NOT_SUPPORTED_IN_SYSTEM));
        }
        if relation.is_join() && relation.timeline.is_none() {
            return Err(Error::new(code::REQUIRES_VALID_TIME_SERIES_INPUT));
        }
        if relation.timeline.is_none() {
            return Err(Error::new(code::VALID_PRIMARY_TIMESTAMP_REQUIRED));
        }
    }
    if select.window.is_some() && relation.is_system_table() {
        return Err(Error::with(code::IS_NOT_SUPPORTED_IN_SYSTEM_TABLE, "Window is not supported in system table query"));
    }
    if select.window.is_some() && !select.group_by.is_empty() {
        return Err(Error::new(code::GROUP_BY_AND_WINDOW_CLAUSE_CAN));
    }
    if select.having.is_some() && select.group_by.is_empty() && select.partition_by.is_empty() && select.window.is_none() && relation.driver.is_none() {
        return Err(Error::new(code::NOT_A_GROUP_BY_EXPRESSION));
    }
    if select.tags_only && (relation.table().is_none() || relation.columns.iter().all(|column| !matches!(column.source, ColumnSource::Tag(_)))) {
        return Err(Error::new(code::TAGS_CAN_ONLY_APPLIED_TO_SUPER));
    }
    Ok(())
}

fn bind_keys(select: &Select, rows: &RowScope<'_>, context: &BindContext) -> Result<Vec<Key>> {
    let binder = Binder::new(context, rows);
    let mut keys: Vec<Key> = Vec::new();
    for expr in select.partition_by.iter().map(|item| &item.expr).chain(&select.group_by) {
        let bound = binder.bind(expr)?;
        if bound.data_type() == DataType::Json && bound.input_index().is_some() {
            return Err(Error::new(code::JSON_NOT_SUPPORT_IN_GROUP_PARTITION));
        }
        if bound.constant().is_some() {
            continue;
        }
        let canonical = canonical(expr, rows.relation());
        if keys.iter().any(|key| key.canonical == canonical) {
            continue;
        }
        let per_table = rows.relation().table().is_some() && rows.is_per_table(&bound);
        keys.push(Key { canonical, plan: KeyPlan { expr: bound, per_table } });
    }
    Ok(keys)
}

/// Aggregates over a WINDOW join are made for each row of its driving side.
fn bind_driver(select: &Select, rows: &RowScope<'_>, keys: &mut Vec<Key>) -> Result<()> {
    let Some(driver) = &rows.relation().driver else { return Ok(()) };
    if select.window.is_some() || !select.group_by.is_empty() || !select.partition_by.is_empty() {
        return Err(Error::with(code::NOT_SUPPORTED_JOIN_TYPE, code::NO_WINDOW_GROUP_BY_PARTITION_BY.text()));
    }
    keys.push(Key { canonical: by_place(driver.row), plan: KeyPlan { expr: BoundExpr::input(rows.input(driver.row)), per_table: false } });
    Ok(())
}

fn bind_rows(select: &Select, items: &[Item], keys: Vec<Key>, filter: &Filter, rows: &RowScope<'_>, context: &BindContext) -> Result<Staged> {
    let binder = Binder::new(context, rows);
    let bound = items.iter().map(|item| binder.bind(&item.expr)).collect::<Result<Vec<_>>>()?;
    let having = select.having.as_ref().map(|having| binder.bind_condition(having)).transpose()?;
    if select.distinct && bound.iter().any(|expr| expr.data_type() == DataType::Json && expr.input_index().is_some()) {
        return Err(Error::new(code::JSON_NOT_SUPPORT_IN_GROUP_PARTITION));
    }
    let is_super = rows.relation().table().is_some_and(|table| !table.is_single());
    let all_per_table = bound.iter().all(|expr| rows.is_per_table(expr)) && bound.iter().any(|expr| expr.constant().is_none());
    if select.tags_only && !all_per_table {
        return Err(Error::new(code::INVALID_SELECTED_EXPRESSION));
    }
    // Conditions on rows leave out tables that have none such.
    let of_any_row = filter.rows.is_none() && filter.range == TimeRange::ALL;
    let stage = if select.tags_only || (select.distinct && is_super && all_per_table && keys.is_empty() && of_any_row) {
        Stage::Tables
    } else {
        Stage::Rows { keys: keys.into_iter().map(|key| key.plan).collect() }
    };
    Ok(Staged { stage, having, items: bound })
}

fn scope_keys(keys: &[Key]) -> Vec<ScopeKey> {
    keys.iter().map(|key| ScopeKey { canonical: key.canonical.clone(), data_type: key.plan.expr.data_type(), precision: key.plan.expr.precision() }).collect()
}

fn bind_aggregate(select: &Select, items: &[Item], keys: Vec<Key>, rows: &RowScope<'_>, context: &BindContext) -> Result<Staged> {
    let relation = rows.relation();
    let window = select.window.as_ref().map(|window| window::bind(window, rows, context)).transpose()?;
    let mut scope = GroupScope::new(rows, context, Calls::Aggregate, window.is_some(), scope_keys(&keys));
    if let Some(Window::State(state)) = &select.window {
        scope.set_state(state);
    }
    let binder = Binder::new(context, &scope);
    let bound = items.iter().map(|item| binder.bind(&item.expr)).collect::<Result<Vec<_>>>()?;
    let having = select.having.as_ref().map(|having| binder.bind_condition(having)).transpose()?;
    let found = scope.into_found();
    let mut keys: Vec<KeyPlan> = keys.into_iter().map(|key| key.plan).collect();
    check_calls(select, &found, rows)?;
    let mut columns = found.columns;
    let companions = settle_companions(select, &mut columns, &found.companions, &mut keys, &found.aggregates, rows)?;
    let carrier = if companions.is_empty() { None } else { found.aggregates.iter().position(|call| call.kind() != Kind::Value) };
    let many_rows = found.aggregates.iter().any(gives_rows);
    let ordered_window = window.as_ref().is_some_and(|window| !matches!(window, WindowPlan::Interval(_)));
    let time_order = ordered_window || found.aggregates.iter().any(embudo_expr::aggregate::BoundAggregate::needs_time_order);
    let empty_groups = window.is_none() && found.aggregates.iter().any(|call| !call.value_without_rows().is_null()) && keys_outlive_rows(select, &keys, rows);
    let last_cache = window.is_none()
        && companions.is_empty()
        && !found.aggregates.is_empty()
        && found.aggregates.iter().all(|call| matches!(call.name(), "last" | "last_row"));
    let plan = AggregatePlan {
        keys,
        window,
        calls: found.aggregates,
        companions,
        carrier,
        columns,
        many_rows,
        time_order,
        precision: relation.precision,
        empty_groups,
        last_cache,
    };
    Ok(Staged { stage: Stage::Aggregate(plan), having, items: bound })
}

/// Rules on which aggregates may stand together, and where.
fn check_calls(select: &Select, found: &Found, rows: &RowScope<'_>) -> Result<()> {
    let relation = rows.relation();
    if select.window.is_some() && found.aggregates.is_empty() {
        return Err(match found.companions.first() {
            Some((column, _)) => Error::with(code::INVALID_USAGE_OF_EXPR, format!("Invalid usage of expr: {}", relation.columns[*column].label)),
            None => Error::new(code::NO_VALID_FUNCTION_IN_WINDOW_QUERY),
        });
    }
    let many = found.aggregates.iter().filter(|call| gives_rows(call)).count();
    if many > 0 && found.aggregates.len() > 1 {
        return Err(Error::new(code::SOME_FUNCTIONS_ARE_ALLOWED_ONLY_IN));
    }
    for call in &found.aggregates {
        let name = call.name();
        if name == "percentile" && (!relation.is_single_table() || !select.partition_by.is_empty()) {
            return Err(Error::with(code::IS_ONLY_SUPPORTED_IN_SINGLE_TABLE, "percentile is only supported in single table query"));
        }
        if relation.is_system_table() && (call.needs_time_order() || matches!(name, "first" | "last" | "last_row" | "elapsed" | "leastsquares")) {
            return Err(Error::with(code::FUNCTION_IS_NOT_SUPPORTED_IN_SYSTEM, format!("{name} function is not supported in system table query")));
        }
        let is_timeline = |argument: &BoundExpr| argument.input_index().is_some_and(|input| relation.timeline == Some(rows.column_of(input)));
        if name == "elapsed" && relation.timeline.is_some() && !call.arguments().first().is_some_and(is_timeline) {
            return Err(Error::with(code::FUNCTION_SPECIFIC_TEXT, "ELAPSED function should take the primary timestamp column"));
        }
        if call.needs_time_order() && relation.timeline.is_none() {
            return Err(Error::with(code::VALID_PRIMARY_TIMESTAMP_REQUIRED, "Valid primary timestamp required"));
        }
        if matches!(name, "unique" | "tail") && (select.window.is_some() || !select.group_by.is_empty()) {
            return Err(not_in_groups(name));
        }
        if gives_rows(call) && select.window.is_some() && select.fill.as_ref().is_some_and(|fill| *fill != Fill::None) {
            return Err(Error::with(code::FUNCTION_IS_NOT_SUPPORTED_IN_FILL, format!("{name} function is not supported in fill query")));
        }
    }
    Ok(())
}

/// Columns outside of aggregates: those that groups decide become keys, the others follow the one selected row.
fn settle_companions(
    select: &Select,
    columns: &mut [StageColumn],
    companions: &[(usize, Input)],
    keys: &mut Vec<KeyPlan>,
    calls: &[embudo_expr::aggregate::BoundAggregate],
    rows: &RowScope<'_>,
) -> Result<Vec<BoundExpr>> {
    let relation = rows.relation();
    let by_table = keys.iter().any(|key| key.expr.input_index().is_some() && is_table_name(&key.expr, rows));
    let refused = || Error::new(if select.group_by.is_empty() { code::NOT_A_SINGLE_GROUP_GROUP_FUNCTION } else { code::NOT_A_GROUP_BY_EXPRESSION });
    let selectors = calls.iter().filter(|call| call.kind() != Kind::Value).count();
    let mut followers = Vec::new();
    for (place, (column, input)) in companions.iter().enumerate() {
        let is_constant = matches!(relation.columns[*column].source, ColumnSource::Constant(_));
        let drives = relation.driver.as_ref().map(|driver| driver.columns.contains(column));
        if drives == Some(false) {
            return Err(Error::with(code::INVALID_USAGE_OF_EXPR, format!("Invalid usage of expr: {}", relation.columns[*column].label)));
        }
        let settled = if is_constant || drives == Some(true) || (relation.is_per_table(*column) && (by_table || relation.is_single_table())) {
            keys.push(KeyPlan { expr: BoundExpr::input(*input), per_table: relation.table().is_some() });
            StageColumn::Key(keys.len() - 1)
        } else {
            if selectors != 1 || calls.len() != 1 {
                return Err(refused());
            }
            followers.push(BoundExpr::input(*input));
            StageColumn::Companion(followers.len() - 1)
        };
        for known in columns.iter_mut().filter(|known| **known == StageColumn::Companion(place)) {
            *known = settled;
        }
    }
    Ok(followers)
}

fn is_table_name(expr: &BoundExpr, rows: &RowScope<'_>) -> bool {
    let mut found = false;
    expr.visit_inputs(&mut |input| found |= rows.input_source(input) == ColumnSource::TableName);
    found
}

/// Whether a group of existing tables comes out without rows: no keys at all, PARTITION BY tags or name, GROUP BY name.
fn keys_outlive_rows(select: &Select, keys: &[KeyPlan], rows: &RowScope<'_>) -> bool {
    if select.group_by.is_empty() && select.partition_by.is_empty() {
        return true;
    }
    keys.iter().all(|key| key.per_table) && (select.group_by.is_empty() || keys.iter().any(|key| is_table_name(&key.expr, rows)))
}

fn bind_series(select: &Select, items: &[Item], keys: Vec<Key>, rows: &RowScope<'_>, context: &BindContext) -> Result<Staged> {
    // Keys are columns of the row here: companions serve them like any other.
    let scope = GroupScope::new(rows, context, Calls::Series, false, Vec::new());
    let binder = Binder::new(context, &scope);
    let bound = items.iter().map(|item| binder.bind(&item.expr)).collect::<Result<Vec<_>>>()?;
    let having = select.having.as_ref().map(|having| binder.bind_condition(having)).transpose()?;
    let found = scope.into_found();
    if found.series.iter().any(|call| call.name() != found.series[0].name()) {
        return Err(Error::new(code::SOME_FUNCTIONS_ARE_ALLOWED_ONLY_IN));
    }
    let keys = keys.into_iter().map(|key| key.plan).collect();
    let companions = found.companions.iter().map(|(_, input)| BoundExpr::input(*input)).collect();
    let stage = Stage::Series(SeriesPlan { keys, calls: found.series, companions, columns: found.columns });
    Ok(Staged { stage, having, items: bound })
}

fn bind_interp(select: &Select, items: &[Item], mut keys: Vec<Key>, rows: &RowScope<'_>, context: &BindContext) -> Result<Staged> {
    let scope = GroupScope::new(rows, context, Calls::Interp, false, scope_keys(&keys));
    let binder = Binder::new(context, &scope);
    let bound = items.iter().map(|item| binder.bind(&item.expr)).collect::<Result<Vec<_>>>()?;
    let mut found = scope.into_found();
    let by_table = rows.relation().is_single_table() || keys.iter().any(|key| is_table_name(&key.plan.expr, rows));
    for (place, (column, input)) in found.companions.iter().enumerate() {
        if !(by_table && rows.relation().is_per_table(*column)) {
            return Err(Error::new(code::SOME_FUNCTIONS_ARE_ALLOWED_ONLY_IN));
        }
        keys.push(Key { canonical: by_place(*column), plan: KeyPlan { expr: BoundExpr::input(*input), per_table: true } });
        for known in found.columns.iter_mut().filter(|known| **known == StageColumn::Companion(place)) {
            *known = StageColumn::Key(keys.len() - 1);
        }
    }
    let keys = keys.into_iter().map(|key| key.plan).collect();
    Ok(Staged { stage: Stage::Interp(interp::bind(select, keys, found, context)?), having: None, items: bound })
}

/// Sort keys by item; keys that are not in the select list become hidden items.
fn order_items(order_by: &[SortItem], items: &mut Vec<Item>, select: &Select, relation: &Relation) -> Result<Vec<(usize, KeyOrder)>> {
    let shown = items.len();
    let mut order = Vec::with_capacity(order_by.len());
    for key in order_by {
        let by = KeyOrder { descending: key.descending, nulls_first: key.nulls_first.unwrap_or(!key.descending) };
        let place = match &key.expr {
            // A negative number is a constant like any other.
            Expr::Literal(Literal::Integer(..0)) => continue,
            Expr::Literal(Literal::Integer(ordinal)) => match usize::try_from(*ordinal) {
                Ok(ordinal) if (1..=shown).contains(&ordinal) => ordinal - 1,
                _ => return Err(Error::new(code::ORDER_BY_ITEM_MUST_BE_THE)),
            },
            Expr::Literal(_) => continue,
            // Recorded: a column of that name is mistaken for all of them.
            Expr::Column { name, .. } if name == "*" => return Err(Error::new(code::UNEXPECTED_GENERIC_ERROR)),
            Expr::Negate(inner) if matches!(**inner, Expr::Literal(_)) => continue,
            expr => order_item(expr, items, shown, select, relation)?,
        };
        order.push((place, by));
    }
    Ok(order)
}

/// The item that a sort key is; a hidden one where none is.
fn order_item(expr: &Expr, items: &mut Vec<Item>, shown: usize, select: &Select, relation: &Relation) -> Result<usize> {
    if let Some(place) = named_item(expr, &items[..shown], relation)? {
        return Ok(place);
    }
    let expr = with_aliases(expr, &items[..shown]);
    let settled = canonical(&expr, relation);
    if let Some(place) = items.iter().position(|item| canonical(&item.expr, relation) == settled) {
        return Ok(place);
    }
    if select.distinct {
        // A name that does not exist is the greater mistake.
        relation.find(&expr)?;
        return Err(Error::new(code::NOT_SELECTED_EXPRESSION));
    }
    items.push(Item { expr, name: String::new(), alias: false, named: false });
    Ok(items.len() - 1)
}

/// The item that a sort key names by its alias, or by the name that it has without one.
fn named_item(expr: &Expr, items: &[Item], relation: &Relation) -> Result<Option<usize>> {
    let Expr::Column { table: None, name } = expr else { return Ok(None) };
    let is_call = |item: &Item| !item.alias && !item.named && item.name == *name;
    if let (Some(place), Err(_)) = (items.iter().position(is_call), relation.find(expr)) {
        return Ok(Some(place));
    }
    let mut found = items.iter().enumerate().filter(|(_, item)| item.alias && item.name == *name);
    let Some((place, item)) = found.next() else { return Ok(None) };
    let first = canonical(&item.expr, relation);
    if found.any(|(_, other)| canonical(&other.expr, relation) != first) {
        return Err(Error::with(code::ORDER_BY_IS_AMBIGUOUS, format!("ORDER BY \"{name}\" is ambiguous")));
    }
    Ok(Some(place))
}

/// An expression with the aliases in it spelled out.
fn with_aliases(expr: &Expr, items: &[Item]) -> Expr {
    let mut expr = expr.clone();
    expr.replace(&mut |part| match part {
        Expr::Column { table: None, name } => items.iter().find(|item| item.alias && item.name == *name).map(|item| item.expr.clone()),
        _ => None,
    });
    expr
}

/// The window's bounds as the only columns.
struct WindowScope {
    precision: Precision,
}

impl Scope for WindowScope {
    fn resolve(&self, expr: &Expr) -> Result<Option<Input>> {
        let Expr::Pseudo { column, .. } = expr else { return Ok(None) };
        let (index, data_type) = match column {
            PseudoColumn::WindowStart => (0, DataType::Timestamp),
            PseudoColumn::WindowEnd => (1, DataType::Timestamp),
            PseudoColumn::WindowDuration => (2, DataType::BigInt),
            _ => return Ok(None),
        };
        Ok(Some(Input { index, data_type, precision: self.precision }))
    }
}

fn bind_fill(select: &Select, shown: &[Item], items: &[Item], bound: &Staged, filter: &Filter, context: &BindContext) -> Result<Option<FillPlan>> {
    let (Some(Window::Interval { .. }), Some(fill)) = (&select.window, &select.fill) else { return Ok(None) };
    let Stage::Aggregate(AggregatePlan { window: Some(WindowPlan::Interval(grid)), .. }) = &bound.stage else { return Ok(None) };
    let (mode, forced, constants): (FillMode, bool, &[Expr]) = match fill {
        Fill::None => return Ok(None),
        Fill::Null { forced } => (FillMode::Null, *forced, &[]),
        Fill::Previous => (FillMode::Previous, false, &[]),
        Fill::Next => (FillMode::Next, false, &[]),
        Fill::Linear => (FillMode::Linear, false, &[]),
        Fill::Value { values, forced } => (FillMode::Value, *forced, values),
    };
    let too_large = |code: Code| Err(Error::new(code));
    let range = filter.range;
    if range.start == i64::MIN || range.end == i64::MAX {
        return too_large(code::START_END_TIME_OF_QUERY_RANGE);
    }
    if !range.is_empty() && grid.count(grid.first_start(range.start), grid.last_start(range.end), MOST_FILLED + 1) > MOST_FILLED {
        return too_large(code::START_END_TIME_OF_QUERY_RANGE);
    }
    let is_window =
        |part: &Expr| matches!(part, Expr::Pseudo { column: PseudoColumn::WindowStart | PseudoColumn::WindowEnd | PseudoColumn::WindowDuration, .. });
    let mut values = Vec::new();
    if mode == FillMode::Value {
        let types: Vec<(DataType, Precision)> =
            shown.iter().zip(&bound.items).filter(|(item, _)| has_aggregate(&item.expr)).map(|(_, expr)| (expr.data_type(), expr.precision())).collect();
        values = interp::fill_values(constants, &types, context)?;
    }
    let mut values = values.into_iter();
    let scope = WindowScope { precision: context.precision };
    let binder = Binder::new(context, &scope);
    let mut fills = Vec::with_capacity(items.len());
    for item in items {
        fills.push(if has_aggregate(&item.expr) {
            FillItem::Value(values.next().unwrap_or(Value::Null))
        } else if item.expr.any(&is_window) {
            FillItem::Window(binder.bind(&item.expr)?)
        } else {
            FillItem::Partition
        });
    }
    Ok(Some(FillPlan { mode, forced, items: fills, start: items.len() - 1, grid: grid.clone(), range, precision: context.precision }))
}
