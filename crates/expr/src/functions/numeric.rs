//! Numeric functions. An argument is any number, not BOOL or TIMESTAMP; a bare NULL is accepted and gives NULL.

use embudo_types::{DataType, Result};

use super::kernels::{Double, Doubles};
use super::{Function, FunctionCall, invalid_type};
use crate::BoundExpr;
use crate::binder::null_of;
use crate::decimal::{self, DecimalKernel};

macro_rules! double_function {
    ($name:literal, $doc:literal, $function:expr) => {
        Function { name: $name, arguments: (1, 1), doc: $doc, bind: |call| double(call, $function) }
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "abs", arguments: (1, 1), doc: "Absolute value.", bind: |call| same_type(call, f64::abs) },
    Function { name: "ceil", arguments: (1, 1), doc: "Smallest integer that is not less.", bind: |call| same_type(call, f64::ceil) },
    Function { name: "floor", arguments: (1, 1), doc: "Largest integer that is not greater.", bind: |call| same_type(call, f64::floor) },
    Function {
        name: "round",
        arguments: (1, 2),
        doc: "Nearest number with so many decimals, or none; halves away from zero; negative decimals round before the point.",
        bind: round,
    },
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
        bind: |call| at_place(call, f64::trunc),
    },
    Function {
        name: "trunc",
        arguments: (2, 2),
        doc: "Cut after so many decimals; negative ones cut before the point.",
        bind: |call| at_place(call, f64::trunc),
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
        DataType::Decimal(digits, scale) => {
            let function = decimal_function(name, scale);
            let kernel = DecimalKernel { shape: (digits, scale), function: move |cells: &[i128]| decimal::checked(function(cells[0]), digits).map(Some) };
            binder.call(kernel, vec![argument], DataType::Decimal(digits, scale))
        }
        data_type if data_type.is_integer() && !sign && (data_type.is_unsigned() || !absolute) => Ok(argument),
        data_type if data_type.is_signed() && absolute => binder.call(super::kernels::AbsoluteInteger, vec![argument], data_type),
        data_type => {
            let argument = binder.to_type(argument, DataType::Double)?;
            let result = binder.call(Double(function), vec![argument], DataType::Double)?;
            binder.to_type(result, data_type)
        }
    }
}

fn round(call: FunctionCall<'_>) -> Result<BoundExpr> {
    if call.arguments.len() == 1 { same_type(call, f64::round) } else { at_place(call, f64::round) }
}

/// A function applied at a decimal place, the type kept.
fn at_place(call: FunctionCall<'_>, function: fn(f64) -> f64) -> Result<BoundExpr> {
    check_numbers(&call)?;
    let data_type = if call.data_type(0) == DataType::Null { DataType::Double } else { call.data_type(0) };
    let rounded = call.name == "round";
    let FunctionCall { binder, arguments, .. } = call;
    let [value, place] = <[BoundExpr; 2]>::try_from(arguments).map_err(|_| invalid_type(call.name))?;
    if value.data_type() == DataType::Null || place.data_type() == DataType::Null {
        return Ok(null_of(data_type));
    }
    let exact = match data_type {
        DataType::Decimal(digits, scale) => Some((digits, scale)),
        data_type if data_type.is_integer() => Some((20, 0)),
        _ => None,
    };
    let Some(shape) = exact else {
        let arguments = [value, place].into_iter().map(|argument| binder.to_type(argument, DataType::Double)).collect::<Result<Vec<_>>>()?;
        let at_place = move |value: f64, place: f64| {
            let unit = 10_f64.powf(place.trunc());
            let moved = value * unit;
            // Digits that a double does not have need no cutting; a unit of nothing leaves nothing.
            if !moved.is_finite() || unit.is_infinite() {
                value
            } else if unit == 0.0 {
                0.0
            } else {
                function(moved) / unit
            }
        };
        let result = binder.call(Doubles(at_place), arguments, DataType::Double)?;
        return binder.to_type(result, data_type);
    };
    let number = binder.to_type(value, DataType::Decimal(shape.0, shape.1))?;
    let place = binder.to_type(binder.to_type(place, DataType::BigInt)?, DataType::Decimal(19, 0))?;
    let kernel = DecimalKernel { shape, function: move |cells: &[i128]| Ok(Some(decimal_at_place(cells[0], cells[1], shape.1, rounded))) };
    let result = binder.call(kernel, vec![number, place], DataType::Decimal(shape.0, shape.1))?;
    binder.to_type(result, data_type)
}

/// An unscaled number with the digits behind a decimal place made zero.
fn decimal_at_place(value: i128, place: i128, scale: u8, rounded: bool) -> i128 {
    let Ok(places) = u32::try_from(i128::from(scale) - place) else { return value };
    let Some(unit) = 10_i128.checked_pow(places) else { return 0 };
    let rest = value % unit;
    let away = if rounded && rest.abs() >= unit - rest.abs() { value.signum() * unit } else { 0 };
    value - rest + away
}

/// ABS, CEIL, FLOOR, ROUND and SIGN of an unscaled number.
fn decimal_function(name: &str, scale: u8) -> impl Fn(i128) -> i128 + Send + Sync + 'static {
    let unit = 10_i128.pow(u32::from(scale));
    let step = match name {
        "abs" => i128::abs as fn(i128) -> i128,
        "sign" => i128::signum,
        _ => |value| value,
    };
    let whole: fn(i128, i128) -> i128 = match name {
        "ceil" => |value, unit| -(-value).div_euclid(unit) * unit,
        "floor" => |value, unit| value.div_euclid(unit) * unit,
        "sign" => |value, unit| value * unit,
        _ => |value, _| value,
    };
    let rounds = name == "round";
    move |value| if rounds { decimal_at_place(value, 0, scale, true) } else { whole(step(value), unit) }
}
