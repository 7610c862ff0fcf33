//! `CRC32`, which takes values of every type.

use std::fmt::Write;

use embudo_types::{DataType, Precision, Result, Value, Zone};

use super::kernels::Values;
use super::{Function, FunctionCall};
use crate::BoundExpr;
use crate::datum::bytes_of;

pub(super) const FUNCTIONS: &[Function] =
    &[Function { name: "crc32", arguments: (1, 1), doc: "CRC-32 of a text, or of the text of any other value.", bind: crc32 }];

/// Of whatever is no text the CRC of its text; a time is written as `YYYY-MM-DD HH:MM:SS`, with a fraction where there is one.
fn crc32(mut call: FunctionCall<'_>) -> Result<BoundExpr> {
    let (zone, precision) = (call.binder.context().zone.clone(), call.arguments[0].precision());
    let function = move |values: &[Value]| {
        let text = match &values[0] {
            Value::Null => return Ok(Value::Null),
            Value::Timestamp(ticks) => time_text(*ticks, precision, &zone).into_bytes(),
            Value::Bool(value) => value.to_string().into_bytes(),
            Value::TinyInt(value) => value.to_string().into_bytes(),
            Value::SmallInt(value) => value.to_string().into_bytes(),
            Value::Int(value) => value.to_string().into_bytes(),
            Value::BigInt(value) => value.to_string().into_bytes(),
            Value::UTinyInt(value) => value.to_string().into_bytes(),
            Value::USmallInt(value) => value.to_string().into_bytes(),
            Value::UInt(value) => value.to_string().into_bytes(),
            Value::UBigInt(value) => value.to_string().into_bytes(),
            Value::Float(value) => value.to_string().into_bytes(),
            Value::Double(value) => value.to_string().into_bytes(),
            other => bytes_of(other).unwrap_or_default().to_vec(),
        };
        Ok(Value::UInt(crc32fast::hash(&text)))
    };
    if let DataType::Decimal(digits, _) = call.data_type(0) {
        let text = call.binder.to_type(call.arguments.remove(0), DataType::Varchar(u32::from(digits) + 2))?;
        call.arguments.push(text);
    }
    let precision = call.binder.context().precision;
    call.binder.call(Values { data_type: DataType::UInt, precision, function }, call.arguments, DataType::UInt)
}

fn time_text(ticks: i64, precision: Precision, zone: &Zone) -> String {
    let Some(local) = zone.local(ticks, precision) else { return ticks.to_string() };
    let mut text = local.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let fraction = ticks.rem_euclid(precision.ticks_per_second());
    if fraction != 0 {
        // Writing to a String cannot fail.
        let _ = write!(text, ".{fraction:0width$}", width = precision.digits());
    }
    text
}
