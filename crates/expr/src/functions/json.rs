//! `TO_JSON`.

use embudo_types::{DataType, Error, Result, Value, code};

use super::{Function, FunctionCall, invalid_type};
use crate::BoundExpr;
use crate::datum::bytes_of;
use crate::json;

pub(super) const FUNCTIONS: &[Function] = &[Function { name: "to_json", arguments: (1, 1), doc: "The JSON object of a text literal.", bind: to_json }];

fn to_json(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let value = call.constant(0)?;
    if !value.data_type().is_text() {
        return Err(invalid_type(call.name));
    }
    let text = String::from_utf8_lossy(bytes_of(&value).unwrap_or_default()).into_owned();
    if json::members(&text).is_none() {
        return Err(Error::with(code::INVALID_JSON_FORMAT_0221, "Invalid JSON format"));
    }
    let precision = call.binder.context().precision;
    Ok(BoundExpr { data_type: DataType::Json, ..BoundExpr::literal(Value::Json(text), precision) })
}
