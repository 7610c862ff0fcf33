//! The JSON answer of `/rest/sql` as a result: header first, then rows into Arrow columns as they arrive.
//!
//! Reads TDengine 3's members (`code`, `column_meta`, `data`, `rows`) and those of 2.x (`status`, `desc`, numeric type ids).

use std::{io::Read, sync::Arc};

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{ArrayBuilder, BinaryBuilder, BooleanBuilder, Decimal128Builder, PrimitiveBuilder, StringBuilder},
    types::{Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type},
};
use arrow_schema::{Schema, SchemaRef};
use embudo_types::{Code, DataType, Error, Outcome, Precision, Result, ResultSet, arrow::field, code};

use super::json::{Elements, Source, broken, unescape};

const BATCH_ROWS: usize = 16_384;

/// Reads an answer up to its first batch; the rest follows with the result.
pub fn read<R: Read + Send + 'static>(body: R) -> Result<ResultSet> {
    let mut source = Source::new(body);
    let header = read_header(&mut source)?;
    if header.affected {
        let row = source.value()?.to_vec();
        let number = Elements::of(&row)?.next().and_then(number::<u64>).ok_or_else(|| broken("affected_rows is no number"))?;
        source.expect(b']')?;
        read_trailer(&mut source)?;
        return Ok(ResultSet::affected(number));
    }
    if header.empty {
        read_trailer(&mut source)?;
    }
    let mut rows = Rows { source, columns: header.columns, schema: None, precision: Precision::Milli, done: header.empty };
    let first = rows.batch()?;
    let schema = rows.schema.clone().ok_or_else(|| Error::internal("a result without a schema"))?;
    Ok(ResultSet { schema, outcome: Outcome::Rows(Box::new(first.into_iter().map(Ok).chain(rows))) })
}

struct Header {
    columns: Vec<(String, DataType)>,
    /// Whether the answer is a count of affected rows; its row is then next.
    affected: bool,
    empty: bool,
}

/// Everything up to the first row.
fn read_header<R: Read>(source: &mut Source<R>) -> Result<Header> {
    source.expect(b'{')?;
    let (mut columns, mut error_code, mut desc) = (None, None, None);
    loop {
        if source.eat(b'}')? {
            source.drain()?;
            // Without rows it is an error, or an answer that is none.
            let error_code = error_code.filter(|&number| number != 0).ok_or_else(|| broken("neither rows nor an error"))?;
            let error_code = Code(error_code as u16);
            return Err(Error::with(error_code, desc.unwrap_or_else(|| error_code.text().to_owned())));
        }
        let name = text(source.value()?)?;
        source.expect(b':')?;
        match name.as_str() {
            "code" => error_code = number::<i64>(source.value()?),
            "status" if text(source.value()?)? != "succ" => error_code = error_code.or(Some(i64::from(code::UNCLASSIFIED.0))),
            "desc" => desc = Some(text(source.value()?)?),
            "column_meta" => columns = Some(read_columns(source.value()?)?),
            "data" if source.peek()? == b'[' => {
                let columns: Vec<(String, DataType)> = columns.take().ok_or_else(|| broken("data before column_meta"))?;
                source.expect(b'[')?;
                let empty = source.eat(b']')?;
                let affected = !empty && matches!(columns.as_slice(), [(name, DataType::Int)] if name == "affected_rows");
                return Ok(Header { columns, affected, empty });
            }
            _ => {
                source.value()?;
            }
        }
        source.eat(b',')?;
    }
}

/// What follows the rows, to the text's end: a connection that was not read to its end cannot be used again.
fn read_trailer<R: Read>(source: &mut Source<R>) -> Result<()> {
    while source.eat(b',')? {
        source.value()?;
        source.expect(b':')?;
        source.value()?;
    }
    source.expect(b'}')?;
    source.drain()
}

/// `[[name, type, length], …]`; a type is TDengine's name or, from 2.x, its id.
fn read_columns(meta: &[u8]) -> Result<Vec<(String, DataType)>> {
    Elements::of(meta)?
        .map(|column| {
            let mut parts = Elements::of(column)?;
            let (Some(name), Some(type_name), Some(length)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(broken("column_meta without name, type and length"));
            };
            let length = number::<u32>(length).ok_or_else(|| broken("a length that is no number"))?;
            let data_type = match number::<u8>(type_name) {
                Some(id) => DataType::from_id(id, length)?,
                None => named_type(&text(type_name)?, length)?,
            };
            Ok((text(name)?, data_type))
        })
        .collect()
}

