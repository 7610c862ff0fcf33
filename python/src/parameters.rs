//! Python values as parameters. An instant travels as RFC 3339 text: no side but the table's knows its precision.

use embudo_client::literal;
use embudo_types::Value;
use pyo3::{
    prelude::*,
    sync::PyOnceLock,
    types::{PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyMemoryView, PySequence, PyString, PyTuple, PyType},
};

use crate::error::{Outcome, bad_value, misuse};

/// A statement and its values by position: a mapping's `:name` places have become `?`.
pub fn bind(sql: &str, parameters: Option<&Bound<'_, PyAny>>) -> Outcome<(String, Vec<Value>)> {
    let Some(parameters) = parameters.filter(|given| !given.is_none()) else { return Ok((sql.to_owned(), Vec::new())) };
    if let Ok(mapping) = parameters.cast::<PyMapping>() {
        let (sql, names) = literal::positional(sql);
        let values = names.iter().map(|name| {
            let found = mapping.get_item(name).map_err(|_| misuse(format!("no value for the parameter :{name}")))?;
            value(&found)
        });
        let values = values.collect::<Outcome<_>>()?;
        return Ok((sql, values));
    }
    Ok((sql.to_owned(), sequence(parameters)?))
}

/// The values of a sequence of parameters.
pub fn sequence(parameters: &Bound<'_, PyAny>) -> Outcome<Vec<Value>> {
    if let Ok(tuple) = parameters.cast::<PyTuple>() {
        return tuple.iter_borrowed().map(|item| value(&item)).collect();
    }
    if let Ok(list) = parameters.cast::<PyList>() {
        return list.iter().map(|item| value(&item)).collect();
    }
    let is_text = parameters.is_instance_of::<PyString>() || parameters.is_instance_of::<PyBytes>();
    if is_text || parameters.cast::<PySequence>().is_err() && parameters.getattr("__iter__").is_err() {
        return Err(misuse(format!("parameters are a sequence for '?' or a mapping for ':name', not {}", type_name(parameters))));
    }
    parameters.try_iter()?.map(|item| value(&item?)).collect()
}

/// One Python value.
pub fn value(object: &Bound<'_, PyAny>) -> Outcome<Value> {
    if object.is_none() {
        return Ok(Value::Null);
    }
    if object.is_instance_of::<PyString>() {
        return text(object).map(|text| Value::Varchar(text.into_bytes()));
    }
    if let Ok(float) = object.cast::<PyFloat>() {
        return Ok(Value::Double(float.value()));
    }
    if let Ok(boolean) = object.cast::<PyBool>() {
        return Ok(Value::Bool(boolean.is_true()));
    }
    if object.is_instance_of::<PyInt>() {
        return integer(object);
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Value::VarBinary(bytes.as_bytes().to_vec()));
    }
    if object.is_instance_of::<PyByteArray>() || object.is_instance_of::<PyMemoryView>() {
        return Ok(Value::VarBinary(object.call_method0("__bytes__").or_else(|_| object.py().get_type::<PyBytes>().call1((object,)))?.extract()?));
    }
    other(object)
}

/// The rarer classes, and what can be told by name only because its package may be absent.
fn other(object: &Bound<'_, PyAny>) -> Outcome<Value> {
    static DATETIME: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static DATE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = object.py();
    let name = type_name(object);
    let package = name.split('.').next().unwrap_or_default();
    if package == "numpy" {
        return numpy_scalar(object, &name);
    }
    if name.ends_with(".NaTType") || name.ends_with(".NAType") {
        return Ok(Value::Null);
    }
    if object.is_instance(DATETIME.import(py, "datetime", "datetime")?)? {
        return instant(object);
    }
    if object.is_instance(DATE.import(py, "datetime", "date")?)? {
        return Ok(Value::Varchar(text(&object.call_method0("isoformat")?)?.into_bytes()));
    }
    if name == "decimal.Decimal" {
        return decimal(object);
    }
    if name == "uuid.UUID" || package == "pathlib" {
        return Ok(Value::Varchar(text(object.str()?.as_any())?.into_bytes()));
    }
    if object.is_instance_of::<PyDict>() || object.is_instance_of::<PyList>() {
        let json = py.import("json")?.getattr("dumps")?.call1((object,));
        let json = json.map_err(|error| bad_value(format!("a value of type {name} cannot become JSON: {error}")))?;
        return Ok(Value::Json(text(&json)?));
    }
    if object.hasattr("__index__")? {
        return integer(object);
    }
    Err(bad_value(format!("a value of type {name} cannot be a parameter")))
}

