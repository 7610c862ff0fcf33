//! Whatever tree is shown as SQL parses to the same tree, and no text makes the parser panic.
#![allow(clippy::unwrap_used, reason = "a test stops at the first fault")]

use embudo_sql::{
    ast::{
        ObjectName, Statement,
        administration::{Grant, PrivilegeLevel, Privileges},
        database::{DatabaseOption, IntegerOption, KeepTime},
        expr::{BinaryOp, Expr, Literal, PseudoColumn},
        query::{Fill, Join, JoinKind, JoinSide, Limit, PartitionItem, Query, QueryBody, Select, SelectItem, SortItem, TableRef, Window, WindowDuration},
        statement::InsertSelect,
        table::{AlterAction, AlterTable, ColumnDefinition, ColumnStorage, CreateChildTable, CreateTable, LiteralValue, TableOptions},
    },
    lexer, parse,
};
use embudo_types::{DataType, Duration, DurationUnit};
use proptest::{collection::vec, option, prelude::*, test_runner::TestRunner};

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z_][a-z0-9_]{0,8}",
        1 => "[A-Z `'\"\\\\.涛é-]{1,6}",
    ]
}

/// A name that is being made: no point in it.
fn new_name() -> impl Strategy<Value = String> {
    name().prop_map(|name| name.replace('.', "_"))
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-zA-Z0-9 ]{0,8}", 1 => "[\\\\'\"%_xnt`\n涛😀;-]{0,8}"]
}

fn object() -> impl Strategy<Value = ObjectName> {
    (option::of(name()), name()).prop_map(|(database, name)| ObjectName { database, name })
}

fn new_object() -> impl Strategy<Value = ObjectName> {
    (option::of(name()), new_name()).prop_map(|(database, name)| ObjectName { database, name })
}

fn duration() -> impl Strategy<Value = Duration> {
    let unit = prop_oneof![Just(DurationUnit::Second), Just(DurationUnit::Minute), Just(DurationUnit::Month), Just(DurationUnit::Millisecond)];
    (0_i64..1_000_000, unit).prop_map(|(value, unit)| Duration { value, unit })
}

fn window_duration() -> impl Strategy<Value = WindowDuration> {
    prop_oneof![duration().prop_map(WindowDuration::Duration), (1_i64..1_000_000).prop_map(WindowDuration::Ticks)]
}

fn number() -> impl Strategy<Value = Literal> {
    prop_oneof![
        any::<i64>().prop_map(Literal::Integer),
        (0_i64..10).prop_map(Literal::Integer),
        ((1_u64 << 63)..).prop_map(Literal::Unsigned),
        any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(Literal::Double),
    ]
}

fn literal() -> impl Strategy<Value = Expr> {
    prop_oneof![
        number(),
        Just(Literal::Null),
        any::<bool>().prop_map(Literal::Bool),
        text().prop_map(Literal::String),
        text().prop_map(Literal::Timestamp),
        duration().prop_map(Literal::Duration),
    ]
    .prop_map(Expr::Literal)
}

fn column() -> impl Strategy<Value = Expr> {
    (option::of(name()), name()).prop_map(|(table, name)| Expr::Column { table, name })
}

fn data_type() -> impl Strategy<Value = DataType> {
    prop_oneof![
        Just(DataType::Bool),
        Just(DataType::UTinyInt),
        Just(DataType::Int),
        Just(DataType::UBigInt),
        Just(DataType::Double),
        Just(DataType::Timestamp),
        Just(DataType::Blob),
        (1_u8..=38).prop_map(|precision| DataType::Decimal(precision, precision / 2)),
        (1_u32..100).prop_map(DataType::Varchar),
        (1_u32..100).prop_map(DataType::NChar),
        (1_u32..100).prop_map(DataType::Geometry),
    ]
}

/// Values, and conditions where `conditions`.
fn expression(conditions: bool) -> BoxedStrategy<Expr> {
    value(3, conditions)
}

