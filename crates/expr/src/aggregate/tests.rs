//! Aggregates fed in pieces and merged give what one pass gives; results a function.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Float64Array, Int32Array, cast::AsArray, types::Float64Type};
use embudo_sql::ast::expr::{Expr, Literal};
use embudo_types::{ColumnStatistics, DataType, Precision, Result, Value};
use proptest::prelude::*;

use super::{AggregateInput, BoundAggregate, Kind, Run, all, bind, lookup};
use crate::{BindContext, Binder, Input, Scope, value_at};

/// One column `x` of a type.
struct Column(DataType);

impl Scope for Column {
    fn resolve(&self, expr: &Expr) -> Result<Option<Input>> {
        let column = matches!(expr, Expr::Column { .. }).then_some(Input { index: 0, data_type: self.0, precision: Precision::Milli });
        Ok(column)
    }
}

fn column() -> Expr {
    Expr::Column { table: None, name: "x".into() }
}

fn integer(value: i64) -> Expr {
    Expr::Literal(Literal::Integer(value))
}

fn bound(name: &str, data_type: DataType, more: &[Expr]) -> BoundAggregate {
    let arguments: Vec<Expr> = std::iter::once(column()).chain(more.iter().cloned()).collect();
    bind(&Binder::new(&BindContext::default(), &Column(data_type)), lookup(name).unwrap(), &arguments).unwrap()
}

/// Parameters that a function needs beside the column.
fn parameters(name: &str) -> Vec<Expr> {
    let text = |text: &str| Expr::Literal(Literal::String(text.into()));
    match name {
        "top" | "bottom" | "tail" | "sample" => vec![integer(2)],
        "percentile" | "apercentile" => vec![integer(50)],
        "leastsquares" => vec![integer(1), integer(1)],
        "histogram" => vec![text("user_input"), text("[-10, 0, 10]"), integer(0)],
        _ => Vec::new(),
    }
}

/// Values of group 0 over rows of one group, fed up to `split` by one state and the rest by another that is merged.
fn results(bound: &BoundAggregate, array: &ArrayRef, split: Option<usize>) -> Vec<Value> {
    let times: Vec<i64> = (0..array.len() as i64).map(|row| row * 1_000).collect();
    let feed = |start: usize, end: usize| {
        let mut state = bound.create(&[]).unwrap();
        state.resize(1);
        let (array, times) = (array.slice(start, end - start), &times[start..end]);
        let run = Run { group: 0, start: 0, end: (end - start) as u32 };
        state.update(&AggregateInput { timestamps: times, arguments: &[array], companions: &[], windows: &[] }, &[run]).unwrap();
        state
    };
    let mut state = feed(0, split.unwrap_or(array.len()));
    if let Some(split) = split {
        let mut rest = feed(split, array.len());
        state.merge(&mut *rest, &[0]).unwrap();
    }
    let array = if bound.kind() == Kind::Rows { state.finish_rows().unwrap().1 } else { state.finish().unwrap() };
    (0..array.len()).map(|row| value_at(&array, bound.data_type(), row)).collect()
}

fn near(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Double(left), Value::Double(right)) => (left - right).abs() <= 1e-9 * left.abs().max(right.abs()).max(1.0),
        _ => left == right,
    }
}

proptest! {
    #[test]
    fn merging_is_one_pass(values in prop::collection::vec(prop::option::weighted(0.8, -20_i32..20), 1..60), at in 0.0..1.0) {
        let array: ArrayRef = Arc::new(Int32Array::from(values));
        let split = (array.len() as f64 * at) as usize;
        // A sample is drawn anew, and COLS, GROUP_CONCAT and ELAPSED take other arguments.
        for function in all().filter(|function| !matches!(function.name, "sample" | "cols" | "group_concat" | "elapsed")) {
            let bound = bound(function.name, DataType::Int, &parameters(function.name));
            let (whole, merged) = (results(&bound, &array, None), results(&bound, &array, Some(split)));
            prop_assert!(whole.len() == merged.len() && whole.iter().zip(&merged).all(|(left, right)| near(left, right)), "{}: {:?} {:?}", function.name, whole, merged);
        }
    }
}

