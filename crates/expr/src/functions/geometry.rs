//! Shapes to text and back; [`super::shapes`] compares them. Shapes are little-endian WKB (OGC 06-103r4), two dimensions.

use std::fmt::Write;

use embudo_sql::literal::wkt_to_wkb;
use embudo_types::{DataType, MAX_VARCHAR, Result, Value};

use super::kernels::{Texts, Values};
use super::{Function, FunctionCall, invalid_type, invalid_value};
use crate::BoundExpr;
use crate::binder::null_of;

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "st_geomfromtext", arguments: (1, 1), doc: "The shape of a well-known text.", bind: from_text },
    Function { name: "st_astext", arguments: (1, 1), doc: "The well-known text of a shape.", bind: as_text },
    Function { name: "st_makepoint", arguments: (2, 2), doc: "The point of two coordinates.", bind: make_point },
];

fn from_text(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let data_type = DataType::Geometry(MAX_VARCHAR);
    if !call.data_type(0).is_text() && call.data_type(0) != DataType::Null {
        return Err(invalid_type(call.name));
    }
    let name = call.name.to_owned();
    let function = move |values: &[Value]| match crate::datum::bytes_of(&values[0]) {
        None => Ok(Value::Null),
        Some(text) => wkt_to_wkb(&String::from_utf8_lossy(text)).map(Value::Geometry).map_err(|_| invalid_value(&name)),
    };
    let precision = call.binder.context().precision;
    call.binder.call(Values { data_type, precision, function }, call.arguments, data_type)
}

fn as_text(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let data_type = DataType::Varchar(MAX_VARCHAR);
    match call.data_type(0) {
        DataType::Geometry(_) => {}
        DataType::Null => return Ok(null_of(data_type)),
        _ => return Err(invalid_type(call.name)),
    }
    let function = |shapes: &[&[u8]], out: &mut Vec<u8>| {
        let mut text = String::new();
        let written = Reader(shapes[0]).shape(&mut text, 0).is_some();
        out.extend_from_slice(text.as_bytes());
        written
    };
    call.binder.call(Texts { data_type, function }, call.arguments, data_type)
}

fn make_point(call: FunctionCall<'_>) -> Result<BoundExpr> {
    call.check(|data_type| data_type.is_numeric() || data_type == DataType::Null)?;
    let FunctionCall { binder, arguments, .. } = call;
    let arguments = arguments.into_iter().map(|argument| binder.to_type(argument, DataType::Double)).collect::<Result<Vec<_>>>()?;
    let data_type = DataType::Geometry(21);
    let function = |values: &[Value]| {
        let [Value::Double(x), Value::Double(y)] = values else { return Ok(Value::Null) };
        let mut shape = vec![1, 1, 0, 0, 0];
        shape.extend_from_slice(&x.to_le_bytes());
        shape.extend_from_slice(&y.to_le_bytes());
        Ok(Value::Geometry(shape))
    };
    let precision = binder.context().precision;
    binder.call(Values { data_type, precision, function }, arguments, data_type)
}

/// Shapes inside shapes.
pub(super) const MOST_NESTING: usize = 16;

/// What is left of a WKB; every step is `None` where it ends too early.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    /// `KIND (…)`, or `KIND EMPTY`.
    fn shape(&mut self, out: &mut String, depth: usize) -> Option<()> {
        let [order] = self.take()?;
        let kind = self.number()?;
        if order != 1 || depth > MOST_NESTING {
            return None;
        }
        let name =
            ["POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION"].get((kind as usize).checked_sub(1)?)?;
        out.push_str(name);
        out.push(' ');
        self.body(kind, out, depth)
    }

    fn body(&mut self, kind: u32, out: &mut String, depth: usize) -> Option<()> {
        if kind == 1 {
            // A point of nothing has coordinates that are no numbers.
            let nowhere = f64::NAN.to_le_bytes();
            if self.0.starts_with(&nowhere) {
                self.take::<16>()?;
                out.push_str("EMPTY");
                return Some(());
            }
            out.push('(');
            self.position(out)?;
            out.push(')');
            return Some(());
        }
        let count = self.number()?;
        if count == 0 {
            out.push_str("EMPTY");
            return Some(());
        }
        out.push('(');
        for item in 0..count {
            if item > 0 {
                out.push_str(", ");
            }
            match kind {
                2 => self.position(out)?,
                3 => self.body(2, out, depth)?,
                7 => self.shape(out, depth + 1)?,
                // A shape of one kind, without its name.
                _ => {
                    self.take::<5>()?;
                    self.body(kind - 3, out, depth)?;
                }
            }
        }
        out.push(')');
        Some(())
    }

    fn position(&mut self, out: &mut String) -> Option<()> {
        let (x, y) = (f64::from_le_bytes(self.take()?), f64::from_le_bytes(self.take()?));
        // Writing to a String cannot fail.
        let _ = write!(out, "{x:.6} {y:.6}");
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_shapes() {
        for (text, expected) in [
            ("POINT(1 2)", "POINT (1.000000 2.000000)"),
            ("LINESTRING(0 0, 1 1.5)", "LINESTRING (0.000000 0.000000, 1.000000 1.500000)"),
            ("POLYGON((0 0, 4 0, 4 4, 0 0))", "POLYGON ((0.000000 0.000000, 4.000000 0.000000, 4.000000 4.000000, 0.000000 0.000000))"),
            ("MULTIPOINT((1 2), (3 4))", "MULTIPOINT ((1.000000 2.000000), (3.000000 4.000000))"),
        ] {
            let shape = wkt_to_wkb(text).unwrap();
            let mut out = String::new();
            assert!(Reader(&shape).shape(&mut out, 0).is_some());
            assert_eq!(out, expected);
            // Cut anywhere it is no shape.
            assert!((0..shape.len()).all(|end| Reader(&shape[..end]).shape(&mut String::new(), 0).is_none()));
        }
    }
}
