//! Functions of text. VARCHAR counts bytes, NCHAR characters; results keep the argument's type. NULL in, NULL out.

use embudo_types::{DataType, MAX_NCHAR, MAX_VARCHAR, Result, Value};

use super::kernels::{TextLength, Texts, Values};
use super::{Function, FunctionCall, invalid_number, invalid_type, invalid_value};
use crate::BoundExpr;
use crate::binder::null_of;
use crate::datum::bytes_of;

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "length", arguments: (1, 1), doc: "Bytes; four for each character of an NCHAR.", bind: |call| length(call, false) },
    Function { name: "char_length", arguments: (1, 1), doc: "Characters of an NCHAR, bytes of others.", bind: |call| length(call, true) },
    Function { name: "concat", arguments: (2, 8), doc: "Joins texts.", bind: |call| concat(call, false) },
    Function { name: "concat_ws", arguments: (3, 9), doc: "Joins texts with the first between them.", bind: |call| concat(call, true) },
    Function {
        name: "lower",
        arguments: (1, 1),
        doc: "ASCII letters in lower case.",
        bind: |call| one_text(call, |text, out| out.extend(text.iter().map(u8::to_ascii_lowercase))),
    },
    Function {
        name: "upper",
        arguments: (1, 1),
        doc: "ASCII letters in upper case.",
        bind: |call| one_text(call, |text, out| out.extend(text.iter().map(u8::to_ascii_uppercase))),
    },
    Function {
        name: "ltrim",
        arguments: (1, 1),
        doc: "Without leading blanks.",
        bind: |call| one_text(call, |text, out| out.extend_from_slice(text.trim_ascii_start())),
    },
    Function {
        name: "rtrim",
        arguments: (1, 1),
        doc: "Without trailing blanks.",
        bind: |call| one_text(call, |text, out| out.extend_from_slice(text.trim_ascii_end())),
    },
    Function { name: "trim", arguments: (1, 3), doc: "Without blanks at either end, or `TRIM([LEADING | TRAILING | BOTH] [part] FROM text)`.", bind: trim },
    Function { name: "substr", arguments: (2, 3), doc: "Part from a place counted from 1, or from the end where negative.", bind: substring },
    Function { name: "substring", arguments: (2, 3), doc: "Part from a place counted from 1, or from the end where negative.", bind: substring },
    Function { name: "replace", arguments: (3, 3), doc: "With every occurrence of the second text replaced by the third.", bind: replace },
    Function { name: "repeat", arguments: (2, 2), doc: "The text so many times.", bind: repeat },
    Function {
        name: "substring_index",
        arguments: (3, 3),
        doc: "What stands before the n-th delimiter, or after the n-th from the end.",
        bind: substring_index,
    },
    Function { name: "position", arguments: (2, 2), doc: "Place of the first text in the second in characters, from 1; 0 where it is not.", bind: position },
    Function { name: "find_in_set", arguments: (2, 3), doc: "Place of a text in a list of texts, from 1.", bind: find_in_set },
    Function { name: "ascii", arguments: (1, 1), doc: "Value of the first byte.", bind: ascii },
    Function { name: "char", arguments: (1, 64), doc: "Text of bytes given as numbers.", bind: char_of },
];

fn is_text(data_type: DataType) -> bool {
    data_type.is_text()
}

fn length(call: FunctionCall<'_>, characters: bool) -> Result<BoundExpr> {
    call.check(|data_type| is_text(data_type) || matches!(data_type, DataType::VarBinary(_)))?;
    let bytes_per_character = if characters { 1 } else { 4 };
    let FunctionCall { binder, arguments, .. } = call;
    binder.call(TextLength { bytes_per_character }, arguments, DataType::BigInt)
}

fn one_text(call: FunctionCall<'_>, function: fn(&[u8], &mut Vec<u8>)) -> Result<BoundExpr> {
    call.check(is_text)?;
    let data_type = call.data_type(0);
    let function = move |texts: &[&[u8]], out: &mut Vec<u8>| {
        function(texts[0], out);
        true
    };
    call.binder.call(Texts { data_type, function }, call.arguments, data_type)
}