/// The type of a name as metadata shows it, with its length.
pub fn named_type(name: &str, length: u32) -> Result<DataType> {
    if let Some(digits) = name.strip_prefix("DECIMAL(").and_then(|rest| rest.strip_suffix(')')) {
        let (precision, scale) = digits.split_once(',').unwrap_or((digits, "0"));
        if let (Ok(precision), Ok(scale)) = (precision.trim().parse(), scale.trim().parse()) {
            return Ok(DataType::Decimal(precision, scale));
        }
    }
    Ok(match name {
        "NULL" => DataType::Null,
        "BOOL" => DataType::Bool,
        "TINYINT" => DataType::TinyInt,
        "SMALLINT" => DataType::SmallInt,
        "INT" => DataType::Int,
        "BIGINT" => DataType::BigInt,
        "FLOAT" => DataType::Float,
        "DOUBLE" => DataType::Double,
        "VARCHAR" | "BINARY" => DataType::Varchar(length),
        "TIMESTAMP" => DataType::Timestamp,
        "NCHAR" => DataType::NChar(length),
        "TINYINT UNSIGNED" => DataType::UTinyInt,
        "SMALLINT UNSIGNED" => DataType::USmallInt,
        "INT UNSIGNED" => DataType::UInt,
        "BIGINT UNSIGNED" => DataType::UBigInt,
        "JSON" => DataType::Json,
        "VARBINARY" => DataType::VarBinary(length),
        "BLOB" => DataType::Blob,
        "MEDIUMBLOB" => DataType::MediumBlob,
        "GEOMETRY" => DataType::Geometry(length),
        _ => return Err(broken(format!("unknown type {name}"))),
    })
}

/// The rows still to come.
struct Rows<R> {
    source: Source<R>,
    columns: Vec<(String, DataType)>,
    /// Known from the first batch on: the texts of timestamps tell their precision.
    schema: Option<SchemaRef>,
    precision: Precision,
    done: bool,
}

impl<R: Read> Rows<R> {
    /// The next rows, or `None` after the last; the first call always fixes the schema.
    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let mut rows = 0;
        let mut builders = None;
        while !self.done && rows < BATCH_ROWS {
            let row = self.source.value()?;
            let builders = match &mut builders {
                Some(builders) => builders,
                empty => {
                    if self.schema.is_none() {
                        self.precision = precision_of(row, &self.columns)?;
                    }
                    empty.insert(self.columns.iter().map(|(_, data_type)| Column::new(*data_type)).collect::<Vec<_>>())
                }
            };
            let mut cells = Elements::of(row)?;
            for column in builders.iter_mut() {
                let cell = cells.next().ok_or_else(|| broken("a row with too few cells"))?;
                column.push(cell, self.precision)?;
            }
            rows += 1;
            if !self.source.eat(b',')? {
                self.source.expect(b']')?;
                read_trailer(&mut self.source)?;
                self.done = true;
            }
        }
        let precision = self.precision;
        let schema = self
            .schema
            .get_or_insert_with(|| Arc::new(Schema::new(self.columns.iter().map(|(name, data_type)| field(name, *data_type, precision)).collect::<Vec<_>>())));
        if rows == 0 {
            return Ok(None);
        }
        let arrays = builders.into_iter().flatten().zip(&self.columns).map(|(builder, (_, data_type))| builder.finish(*data_type, precision)).collect();
        RecordBatch::try_new(schema.clone(), arrays).map(Some).map_err(Error::internal)
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = if self.done { None } else { self.batch().transpose() };
        self.done |= matches!(next, Some(Err(_)));
        next
    }
}