fn value(depth: u32, conditions: bool) -> BoxedStrategy<Expr> {
    let pseudo = option::of(name()).prop_map(|table| Expr::Pseudo { table, column: PseudoColumn::TableName, text: "tbname".into() });
    let leaf = prop_oneof![
        literal(),
        column(),
        pseudo,
        Just(Expr::Pseudo { table: None, column: PseudoColumn::WindowStart, text: "_wstart".into() }),
        Just(Expr::Function { name: "now".into(), arguments: Vec::new() }),
        (column(), text()).prop_map(|(json, key)| Expr::JsonGet { json: Box::new(json), key }),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let deeper = move || value(depth - 1, false).prop_map(Box::new);
    let either = move || value(depth - 1, true);
    let arithmetic = prop_oneof![
        Just(BinaryOp::BitAnd),
        Just(BinaryOp::BitOr),
        Just(BinaryOp::Add),
        Just(BinaryOp::Subtract),
        Just(BinaryOp::Multiply),
        Just(BinaryOp::Divide),
        Just(BinaryOp::Modulo)
    ];
    let values = prop_oneof![
        2 => leaf,
        1 => deeper().prop_map(Expr::Negate),
        3 => (arithmetic, deeper(), deeper()).prop_map(|(op, left, right)| Expr::Binary { op, left, right }),
        1 => ("(sum|avg|last|count|to_char)", vec(value(depth - 1, false), 1..3)).prop_map(|(name, arguments)| Expr::Function { name, arguments }),
        1 => (option::of(either()), vec((either(), either()), 1..3), option::of(either())).prop_map(|(operand, branches, otherwise)| Expr::Case {
            operand: operand.map(Box::new),
            branches,
            otherwise: otherwise.map(Box::new)
        }),
        1 => (either(), data_type()).prop_map(|(expr, data_type)| {
            let length_given = matches!(data_type, DataType::Varchar(_) | DataType::NChar(_) | DataType::Geometry(_) | DataType::Decimal(..));
            Expr::Cast { expr: Box::new(expr), data_type, length_given }
        }),
    ];
    if conditions { prop_oneof![values, condition(depth)].boxed() } else { values.boxed() }
}

fn condition(depth: u32) -> BoxedStrategy<Expr> {
    let value = move || value(depth.saturating_sub(1), false).prop_map(Box::new);
    let comparison = prop_oneof![Just(BinaryOp::Equal), Just(BinaryOp::NotEqual), Just(BinaryOp::Less), Just(BinaryOp::GreaterEqual)];
    let predicate = prop_oneof![
        (comparison, value(), value()).prop_map(|(op, left, right)| Expr::Binary { op, left, right }),
        (value(), value(), any::<bool>()).prop_map(|(expr, pattern, negated)| Expr::Like { expr, pattern, negated }),
        (value(), value(), any::<bool>()).prop_map(|(expr, pattern, negated)| Expr::Match { expr, pattern, negated }),
        (value(), value(), value(), any::<bool>()).prop_map(|(expr, low, high, negated)| Expr::Between { expr, low, high, negated }),
        (value(), vec(literal(), 1..4), any::<bool>()).prop_map(|(expr, list, negated)| Expr::InList { expr, list, negated }),
        (value(), any::<bool>()).prop_map(|(expr, negated)| Expr::IsNull { expr, negated }),
        (column(), text()).prop_map(|(json, key)| Expr::Contains { json: Box::new(json), key }),
    ];
    if depth == 0 {
        return predicate.boxed();
    }
    let deeper = move || condition(depth - 1).prop_map(Box::new);
    let logic = prop_oneof![Just(BinaryOp::And), Just(BinaryOp::Or)];
    prop_oneof![
        2 => predicate,
        1 => deeper().prop_map(Expr::Not),
        2 => (logic, deeper(), deeper()).prop_map(|(op, left, right)| Expr::Binary { op, left, right }),
    ]
    .boxed()
}

fn limit() -> impl Strategy<Value = Limit> {
    (0_i64..100, 0_i64..10).prop_map(|(count, offset)| Limit { count, offset })
}

/// The text that the parser finds for an item: its spelling without a backtick at either end.
fn item_text(expr: &Expr) -> String {
    let shown = lexer::fold(&expr.to_string());
    let star = matches!(expr, Expr::Star { .. });
    let start = usize::from(shown.starts_with('`'));
    let end = shown.len() - usize::from(shown.ends_with('`') && !star);
    let mut end = end.min(start + 64);
    while !shown.is_char_boundary(end) {
        end -= 1;
    }
    shown[start..end].to_owned()
}

fn select_item() -> impl Strategy<Value = SelectItem> {
    let star =
        option::of(name()).prop_map(|table| SelectItem { text: item_text(&Expr::Star { table: table.clone() }), expr: Expr::Star { table }, alias: None });
    let plain = (expression(true), option::of(name())).prop_map(|(expr, alias)| SelectItem { text: item_text(&expr), expr, alias });
    prop_oneof![1 => star, 5 => plain]
}

fn window() -> impl Strategy<Value = Window> {
    prop_oneof![
        (window_duration(), option::of(window_duration()), option::of(window_duration())).prop_map(|(interval, offset, sliding)| Window::Interval {
            interval,
            offset,
            sliding
        }),
        (column(), window_duration()).prop_map(|(column, gap)| Window::Session { column, gap }),
        value(1, false).prop_map(Window::State),
        (condition(1), condition(1)).prop_map(|(start, end)| Window::Event { start, end }),
        (2_i64..9, option::of(1_i64..3)).prop_map(|(count, sliding)| Window::Count { count, sliding }),
    ]
}

fn fill() -> impl Strategy<Value = Fill> {
    prop_oneof![
        Just(Fill::None),
        Just(Fill::Previous),
        any::<bool>().prop_map(|forced| Fill::Null { forced }),
        (vec(literal(), 1..3), any::<bool>()).prop_map(|(values, forced)| Fill::Value { values, forced }),
    ]
}

fn table_ref(depth: u32) -> BoxedStrategy<TableRef> {
    let table = (option::of(name()), name(), option::of(name())).prop_map(|(database, name, alias)| TableRef::Table { database, name, alias });
    if depth == 0 {
        return table.boxed();
    }
    let subquery = (query(depth - 1), option::of(name())).prop_map(|(query, alias)| TableRef::Subquery { query: Box::new(query), alias });
    let side = prop_oneof![Just(JoinSide::Inner), Just(JoinSide::Left), Just(JoinSide::Full)];
    let kind = prop_oneof![Just(JoinKind::Plain), Just(JoinKind::Asof), Just(JoinKind::Window)];
    let join = (table_ref(depth - 1), table_ref(depth - 1), side, kind, option::of(condition(1)), option::of((duration(), duration())), option::of(0_i64..9))
        .prop_map(|(left, right, side, kind, on, window_offset, limit)| TableRef::Join(Box::new(Join { left, right, side, kind, on, window_offset, limit })));
    prop_oneof![4 => table, 1 => subquery, 1 => join].boxed()
}

fn select(depth: u32) -> impl Strategy<Value = Select> {
    let head = (any::<bool>(), any::<bool>(), vec(select_item(), 1..4), table_ref(depth), option::of(expression(true)));
    let partition = vec((value(1, false), option::of(name())).prop_map(|(expr, alias)| PartitionItem { expr, alias }), 0..3);
    let tail = (partition, option::of((fill(), window())), vec(value(1, false), 0..3), option::of(condition(1)));
    (head, tail).prop_map(|((distinct, tags_only, items, from, filter), (partition_by, window, group_by, having))| {
        let (fill, window) = match window {
            Some((fill, window @ Window::Interval { .. })) => (Some(fill), Some(window)),
            Some((_, window)) => (None, Some(window)),
            None => (None, None),
        };
        Select { distinct, tags_only, items, from: Some(from), filter, partition_by, fill, window, group_by, having, ..Select::default() }
    })
}

fn query(depth: u32) -> BoxedStrategy<Query> {
    let clauses = || {
        let sort =
            (value(1, false), any::<bool>(), option::of(any::<bool>())).prop_map(|(expr, descending, nulls_first)| SortItem { expr, descending, nulls_first });
        (vec(sort, 0..3), option::of(limit()), option::of(limit()))
    };
    let single =
        (select(depth), clauses()).prop_map(|(select, (order_by, slimit, limit))| Query { body: QueryBody::Select(Box::new(select)), order_by, slimit, limit });
    if depth == 0 {
        return single.boxed();
    }
    let union = (query(depth - 1), query(depth - 1), any::<bool>(), clauses()).prop_map(|(left, right, all, (order_by, slimit, limit))| Query {
        body: QueryBody::Union { left: Box::new(left), right: Box::new(right), all },
        order_by,
        slimit,
        limit,
    });
    prop_oneof![3 => single, 1 => union].boxed()
}

fn literal_value() -> impl Strategy<Value = LiteralValue> {
    prop_oneof![
        Just(LiteralValue::Null),
        any::<bool>().prop_map(LiteralValue::Bool),
        "-?[0-9]{1,12}(\\.[0-9]{1,3})?|0x[0-9a-f]{1,4}|0b[01]{1,4}".prop_map(LiteralValue::Number),
        text().prop_map(LiteralValue::String),
        Just(LiteralValue::Today),
        "(california|x1)(\\.[a-z]{4}q)?".prop_map(LiteralValue::Word),
        (duration(), any::<bool>()).prop_map(|(offset, negative)| {
            let value = if negative { -offset.value - 1 } else { offset.value };
            LiteralValue::Shifted { base: Box::new(LiteralValue::Now), offset: Duration { value, ..offset } }
        }),
    ]
}

fn storage() -> impl Strategy<Value = ColumnStorage> {
    (option::of(text()), option::of(text()), option::of(text())).prop_map(|(encode, compress, level)| ColumnStorage { encode, compress, level })
}

fn column_definition() -> impl Strategy<Value = ColumnDefinition> {
    (name(), data_type(), any::<bool>(), storage()).prop_map(|(name, data_type, primary_key, storage)| ColumnDefinition {
        name,
        data_type,
        primary_key,
        storage,
    })
}

fn tag_definition() -> impl Strategy<Value = ColumnDefinition> {
    (name(), data_type()).prop_map(|(name, data_type)| ColumnDefinition { name, data_type, primary_key: false, storage: ColumnStorage::default() })
}

fn table_options() -> impl Strategy<Value = TableOptions> {
    (option::of(text()), option::of(0_i64..100), vec(name(), 0..3), vec(duration(), 0..3)).prop_map(|(comment, ttl, sma, watermark)| TableOptions {
        comment,
        ttl,
        sma,
        watermark,
        ..TableOptions::default()
    })
}

fn alter_action() -> impl Strategy<Value = AlterAction> {
    prop_oneof![
        (option::of(text()), 0_i64..9).prop_map(|(comment, ttl)| AlterAction::Options(TableOptions { comment, ttl: Some(ttl), ..TableOptions::default() })),
        (name(), data_type(), storage()).prop_map(|(name, data_type, storage)| AlterAction::AddColumn(ColumnDefinition {
            name,
            data_type,
            primary_key: false,
            storage
        })),
        name().prop_map(AlterAction::DropColumn),
        (name(), data_type()).prop_map(|(name, data_type)| AlterAction::ModifyColumn { name, data_type }),
        (name(), text())
            .prop_map(|(name, level)| AlterAction::ModifyStorage { name, storage: ColumnStorage { level: Some(level), ..ColumnStorage::default() } }),
        (name(), name()).prop_map(|(from, to)| AlterAction::RenameTag { from, to }),
        (name(), literal_value()).prop_map(|(name, value)| AlterAction::SetTag { name, value }),
    ]
}

fn database_option() -> impl Strategy<Value = DatabaseOption> {
    let keep = || prop_oneof![(0_i64..9999).prop_map(KeepTime::Days), duration().prop_map(KeepTime::Duration)];
    prop_oneof![
        (proptest::sample::select(IntegerOption::ALL), 0_i64..9999).prop_map(|(option, value)| DatabaseOption::Integer(option, value)),
        Just(DatabaseOption::Integer(IntegerOption::WalRetentionPeriod, -1)),
        text().prop_map(DatabaseOption::Precision),
        keep().prop_map(DatabaseOption::Duration),
        vec(keep(), 1..4).prop_map(DatabaseOption::Keep),
    ]
}

fn statement() -> impl Strategy<Value = Statement> {
    let privilege_level = prop_oneof![
        Just(PrivilegeLevel::Everything),
        name().prop_map(PrivilegeLevel::Database),
        (name(), name()).prop_map(|(database, table)| PrivilegeLevel::Table { database, table }),
    ];
    prop_oneof![
        query(1).prop_map(|query| Statement::Query(Box::new(query))),
        (object(), vec(name(), 0..3), query(0)).prop_map(|(table, columns, query)| Statement::InsertSelect(Box::new(InsertSelect { table, columns, query }))),
        (object(), option::of(condition(2))).prop_map(|(table, filter)| Statement::Delete { table, filter }),
        (new_object(), any::<bool>(), vec(column_definition(), 1..4), vec(tag_definition(), 0..3), table_options()).prop_map(
            |(name, if_not_exists, columns, tags, options)| Statement::CreateTable(Box::new(CreateTable { name, if_not_exists, columns, tags, options }))
        ),
        vec(
            (any::<bool>(), new_object(), object(), vec(name(), 0..3), vec(literal_value(), 1..4), option::of(0_i64..99)).prop_map(
                |(if_not_exists, name, supertable, tag_names, values, ttl)| CreateChildTable {
                    if_not_exists,
                    name,
                    supertable,
                    tag_names,
                    values,
                    options: TableOptions { ttl, ..TableOptions::default() }
                }
            ),
            1..4
        )
        .prop_map(Statement::CreateChildTables),
        (object(), any::<bool>(), alter_action()).prop_map(|(name, supertable, action)| Statement::AlterTable(Box::new(AlterTable {
            name,
            supertable,
            action
        }))),
        (new_name(), any::<bool>(), vec(database_option(), 0..5)).prop_map(|(name, if_not_exists, options)| Statement::CreateDatabase {
            name,
            if_not_exists,
            options
        }),
        (privilege_level, option::of(condition(1)), "[a-z]{1,9}").prop_map(|(level, condition, user)| Statement::Grant(Box::new(Grant {
            privileges: Privileges::All,
            level,
            condition,
            user
        }))),
    ]
}

#[test]
fn what_is_shown_parses_to_the_same_tree() {
    // Trees of trees of strategies need more stack than a test's thread has.
    let run = || {
        let mut runner = TestRunner::new(ProptestConfig { cases: 1_000, ..ProptestConfig::default() });
        let result = runner.run(&statement(), |statement| {
            let sql = statement.to_string();
            match parse(&sql) {
                Ok(parsed) => prop_assert_eq!(parsed, statement, "{}", sql),
                Err(error) => prop_assert!(false, "{} of {}", error, sql),
            }
            Ok(())
        });
        result.unwrap();
    };
    std::thread::Builder::new().stack_size(32 << 20).spawn(run).unwrap().join().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(sql in "(SELECT|CREATE|INSERT INTO|SHOW|ALTER)?( ?(\\(|\\)|,|'|\"|`|[a-z]{1,3}|[0-9.]{1,3}|-|/\\*|\\\\|é|FROM|TABLE|USING|VALUES|CASE|NOT)){0,12}") {
        let _ = parse(&sql);
        let _ = lexer::fold(&sql);
    }
}

/// Statements of every family: shown and parsed again they are the same.
#[test]
fn every_family_round_trips() {
    for sql in include_str!("statements.sql").lines().filter(|line| !line.is_empty() && !line.starts_with("--")) {
        let statement = parse(sql).unwrap_or_else(|error| panic!("{error} of {sql}"));
        let shown = statement.to_string();
        let again = parse(&shown).unwrap_or_else(|error| panic!("{error} of {shown}"));
        assert_eq!(again.to_string(), shown, "{sql}");
        if !shown.contains("SELECT") {
            assert_eq!(again, statement, "{sql}");
        }
    }
}

#[test]
fn depth_and_length_are_bounded() {
    for sql in [
        format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("SELECT {}1", "- ".repeat(200_000)),
        format!("SELECT {}1", "CASE WHEN ".repeat(50_000)),
        format!("SELECT {}1", "f(".repeat(100_000)),
        format!("SELECT * FROM {}t", "(SELECT * FROM ".repeat(30_000)),
        format!("SELECT 1{}", " + 1".repeat(100_000)),
        format!("SELECT 1{}", " UNION SELECT 1".repeat(50_000)),
        format!("SELECT * FROM t{}", ",t".repeat(100_000)),
        format!("SELECT {}", " ".repeat(2_000_000)),
    ] {
        assert!(parse(&sql).is_err());
    }
    let sql = format!("SELECT * FROM t WHERE a = 1{}", " OR a = 1".repeat(90_000));
    let shown = parse(&sql).unwrap().to_string();
    assert_eq!(parse(&shown).map(|statement| statement.to_string()), Ok(shown));
}