/// One argument: blanks at either end. Three, as the parser makes them: the side, the part, the text.
fn trim(call: FunctionCall<'_>) -> Result<BoundExpr> {
    if call.arguments.len() == 1 {
        return one_text(call, |text, out| out.extend_from_slice(text.trim_ascii()));
    }
    if call.arguments.len() == 2 {
        return Err(invalid_number(call.name));
    }
    call.check(|data_type| is_text(data_type) || data_type == DataType::Null)?;
    let side = call.constant(0)?;
    let side = bytes_of(&side).unwrap_or_default();
    let (leading, trailing) = (side != b"trailing", side != b"leading");
    let data_type = if call.data_type(2) == DataType::Null { DataType::Varchar(1) } else { call.data_type(2) };
    let FunctionCall { binder, mut arguments, .. } = call;
    arguments.remove(0);
    if arguments.iter().any(|argument| argument.data_type() == DataType::Null) {
        return Ok(null_of(data_type));
    }
    let function = move |texts: &[&[u8]], out: &mut Vec<u8>| {
        let (part, mut text) = (texts[0], texts[1]);
        if !part.is_empty() {
            while let Some(rest) = if leading { text.strip_prefix(part) } else { None } {
                text = rest;
            }
            while let Some(rest) = if trailing { text.strip_suffix(part) } else { None } {
                text = rest;
            }
        }
        out.extend_from_slice(text);
        true
    };
    binder.call(Texts { data_type, function }, arguments, data_type)
}

/// NCHAR where any argument is one, else VARCHAR, of `length`.
fn text_type(arguments: &[BoundExpr], length: u32) -> DataType {
    if arguments.iter().any(|argument| matches!(argument.data_type(), DataType::NChar(_))) {
        DataType::NChar(length.min(MAX_NCHAR))
    } else {
        DataType::Varchar(length.min(MAX_VARCHAR))
    }
}

fn concat(call: FunctionCall<'_>, separated: bool) -> Result<BoundExpr> {
    call.check(|data_type| is_text(data_type) || data_type == DataType::Null)?;
    let FunctionCall { binder, arguments, .. } = call;
    // Metadata counts a two-byte header for each part but one.
    let part = |argument: &BoundExpr| argument.data_type().length() + 2;
    let parts = &arguments[usize::from(separated)..];
    let separators = if separated { part(&arguments[0]) * (parts.len() as u32 - 1) } else { 0 };
    let length = parts.iter().map(part).sum::<u32>() + separators - 2;
    let data_type = text_type(&arguments, length);
    if arguments.iter().any(|argument| argument.data_type() == DataType::Null) {
        return Ok(null_of(data_type));
    }
    let function = move |texts: &[&[u8]], out: &mut Vec<u8>| {
        let (separator, texts) = if separated { texts.split_first().map_or((&[][..], &[][..]), |(first, rest)| (*first, rest)) } else { (&[][..], texts) };
        for (at, text) in texts.iter().enumerate() {
            if at > 0 {
                out.extend_from_slice(separator);
            }
            out.extend_from_slice(text);
        }
        true
    };
    binder.call(Texts { data_type, function }, arguments, data_type)
}

fn integer(value: &Value) -> Option<i64> {
    Some(match value {
        Value::TinyInt(value) => i64::from(*value),
        Value::SmallInt(value) => i64::from(*value),
        Value::Int(value) => i64::from(*value),
        Value::BigInt(value) => *value,
        Value::UTinyInt(value) => i64::from(*value),
        Value::USmallInt(value) => i64::from(*value),
        Value::UInt(value) => i64::from(*value),
        Value::UBigInt(value) => i64::try_from(*value).ok()?,
        _ => return None,
    })
}

/// Text of a result type.
fn text_value(bytes: Vec<u8>, data_type: DataType) -> Value {
    match data_type {
        DataType::NChar(_) => Value::NChar(String::from_utf8_lossy(&bytes).into_owned()),
        _ => Value::Varchar(bytes),
    }
}

