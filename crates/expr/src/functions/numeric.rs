//! Numeric functions. An argument is any number, not BOOL or TIMESTAMP; a bare NULL is accepted and gives NULL.

use embudo_types::{DataType, Result};

use super::kernels::{Double, Doubles};
use super::{Function, FunctionCall, invalid_type};
use crate::BoundExpr;
use crate::binder::null_of;

macro_rules! double_function {
    ($name:literal, $doc:literal, $function:expr) => {
        Function { name: $name, arguments: (1, 1), doc: $doc, bind: |call| double(call, $function) }
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "abs", arguments: (1, 1), doc: "Absolute value.", bind: |call| same_type(call, f64::abs) },
    Function { name: "ceil", arguments: (1, 1), doc: "Smallest integer that is not less.", bind: |call| same_type(call, f64::ceil) },
    Function { name: "floor", arguments: (1, 1), doc: "Largest integer that is not greater.", bind: |call| same_type(call, f64::floor) },
    Function { name: "round", arguments: (1, 1), doc: "Nearest integer, halves away from zero.", bind: |call| same_type(call, f64::round) },
    double_function!("sqrt", "Square root; NULL of negatives.", f64::sqrt),
    double_function!("sin", "Sine of radians.", f64::sin),
    double_function!("cos", "Cosine of radians.", f64::cos),
    double_function!("tan", "Tangent of radians.", f64::tan),
    double_function!("asin", "Arc sine; NULL outside -1 to 1.", f64::asin),
    double_function!("acos", "Arc cosine; NULL outside -1 to 1.", f64::acos),
    double_function!("atan", "Arc tangent.", f64::atan),
    double_function!("exp", "e to the power.", f64::exp),
    double_function!("ln", "Natural logarithm.", f64::ln),
    double_function!("degrees", "Degrees of radians.", f64::to_degrees),
    double_function!("radians", "Radians of degrees.", f64::to_radians),
    Function { name: "sign", arguments: (1, 1), doc: "-1, 0 or 1.", bind: |call| same_type(call, |value| if value == 0.0 { 0.0 } else { value.signum() }) },
    Function { name: "mod", arguments: (2, 2), doc: "Remainder; NULL of a division by zero.", bind: |call| doubles(call, |value, by| value % by) },
    Function { name: "atan2", arguments: (2, 2), doc: "Angle of a point given as y, x.", bind: |call| doubles(call, f64::atan2) },
    Function {
        name: "truncate",
        arguments: (2, 2),
        doc: "Cut after so many decimals; negative ones cut before the point.",
        bind: |call| decimals(call, f64::trunc),
    },
    Function {
        name: "trunc",
        arguments: (2, 2),
        doc: "Cut after so many decimals; negative ones cut before the point.",
        bind: |call| decimals(call, f64::trunc),
    },
    Function { name: "log", arguments: (1, 2), doc: "Natural logarithm, or to a base.", bind: log },
    Function { name: "pow", arguments: (2, 2), doc: "Power.", bind: |call| doubles(call, f64::powf) },
];

fn check_numbers(call: &FunctionCall<'_>) -> Result<()> {
    call.check(|data_type| data_type.is_numeric() || data_type == DataType::Null)
}

fn double(call: FunctionCall<'_>, function: fn(f64) -> f64) -> Result<BoundExpr> {
    check_numbers(&call)?;
    let FunctionCall { binder, mut arguments, name, .. } = call;
    let argument = binder.to_type(arguments.pop().ok_or_else(|| invalid_type(name))?, DataType::Double)?;
    binder.call(Double(function), vec![argument], DataType::Double)
}

fn doubles(call: FunctionCall<'_>, function: fn(f64, f64) -> f64) -> Result<BoundExpr> {
    check_numbers(&call)?;
    let FunctionCall { binder, arguments, .. } = call;
    let arguments = arguments.into_iter().map(|argument| binder.to_type(argument, DataType::Double)).collect::<Result<Vec<_>>>()?;
    binder.call(Doubles(function), arguments, DataType::Double)
}

fn log(call: FunctionCall<'_>) -> Result<BoundExpr> {
    if call.arguments.len() == 1 { double(call, f64::ln) } else { doubles(call, |value, base| if base > 0.0 { value.ln() / base.ln() } else { f64::NAN }) }
}

/// Integers stay as they are (save their sign), FLOAT and DOUBLE are computed; the type stays.
fn same_type(call: FunctionCall<'_>, function: fn(f64) -> f64) -> Result<BoundExpr> {
    check_numbers(&call)?;
    let (absolute, sign) = (call.name == "abs", call.name == "sign");
    let FunctionCall { binder, mut arguments, name, .. } = call;
    let argument = arguments.pop().ok_or_else(|| invalid_type(name))?;
    match argument.data_type() {
        DataType::Null => Ok(null_of(DataType::BigInt)),
        data_type if data_type.is_integer() && !sign && (data_type.is_unsigned() || !absolute) => Ok(argument),
        data_type if data_type.is_signed() && absolute => binder.call(super::kernels::AbsoluteInteger, vec![argument], data_type),
        data_type => {
            let argument = binder.to_type(argument, DataType::Double)?;
            let result = binder.call(Double(function), vec![argument], DataType::Double)?;
            binder.to_type(result, data_type)
        }
    }
}

/// A function applied at a decimal place, the type kept.
fn decimals(call: FunctionCall<'_>, function: fn(f64) -> f64) -> Result<BoundExpr> {
    check_numbers(&call)?;
    let data_type = if call.data_type(0) == DataType::Null { DataType::Double } else { call.data_type(0) };
    let at_place = move |value: f64, place: f64| {
        let unit = 10_f64.powf(place.trunc());
        if unit.is_finite() && unit > 0.0 { function(value * unit) / unit } else { value }
    };
    let FunctionCall { binder, arguments, .. } = call;
    let arguments = arguments.into_iter().map(|argument| binder.to_type(argument, DataType::Double)).collect::<Result<Vec<_>>>()?;
    let result = binder.call(Doubles(at_place), arguments, DataType::Double)?;
    binder.to_type(result, data_type)
}