fn numpy_scalar(object: &Bound<'_, PyAny>, name: &str) -> Outcome<Value> {
    if name == "numpy.datetime64" {
        let shown = text(object.str()?.as_any())?;
        return Ok(if shown == "NaT" { Value::Null } else { Value::Varchar(format!("{}Z", full_time(&shown)).into_bytes()) });
    }
    let item = object.call_method0("item")?;
    if type_name(&item).starts_with("numpy.") {
        return Err(bad_value(format!("a value of type {name} cannot be a parameter")));
    }
    value(&item)
}

/// A date without a time of day takes no zone, so midnight is written out.
fn full_time(shown: &str) -> String {
    if shown.contains('T') { shown.to_owned() } else { format!("{shown}T00:00:00") }
}

/// RFC 3339 with all the digits there are; a naive one has no zone and is read in the session's.
fn instant(object: &Bound<'_, PyAny>) -> Outcome<Value> {
    let shown = text(&object.call_method0("isoformat")?)?;
    // Offsets with seconds exist before standard time only; TDengine's text form has none, so such an instant moves to UTC.
    let offset_at = shown.rfind(['+', '-']).filter(|&at| at > 10);
    if offset_at.is_some_and(|at| shown.len() - at > 6) {
        let utc = object.py().import("datetime")?.getattr("timezone")?.getattr("utc")?;
        return instant(&object.call_method1("astimezone", (utc,))?);
    }
    // The text form ends at twelve hours on either side.
    if offset_at.is_some_and(|at| &shown[at + 1..] > "12:00") {
        let utc = object.py().import("datetime")?.getattr("timezone")?.getattr("utc")?;
        return instant(&object.call_method1("astimezone", (utc,))?);
    }
    Ok(Value::Varchar(shown.into_bytes()))
}

fn integer(object: &Bound<'_, PyAny>) -> Outcome<Value> {
    if let Ok(value) = object.extract::<i64>() {
        return Ok(Value::BigInt(value));
    }
    object.extract::<u64>().map(Value::UBigInt).map_err(|_| bad_value("an integer parameter lies outside 64 bits"))
}

fn decimal(object: &Bound<'_, PyAny>) -> Outcome<Value> {
    let parts = object.call_method0("as_tuple")?;
    let Ok(exponent) = parts.getattr("exponent")?.extract::<i32>() else {
        return Err(bad_value("a Decimal parameter must be finite"));
    };
    let digits: Vec<u8> = parts.getattr("digits")?.extract()?;
    let negative = parts.getattr("sign")?.extract::<u8>()? == 1;
    let too_long = || bad_value("a Decimal parameter has more than 38 digits");
    let scale = u8::try_from((-exponent).max(0)).ok().filter(|&scale| scale <= 38).ok_or_else(too_long)?;
    let zeros = usize::try_from(exponent.max(0)).unwrap_or(0);
    let significant = digits.iter().skip_while(|&&digit| digit == 0).count();
    if significant > 0 && significant + zeros > 38 {
        return Err(too_long());
    }
    let unscaled = digits.iter().fold(0_i128, |value, &digit| value * 10 + i128::from(digit));
    let unscaled = if significant == 0 { 0 } else { unscaled * 10_i128.pow(zeros as u32) };
    let precision = (significant + zeros).max(usize::from(scale)).max(1) as u8;
    Ok(Value::Decimal(if negative { -unscaled } else { unscaled }, precision, scale))
}

fn text(object: &Bound<'_, PyAny>) -> Outcome<String> {
    object.extract().map_err(|_| bad_value("a text parameter holds half a surrogate pair, which no UTF-8 can carry"))
}

/// `module.Class`, or `Class` alone for builtins.
pub fn type_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().fully_qualified_name().map_or_else(|_| "an unnamed class".to_owned(), |name| name.to_string())
}