/// Checks that argument 0 is text and the others integers, and binds a function of values.
fn text_and_integers(
    call: FunctionCall<'_>,
    data_type: DataType,
    function: impl Fn(&[u8], &[i64]) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> Result<BoundExpr> {
    let text = is_text(call.data_type(0));
    if !text || !call.arguments[1..].iter().all(|argument| argument.data_type().is_integer()) {
        return Err(invalid_type(call.name));
    }
    let function = move |values: &[Value]| {
        let Some(text) = bytes_of(&values[0]) else { return Ok(Value::Null) };
        let Some(integers) = values[1..].iter().map(integer).collect::<Option<Vec<_>>>() else { return Ok(Value::Null) };
        Ok(function(text, &integers).map_or(Value::Null, |bytes| text_value(bytes, data_type)))
    };
    let precision = call.binder.context().precision;
    call.binder.call(Values { data_type, precision, function }, call.arguments, data_type)
}

fn substring(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let data_type = call.data_type(0);
    if integer(&call.arguments[1].constant().unwrap_or_default()) == Some(0) {
        return Err(invalid_value(call.name));
    }
    if call.arguments.get(2).and_then(BoundExpr::constant).as_ref().and_then(integer).is_some_and(|length| length < 0) {
        return Err(invalid_value(call.name));
    }
    let characters = matches!(data_type, DataType::NChar(_));
    text_and_integers(call, data_type, move |text, places| {
        let length = places.get(1).copied().unwrap_or(i64::MAX);
        Some(part_of(text, places[0], length, characters).to_vec())
    })
}

/// The part of `text` from `position` (from 1, negative from the end) of at most `length` units.
fn part_of(text: &[u8], position: i64, length: i64, characters: bool) -> &[u8] {
    let starts: Vec<usize> = if characters { (0..text.len()).filter(|&at| text[at] & 0xC0 != 0x80).collect() } else { Vec::new() };
    let units = if characters { starts.len() } else { text.len() } as i64;
    let start = if position > 0 { position - 1 } else { (units + position).max(0) };
    let end = start.saturating_add(length.max(0)).min(units);
    if start >= end {
        return &[];
    }
    let offset = |unit: i64| if characters { starts.get(unit as usize).copied().unwrap_or(text.len()) } else { unit as usize };
    &text[offset(start)..offset(end)]
}

fn repeat(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let times = call.arguments[1].constant().as_ref().and_then(integer).unwrap_or(1);
    let length = u32::try_from(i64::from(call.data_type(0).length()).saturating_mul(times.max(0))).unwrap_or(u32::MAX);
    let data_type = text_type(&call.arguments[..1], length.max(1));
    text_and_integers(call, data_type, |text, times| {
        let times = usize::try_from(times[0]).unwrap_or(0).min(MAX_VARCHAR as usize / text.len().max(1));
        Some(text.repeat(times))
    })
}

/// Where `part` starts in `text` at or after `from`.
fn find(text: &[u8], part: &[u8], from: usize) -> Option<usize> {
    text.get(from..)?.windows(part.len().max(1)).position(|window| window == part).map(|at| from + at)
}

fn replace(call: FunctionCall<'_>) -> Result<BoundExpr> {
    call.check(is_text)?;
    let lengths: Vec<u32> = call.arguments.iter().map(|argument| argument.data_type().length()).collect();
    let data_type = text_type(&call.arguments, lengths[0].saturating_mul(lengths[2].max(1)).max(1));
    let function = |texts: &[&[u8]], out: &mut Vec<u8>| {
        let (text, part, by) = (texts[0], texts[1], texts[2]);
        let mut from = 0;
        while let Some(at) = if part.is_empty() { None } else { find(text, part, from) } {
            out.extend_from_slice(&text[from..at]);
            out.extend_from_slice(by);
            from = at + part.len();
        }
        out.extend_from_slice(&text[from..]);
        true
    };
    call.binder.call(Texts { data_type, function }, call.arguments, data_type)
}

fn substring_index(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let data_type = call.data_type(0);
    if !is_text(data_type) || !is_text(call.data_type(1)) || !call.data_type(2).is_integer() {
        return Err(invalid_type(call.name));
    }
    let function = move |values: &[Value]| {
        let (Some(text), Some(delimiter), Some(count)) = (bytes_of(&values[0]), bytes_of(&values[1]), integer(&values[2])) else { return Ok(Value::Null) };
        Ok(text_value(before_delimiter(text, delimiter, count).to_vec(), data_type))
    };
    let precision = call.binder.context().precision;
    call.binder.call(Values { data_type, precision, function }, call.arguments, data_type)
}

fn before_delimiter<'a>(text: &'a [u8], delimiter: &[u8], count: i64) -> &'a [u8] {
    if delimiter.is_empty() || count == 0 {
        return &[];
    }
    let mut places = Vec::new();
    let mut from = 0;
    while let Some(at) = find(text, delimiter, from) {
        places.push(at);
        from = at + delimiter.len();
    }
    let wanted = count.unsigned_abs() as usize;
    if wanted > places.len() {
        return text;
    }
    if count > 0 { &text[..places[wanted - 1]] } else { &text[places[places.len() - wanted] + delimiter.len()..] }
}