#[test]
fn a_row_a_function() {
    let values: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(4.0), Some(4.0), Some(-2.0)]));
    let double = |name: &str| results(&bound(name, DataType::Double, &parameters(name)), &values, None);
    for (name, expected) in [
        ("sum", 7.0),
        ("avg", 1.75),
        ("min", -2.0),
        ("max", 4.0),
        ("spread", 6.0),
        ("first", 1.0),
        ("last", -2.0),
        ("last_row", -2.0),
        ("var_pop", 6.1875),
        ("var_samp", 8.25),
        ("mode", 4.0),
        ("percentile", 2.5),
        ("apercentile", 1.0),
        ("twa", 2.5),
        ("irate", -2.0),
    ] {
        let found = double(name);
        assert!(near(&found[0], &Value::Double(expected)), "{name}: {found:?}");
    }
    assert_eq!(double("count"), [Value::BigInt(4)]);
    assert_eq!(double("hyperloglog"), [Value::BigInt(3)]);
    assert_eq!(double("top"), [Value::Double(4.0), Value::Double(4.0)]);
    assert_eq!(double("bottom"), [Value::Double(1.0), Value::Double(-2.0)]);
    assert_eq!(double("tail"), [Value::Double(-2.0), Value::Double(4.0)]);
    assert_eq!(double("unique"), [Value::Double(1.0), Value::Null, Value::Double(4.0), Value::Double(-2.0)]);
    assert_eq!(double("sample").len(), 2);
    assert_eq!(double("leastsquares"), [Value::Varchar(b"{slop:-0.900000, intercept:4.000000}".to_vec())]);
    assert_eq!(double("histogram")[0], Value::Varchar(br#"{"lower_bin":-10, "upper_bin":0, "count":1}"#.to_vec()));

    let texts: ArrayRef = Arc::new(BinaryArray::from_iter([Some("a"), None, Some("b")]));
    let joined = bound("group_concat", DataType::Varchar(4), &[Expr::Literal(Literal::String("+".into()))]);
    assert_eq!(results(&joined, &texts, None), [Value::Varchar(b"a+b".to_vec())]);
}

#[test]
fn all_null_is_null_and_counts_nothing() {
    let values: ArrayRef = Arc::new(Int32Array::from(vec![None, None]));
    for name in ["sum", "avg", "min", "max", "spread", "stddev", "first", "last", "last_row", "mode", "percentile", "apercentile", "twa", "leastsquares"] {
        assert_eq!(results(&bound(name, DataType::Int, &parameters(name)), &values, None), [Value::Null], "{name}");
    }
    assert_eq!(results(&bound("count", DataType::Int, &[]), &values, None), [Value::BigInt(0)]);
    assert_eq!(results(&bound("irate", DataType::Int, &[]), &values, None), [Value::Double(0.0)]);
    assert_eq!(results(&bound("top", DataType::Int, &[integer(3)]), &values, None), [Value::Null]);
}

#[test]
fn companions_follow_the_first_best_row() {
    let values: ArrayRef = Arc::new(Int32Array::from(vec![Some(3), Some(9), Some(9), None]));
    let companions: [ArrayRef; 1] = [Arc::new(Float64Array::from(vec![0.5, 1.5, 2.5, 3.5]))];
    let mut state = bound("max", DataType::Int, &[]).create(&[(DataType::Double, Precision::Milli)]).unwrap();
    state.resize(2);
    let runs = [Run { group: 1, start: 0, end: 3 }, Run { group: 0, start: 3, end: 4 }];
    state.update(&AggregateInput { timestamps: &[0, 1, 2, 3], arguments: &[values], companions: &companions, windows: &[] }, &runs).unwrap();
    let picked = state.finish_companions().unwrap();
    assert_eq!(picked[0].as_primitive::<Float64Type>().values(), &[3.5, 1.5]);
}

#[test]
fn statistics_stand_for_rows() {
    let statistics = ColumnStatistics {
        count: 3,
        nulls: 1,
        sum: Value::BigInt(12),
        min: Value::Int(1),
        max: Value::Int(8),
        first: Some((5, Value::Int(1))),
        last: Some((9, Value::Int(3))),
    };
    for (name, expected) in [
        ("count", Value::BigInt(3)),
        ("sum", Value::BigInt(12)),
        ("avg", Value::Double(4.0)),
        ("min", Value::Int(1)),
        ("max", Value::Int(8)),
        ("spread", Value::Double(7.0)),
        ("first", Value::Int(1)),
        ("last", Value::Int(3)),
    ] {
        let bound = bound(name, DataType::Int, &[]);
        assert!(bound.takes_statistics(), "{name}");
        let mut state = bound.create(&[]).unwrap();
        state.resize(1);
        assert!(state.update_statistics(0, 4, &statistics).unwrap(), "{name}");
        assert_eq!(value_at(&state.finish().unwrap(), bound.data_type(), 0), expected, "{name}");
    }
    // The newest row's value may be one of the NULLs.
    let mut state = bound("last_row", DataType::Int, &[]).create(&[]).unwrap();
    state.resize(1);
    assert!(!state.update_statistics(0, 4, &statistics).unwrap());
    assert!(!bound("stddev", DataType::Int, &[]).takes_statistics());
}

#[test]
fn refusals() {
    let context = BindContext::default();
    let refused = |name: &str, data_type: DataType, arguments: &[Expr]| match bind(&Binder::new(&context, &Column(data_type)), lookup(name).unwrap(), arguments)
    {
        Ok(_) => panic!("{name}"),
        Err(error) => error.code().0,
    };
    assert_eq!(refused("sum", DataType::Varchar(4), &[column()]), 0x2802);
    assert_eq!(refused("sum", DataType::Bool, &[column()]), 0x2802);
    assert_eq!(refused("sum", DataType::Int, &[column(), column()]), 0x2801);
    assert_eq!(refused("max", DataType::Timestamp, &[column()]), 0x2802);
    assert_eq!(refused("last", DataType::Int, &[Expr::Literal(Literal::Null)]), 0x2802);
    assert_eq!(refused("mode", DataType::Int, &[integer(5)]), 0x2800);
    assert_eq!(refused("percentile", DataType::Int, &[column(), integer(101)]), 0x2803);
    assert_eq!(refused("top", DataType::Int, &[column(), integer(0)]), 0x2803);
}