/// What the fraction digits of the first timestamps say.
fn precision_of(row: &[u8], columns: &[(String, DataType)]) -> Result<Precision> {
    let mut precision = Precision::Milli;
    for (cell, (_, data_type)) in Elements::of(row)?.zip(columns) {
        if *data_type == DataType::Timestamp
            && let Some(point) = cell.iter().position(|&byte| byte == b'.')
        {
            let digits = cell[point + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let found =
                [(3, Precision::Milli), (6, Precision::Micro)].into_iter().find(|(most, _)| digits <= *most).map_or(Precision::Nano, |(_, found)| found);
            precision = precision.max(found);
        }
    }
    Ok(precision)
}

enum Column {
    Null(usize),
    Bool(BooleanBuilder),
    TinyInt(PrimitiveBuilder<Int8Type>),
    SmallInt(PrimitiveBuilder<Int16Type>),
    Int(PrimitiveBuilder<Int32Type>),
    BigInt(PrimitiveBuilder<Int64Type>),
    Timestamp(PrimitiveBuilder<Int64Type>),
    UTinyInt(PrimitiveBuilder<UInt8Type>),
    USmallInt(PrimitiveBuilder<UInt16Type>),
    UInt(PrimitiveBuilder<UInt32Type>),
    UBigInt(PrimitiveBuilder<UInt64Type>),
    Float(PrimitiveBuilder<Float32Type>),
    Double(PrimitiveBuilder<Float64Type>),
    Decimal(Decimal128Builder, u8),
    /// VARCHAR: the bytes of the string.
    Bytes(BinaryBuilder, Vec<u8>),
    /// VARBINARY, GEOMETRY, BLOB: hex digits.
    Hex(BinaryBuilder, Vec<u8>),
    Text(StringBuilder, Vec<u8>),
    /// The value's own JSON text.
    Json(StringBuilder),
}

impl Column {
    fn new(data_type: DataType) -> Self {
        match data_type {
            DataType::Null => Self::Null(0),
            DataType::Bool => Self::Bool(BooleanBuilder::new()),
            DataType::TinyInt => Self::TinyInt(PrimitiveBuilder::new()),
            DataType::SmallInt => Self::SmallInt(PrimitiveBuilder::new()),
            DataType::Int => Self::Int(PrimitiveBuilder::new()),
            DataType::BigInt => Self::BigInt(PrimitiveBuilder::new()),
            DataType::Timestamp => Self::Timestamp(PrimitiveBuilder::new()),
            DataType::UTinyInt => Self::UTinyInt(PrimitiveBuilder::new()),
            DataType::USmallInt => Self::USmallInt(PrimitiveBuilder::new()),
            DataType::UInt => Self::UInt(PrimitiveBuilder::new()),
            DataType::UBigInt => Self::UBigInt(PrimitiveBuilder::new()),
            DataType::Float => Self::Float(PrimitiveBuilder::new()),
            DataType::Double => Self::Double(PrimitiveBuilder::new()),
            DataType::Decimal(_, scale) => Self::Decimal(Decimal128Builder::new(), scale),
            DataType::Varchar(_) => Self::Bytes(BinaryBuilder::new(), Vec::new()),
            DataType::VarBinary(_) | DataType::Geometry(_) | DataType::Blob | DataType::MediumBlob => Self::Hex(BinaryBuilder::new(), Vec::new()),
            DataType::NChar(_) => Self::Text(StringBuilder::new(), Vec::new()),
            DataType::Json => Self::Json(StringBuilder::new()),
        }
    }

    fn push(&mut self, cell: &[u8], precision: Precision) -> Result<()> {
        if cell == b"null" {
            self.push_null();
            return Ok(());
        }
        macro_rules! numeric {
            ($builder:expr) => {
                $builder.append_value(number(cell).ok_or_else(|| out_of_type(cell))?)
            };
        }
        match self {
            Self::Null(rows) => *rows += 1,
            Self::Bool(builder) => builder.append_value(match cell {
                b"true" | b"1" => true,
                b"false" | b"0" => false,
                _ => return Err(out_of_type(cell)),
            }),
            Self::TinyInt(builder) => numeric!(builder),
            Self::SmallInt(builder) => numeric!(builder),
            Self::Int(builder) => numeric!(builder),
            Self::BigInt(builder) => numeric!(builder),
            Self::UTinyInt(builder) => numeric!(builder),
            Self::USmallInt(builder) => numeric!(builder),
            Self::UInt(builder) => numeric!(builder),
            Self::UBigInt(builder) => numeric!(builder),
            Self::Float(builder) => numeric!(builder),
            Self::Double(builder) => numeric!(builder),
            Self::Timestamp(builder) => builder.append_value(parse_instant(cell, precision).ok_or_else(|| out_of_type(cell))?),
            Self::Decimal(builder, scale) => builder.append_value(parse_decimal(cell, *scale).ok_or_else(|| out_of_type(cell))?),
            Self::Bytes(builder, scratch) => {
                scratch.clear();
                unescape(cell, scratch)?;
                builder.append_value(scratch);
            }
            Self::Hex(builder, scratch) => {
                scratch.clear();
                parse_hex(cell, scratch).ok_or_else(|| out_of_type(cell))?;
                builder.append_value(scratch);
            }
            Self::Text(builder, scratch) => {
                scratch.clear();
                unescape(cell, scratch)?;
                builder.append_value(String::from_utf8_lossy(scratch));
            }
            Self::Json(builder) => builder.append_value(String::from_utf8_lossy(cell)),
        }
        Ok(())
    }

    fn push_null(&mut self) {
        match self {
            Self::Null(rows) => *rows += 1,
            Self::Bool(builder) => builder.append_null(),
            Self::TinyInt(builder) => builder.append_null(),
            Self::SmallInt(builder) => builder.append_null(),
            Self::Int(builder) => builder.append_null(),
            Self::BigInt(builder) | Self::Timestamp(builder) => builder.append_null(),
            Self::UTinyInt(builder) => builder.append_null(),
            Self::USmallInt(builder) => builder.append_null(),
            Self::UInt(builder) => builder.append_null(),
            Self::UBigInt(builder) => builder.append_null(),
            Self::Float(builder) => builder.append_null(),
            Self::Double(builder) => builder.append_null(),
            Self::Decimal(builder, _) => builder.append_null(),
            Self::Bytes(builder, _) | Self::Hex(builder, _) => builder.append_null(),
            Self::Text(builder, _) | Self::Json(builder) => builder.append_null(),
        }
    }

    fn finish(self, data_type: DataType, precision: Precision) -> ArrayRef {
        fn array(mut builder: impl ArrayBuilder) -> ArrayRef {
            builder.finish()
        }
        match self {
            Self::Null(rows) => Arc::new(arrow_array::NullArray::new(rows)),
            Self::Bool(builder) => array(builder),
            Self::TinyInt(builder) => array(builder),
            Self::SmallInt(builder) => array(builder),
            Self::Int(builder) => array(builder),
            Self::BigInt(builder) => array(builder),
            Self::UTinyInt(builder) => array(builder),
            Self::USmallInt(builder) => array(builder),
            Self::UInt(builder) => array(builder),
            Self::UBigInt(builder) => array(builder),
            Self::Float(builder) => array(builder),
            Self::Double(builder) => array(builder),
            Self::Bytes(builder, _) | Self::Hex(builder, _) => array(builder),
            Self::Text(builder, _) | Self::Json(builder) => array(builder),
            Self::Decimal(builder, _) => array(builder.with_data_type(embudo_types::arrow::arrow_type(data_type, precision))),
            Self::Timestamp(mut builder) => {
                let data = builder.finish().into_parts();
                match precision {
                    Precision::Milli => Arc::new(arrow_array::TimestampMillisecondArray::new(data.1, data.2)),
                    Precision::Micro => Arc::new(arrow_array::TimestampMicrosecondArray::new(data.1, data.2)),
                    Precision::Nano => Arc::new(arrow_array::TimestampNanosecondArray::new(data.1, data.2)),
                }
            }
        }
    }
}

fn out_of_type(cell: &[u8]) -> Error {
    let shown = String::from_utf8_lossy(&cell[..cell.len().min(40)]).into_owned();
    broken(format!("the cell {shown} is not of its column's type"))
}

fn text(cell: &[u8]) -> Result<String> {
    let mut out = Vec::new();
    unescape(cell, &mut out)?;
    Ok(String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn number<T: std::str::FromStr>(cell: &[u8]) -> Option<T> {
    std::str::from_utf8(cell).ok()?.parse().ok()
}

fn parse_hex(cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let digits = cell.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    for pair in digits.chunks(2) {
        let [high, low] = pair else { return None };
        out.push(value(*high)? << 4 | value(*low)?);
    }
    Some(())
}

/// `"-12.30"`, or the number without quotes, as an unscaled integer of `scale`.
fn parse_decimal(cell: &[u8], scale: u8) -> Option<i128> {
    let text = std::str::from_utf8(cell).ok()?.trim_matches('"');
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > usize::from(scale) || whole.is_empty() {
        return None;
    }
    let padded = whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', usize::from(scale) - fraction.len()));
    let value = padded.into_iter().try_fold(0_i128, |value, digit| {
        let digit = char::from(digit).to_digit(10)?;
        value.checked_mul(10)?.checked_add(i128::from(digit))
    })?;
    Some(sign * value)
}

/// Ticks of `"2024-01-31T01:02:03.004Z"` or with an offset, the only form that servers write. Years have four digits or more, and a
/// sign before the year 0: products of timestamps reach any tick.
fn parse_instant(cell: &[u8], precision: Precision) -> Option<i64> {
    let text = cell.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let (is_negative, text) = text.strip_prefix(b"-").map_or((false, text), |text| (true, text));
    let year_digits = text.iter().position(|byte| *byte == b'-').filter(|length| (4..=12).contains(length))?;
    let number = |digits: &[u8]| digits.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')));
    let year = number(&text[..year_digits])? * if is_negative { -1 } else { 1 };
    let text = &text[year_digits..];
    let digits = |from: usize, to: usize| text.get(from..to).and_then(number);
    let punctuation = [(0, b'-'), (3, b'-'), (6, b'T'), (9, b':'), (12, b':')];
    if punctuation.iter().any(|&(at, byte)| text.get(at) != Some(&byte)) {
        return None;
    }
    let seconds = days_since_epoch(year, digits(1, 3)?, digits(4, 6)?) * 86_400 + digits(7, 9)? * 3_600 + digits(10, 12)? * 60 + digits(13, 15)?;
    let mut at = 15;
    let mut fraction = 0;
    if text.get(at) == Some(&b'.') {
        let end = text[16..].iter().position(|byte| !byte.is_ascii_digit()).map_or(text.len(), |length| 16 + length);
        for place in 0..precision.digits() {
            fraction = fraction * 10 + if 16 + place < end { i64::from(text[16 + place] - b'0') } else { 0 };
        }
        at = end;
    }
    let offset = match text.get(at)? {
        b'Z' | b'z' => 0,
        sign @ (b'+' | b'-') => {
            let minutes = if text.get(at + 3) == Some(&b':') { digits(at + 4, at + 6)? } else { digits(at + 3, at + 5)? };
            (digits(at + 1, at + 3)? * 60 + minutes) * if *sign == b'-' { -60 } else { 60 }
        }
        _ => return None,
    };
    // The lowest ticks only fit with their fraction.
    i64::try_from(i128::from(seconds - offset) * i128::from(precision.ticks_per_second()) + i128::from(fraction)).ok()
}

/// Days since 1970-01-01 of a date of the Gregorian calendar.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Array, cast::AsArray, types::TimestampMicrosecondType};
    use proptest::prelude::*;

    fn rows(json: &str) -> ResultSet {
        read(std::io::Cursor::new(json.to_owned())).unwrap()
    }

    #[test]
    fn any_tick_is_read_back() {
        for precision in [Precision::Milli, Precision::Micro, Precision::Nano] {
            for ticks in [0, 1_710_028_800_001, -62_135_596_800_001, i64::MIN, i64::MIN + 1, i64::MAX] {
                let mut text = String::from("\"");
                embudo_types::format_rfc3339(ticks, precision, &embudo_types::Zone::utc(), &mut text);
                text.push('"');
                assert_eq!(parse_instant(text.as_bytes(), precision), Some(ticks), "{text}");
            }
        }
    }

    #[test]
    fn every_type_becomes_its_column() {
        let json = r#"{"code":0,"column_meta":[["ts","TIMESTAMP",8],["b","BOOL",1],["u","BIGINT UNSIGNED",8],["f","FLOAT",4],["s","VARCHAR",16],["n","NCHAR",16],
            ["j","JSON",4095],["x","VARBINARY",8],["d","DECIMAL(10,2)",8]],"data":[
            ["2018-10-03T14:38:05.123456+08:00",true,18446744073709551615,10.3,"a\"b","é",{"k":[1,2]},"00ff","-12.30"],
            [null,null,null,null,null,null,null,null,null]],"rows":2}"#;
        let result = rows(json);
        assert_eq!(embudo_types::arrow::data_type(result.schema.field(8)).unwrap(), DataType::Decimal(10, 2));
        let batches = result.collect().unwrap();
        let batch = &batches[0];
        assert_eq!(batch.num_rows(), 2);
        assert_eq!(batch.column(0).as_primitive::<TimestampMicrosecondType>().value(0), 1_538_548_685_123_456);
        assert_eq!(batch.column(2).as_primitive::<UInt64Type>().value(0), u64::MAX);
        assert_eq!(batch.column(3).as_primitive::<Float32Type>().value(0), 10.3);
        assert_eq!(batch.column(4).as_binary::<i32>().value(0), b"a\"b");
        assert_eq!(batch.column(5).as_string::<i32>().value(0), "é");
        assert_eq!(batch.column(6).as_string::<i32>().value(0), r#"{"k":[1,2]}"#);
        assert_eq!(batch.column(7).as_binary::<i32>().value(0), [0, 255]);
        assert_eq!(batch.column(8).as_primitive::<arrow_array::types::Decimal128Type>().value(0), -1_230);
        assert!(batch.columns().iter().all(|column| column.is_null(1)));
    }

    #[test]
    fn updates_errors_and_empty_results() {
        let update = rows(r#"{"code":0,"column_meta":[["affected_rows","INT",4]],"data":[[8]],"rows":1}"#);
        assert!(matches!(update.outcome, Outcome::Affected(8)));
        let empty = rows(r#"{"code":0,"column_meta":[["a","INT",4]],"data":[],"rows":0}"#);
        assert_eq!(empty.schema.field(0).name(), "a");
        assert!(empty.collect().unwrap().is_empty());
        let error = read(&br#"{"code":9731,"desc":"Table does not exist \u003ca\u003e"}"#[..]).err().unwrap();
        assert_eq!(error.to_string(), "[0x2603]: Table does not exist <a>");
        let old = rows(r#"{"status":"succ","head":["ts","c"],"column_meta":[["ts",9,8],["c",6,4]],"data":[["2018-10-03T06:38:05.000Z",10.3]],"rows":1}"#);
        assert_eq!(old.collect().unwrap()[0].num_rows(), 1);
        assert!(read(&b"{\"code\":0}"[..]).is_err());
        assert!(read(&b"<html>"[..]).is_err());
        let cut = read(&br#"{"code":0,"column_meta":[["a","INT",4]],"data":[[1],[2"#[..]);
        assert!(cut.is_err());
    }

    #[test]
    fn many_rows_come_in_batches() {
        let data: Vec<String> = (0..40_000).map(|at| format!("[{at}]")).collect();
        let result = rows(&format!(r#"{{"code":0,"column_meta":[["a","INT",4]],"data":[{}],"rows":40000}}"#, data.join(",")));
        let batches = result.collect().unwrap();
        assert_eq!(batches.len(), 3);
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 40_000);
    }

    proptest! {
        #[test]
        fn instants_are_read_as_they_are_written(ticks in -60_000_000_000_000_000_i64..250_000_000_000_000_000, minutes in -840_i32..840) {
            let mut text = String::new();
            embudo_types::format_rfc3339(ticks, Precision::Micro, &embudo_types::Zone::fixed(minutes * 60), &mut text);
            prop_assert_eq!(parse_instant(format!("\"{text}\"").as_bytes(), Precision::Micro), Some(ticks));
        }

        #[test]
        fn no_answer_panics(json in "\\PC{0,60}") {
            let _ = read(std::io::Cursor::new(json.clone()));
            let _ = read(std::io::Cursor::new(format!(r#"{{"code":0,"column_meta":[["a","INT",4]],"data":{json}"#)));
        }
    }
}