fn position(call: FunctionCall<'_>) -> Result<BoundExpr> {
    call.check(is_text)?;
    let function = |values: &[Value]| {
        let (Some(part), Some(text)) = (bytes_of(&values[0]), bytes_of(&values[1])) else { return Ok(Value::Null) };
        let at = if part.is_empty() { Some(0) } else { find(text, part, 0) };
        let units = |at: usize| text[..at].iter().filter(|byte| **byte & 0xC0 != 0x80).count();
        Ok(Value::BigInt(at.map_or(0, |at| units(at) as i64 + 1)))
    };
    big_integer(call, function)
}

fn find_in_set(call: FunctionCall<'_>) -> Result<BoundExpr> {
    call.check(is_text)?;
    let function = |values: &[Value]| {
        let (Some(text), Some(set)) = (bytes_of(&values[0]), bytes_of(&values[1])) else { return Ok(Value::Null) };
        let delimiter = values.get(2).and_then(bytes_of).unwrap_or(b",");
        let (mut place, mut from) = (1, 0);
        loop {
            let end = if delimiter.is_empty() { None } else { find(set, delimiter, from) };
            if &set[from..end.unwrap_or(set.len())] == text {
                return Ok(Value::BigInt(if set.is_empty() { 0 } else { place }));
            }
            let Some(end) = end else { return Ok(Value::BigInt(0)) };
            from = end + delimiter.len();
            place += 1;
        }
    };
    big_integer(call, function)
}

fn ascii(call: FunctionCall<'_>) -> Result<BoundExpr> {
    call.check(is_text)?;
    big_integer(call, |values| Ok(bytes_of(&values[0]).map_or(Value::Null, |text| Value::BigInt(text.first().map_or(0, |byte| i64::from(*byte))))))
}

fn big_integer(call: FunctionCall<'_>, function: impl Fn(&[Value]) -> Result<Value> + Send + Sync + 'static) -> Result<BoundExpr> {
    let precision = call.binder.context().precision;
    call.binder.call(Values { data_type: DataType::BigInt, precision, function }, call.arguments, DataType::BigInt)
}

fn char_of(call: FunctionCall<'_>) -> Result<BoundExpr> {
    call.check(|data_type| data_type.is_numeric() || data_type.is_text() || data_type == DataType::Null)?;
    let FunctionCall { binder, arguments, .. } = call;
    let arguments = arguments.into_iter().map(|argument| binder.to_type(argument, DataType::BigInt)).collect::<Result<Vec<_>>>()?;
    let data_type = DataType::Varchar(4 * arguments.len() as u32);
    let function = |values: &[Value]| {
        let mut text = Vec::new();
        for code in values.iter().filter_map(integer) {
            let bytes = (code as u32).to_be_bytes();
            let leading = bytes.iter().take_while(|byte| **byte == 0).count().min(3);
            text.extend_from_slice(&bytes[leading..]);
        }
        Ok(Value::Varchar(text))
    };
    let precision = binder.context().precision;
    binder.call(Values { data_type, precision, function }, arguments, data_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_text() {
        let part =
            |text: &'static str, position, length, characters| String::from_utf8_lossy(part_of(text.as_bytes(), position, length, characters)).into_owned();
        assert_eq!(part("abc", 10, i64::MAX, false), "");
        assert_eq!(part("abc", -10, i64::MAX, false), "abc");
        assert_eq!(part("abc", -2, 1, false), "b");
        assert_eq!(part("涛思数据", 2, 2, true), "思数");
        assert_eq!(part("涛思数据", -1, 9, true), "据");
        assert_eq!(part("abc", 1, 0, false), "");
    }

    #[test]
    fn delimiters_from_either_end() {
        let before = |count| String::from_utf8_lossy(before_delimiter(b"a.b.c", b".", count)).into_owned();
        assert_eq!([before(1), before(2), before(3), before(-1), before(-2), before(0)], ["a", "a.b", "a.b.c", "c", "b.c", ""]);
    }
}
