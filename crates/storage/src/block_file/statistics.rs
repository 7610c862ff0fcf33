//! Statistics of a column in a block: computed where rows are written, kept column by column beside the index page.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowNativeTypeOp, BooleanArray};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow_schema::DataType as ArrowType;
use embudo_codec::{PhysicalType, Reader};
use embudo_types::{ColumnStatistics, DataType, Result, Value};

use super::{
    STATISTICS_VALUE_BYTES,
    layout::{numbers, read_array, read_u32s, write_array, write_u32s},
    values::{label as label_value, plain_array, plain_type, plain_value},
};

/// Statistics of the cells of some rows in time order, with values of the type that their bytes show (see [`label`]); `None` where
/// they are better not kept: floats with NaN, which compare with nothing, and long first or last values.
pub(crate) fn statistics_of(timestamps: &[i64], array: &ArrayRef, present: Option<&BooleanBuffer>) -> Option<ColumnStatistics> {
    let present = present.map(|present| NullBuffer::new(present.clone()));
    let valid = NullBuffer::union(array.logical_nulls().as_ref(), present.as_ref()).filter(|valid| valid.null_count() > 0);
    let rows = array.len();
    let nulls = valid.as_ref().map_or(0, NullBuffer::null_count);
    let mut statistics = ColumnStatistics { count: (rows - nulls) as u64, nulls: nulls as u64, ..ColumnStatistics::default() };
    if nulls == rows {
        return Some(statistics);
    }
    let valid = valid.as_ref();
    let first = valid.map_or(0, |valid| valid.inner().set_indices().next().unwrap_or(0));
    let last = valid.map_or(rows - 1, |valid| (0..rows).rev().find(|row| valid.is_valid(*row)).unwrap_or(0));
    let physical = PhysicalType::of(array.data_type()).ok()?;
    let plain = as_plain(array, physical)?;
    for (row, place) in [(first, &mut statistics.first), (last, &mut statistics.last)] {
        let value = plain_value(&plain, row);
        if matches!(&value, Value::Varchar(bytes) if bytes.len() > STATISTICS_VALUE_BYTES)
            || matches!(&value, Value::NChar(text) if text.len() > STATISTICS_VALUE_BYTES)
        {
            return None;
        }
        *place = Some((timestamps[row], value));
    }
    macro_rules! integers {
        ($type:ty, $value:ident, $sum:ident, $wide:ty) => {{
            let (least, most, sum) = integer_extremes::<$type>(&plain, valid, |value| i128::from(value));
            statistics.min = Value::$value(least);
            statistics.max = Value::$value(most);
            statistics.sum = <$wide>::try_from(sum).map_or(Value::Null, Value::$sum);
        }};
    }
    macro_rules! floats {
        ($type:ty, $value:ident) => {{
            let (least, most, sum) = float_extremes::<$type>(&plain, valid, |value| f64::from(value))?;
            statistics.min = Value::$value(least);
            statistics.max = Value::$value(most);
            statistics.sum = Value::Double(sum);
        }};
    }
    match physical {
        PhysicalType::Int8 => integers!(Int8Type, TinyInt, BigInt, i64),
        PhysicalType::Int16 => integers!(Int16Type, SmallInt, BigInt, i64),
        PhysicalType::Int32 => integers!(Int32Type, Int, BigInt, i64),
        PhysicalType::Int64 => integers!(Int64Type, BigInt, BigInt, i64),
        PhysicalType::UInt8 => integers!(UInt8Type, UTinyInt, UBigInt, u64),
        PhysicalType::UInt16 => integers!(UInt16Type, USmallInt, UBigInt, u64),
        PhysicalType::UInt32 => integers!(UInt32Type, UInt, UBigInt, u64),
        PhysicalType::UInt64 => integers!(UInt64Type, UBigInt, UBigInt, u64),
        PhysicalType::Float32 => floats!(Float32Type, Float),
        PhysicalType::Float64 => floats!(Float64Type, Double),
        PhysicalType::Boolean => {
            let bits = plain.as_boolean().values();
            let set = valid.map_or(bits.count_set_bits(), |valid| (bits & valid.inner()).count_set_bits());
            statistics.sum = Value::BigInt(set as i64);
            statistics.min = Value::Bool(set + nulls == rows);
            statistics.max = Value::Bool(set > 0);
        }
        PhysicalType::Decimal128 => {
            let values = plain.as_primitive::<Decimal128Type>().values();
            let set = |row: &usize| valid.is_none_or(|valid| valid.is_valid(*row));
            let decimal = |value: Option<i128>| value.map_or(Value::Null, |value| Value::Decimal(value, 38, 0));
            statistics.min = decimal((0..rows).filter(set).map(|row| values[row]).min());
            statistics.max = decimal((0..rows).filter(set).map(|row| values[row]).max());
        }
        PhysicalType::Null | PhysicalType::Binary | PhysicalType::Utf8 => {}
    }
    Some(statistics)
}

/// The array with the plain type of its bytes: timestamps as i64, decimals without their scale.
fn as_plain(array: &ArrayRef, physical: PhysicalType) -> Option<ArrayRef> {
    let plain = plain_type(physical);
    if array.data_type() == &plain {
        return Some(array.clone());
    }
    array.to_data().into_builder().data_type(plain).build().ok().map(arrow_array::make_array)
}

/// Least, greatest and sum of the valid values, of which there is one.
fn integer_extremes<T: ArrowPrimitiveType<Native: Ord>>(
    array: &ArrayRef,
    valid: Option<&NullBuffer>,
    widen: impl Fn(T::Native) -> i128,
) -> (T::Native, T::Native, i128) {
    let values = array.as_primitive::<T>().values();
    let (mut least, mut most, mut sum) = (T::Native::MAX_TOTAL_ORDER, T::Native::MIN_TOTAL_ORDER, 0);
    let mut add = |value: T::Native| {
        least = least.min(value);
        most = most.max(value);
        sum += widen(value);
    };
    match valid {
        None => values.iter().for_each(|value| add(*value)),
        Some(valid) => valid.inner().set_indices().for_each(|row| add(values[row])),
    }
    (least, most, sum)
}

/// Least, greatest and sum, added up in row order; `None` if a value is NaN.
fn float_extremes<T: ArrowPrimitiveType>(array: &ArrayRef, valid: Option<&NullBuffer>, widen: impl Fn(T::Native) -> f64) -> Option<(T::Native, T::Native, f64)>
where
    T::Native: PartialOrd,
{
    let values = array.as_primitive::<T>().values();
    let start = values[valid.map_or(0, |valid| valid.inner().set_indices().next().unwrap_or(0))];
    let (mut least, mut most, mut sum, mut comparable) = (start, start, 0.0, true);
    let mut add = |value: T::Native| {
        least = if value < least { value } else { least };
        most = if value > most { value } else { most };
        sum += widen(value);
        comparable &= value.partial_cmp(&value).is_some();
    };
    match valid {
        None => values.iter().for_each(|value| add(*value)),
        Some(valid) => valid.inner().set_indices().for_each(|row| add(values[row])),
    }
    comparable.then_some((least, most, sum))
}

/// Statistics with values of the column's type.
pub(crate) fn label(statistics: ColumnStatistics, data_type: DataType) -> ColumnStatistics {
    ColumnStatistics {
        sum: if data_type == DataType::Timestamp { Value::Null } else { statistics.sum },
        min: label_value(statistics.min, data_type),
        max: label_value(statistics.max, data_type),
        first: statistics.first.map(|(at, value)| (at, label_value(value, data_type))),
        last: statistics.last.map(|(at, value)| (at, label_value(value, data_type))),
        ..statistics
    }
}

fn sum_type(physical: PhysicalType) -> PhysicalType {
    match physical {
        PhysicalType::Boolean | PhysicalType::Int8 | PhysicalType::Int16 | PhysicalType::Int32 | PhysicalType::Int64 => PhysicalType::Int64,
        PhysicalType::UInt8 | PhysicalType::UInt16 | PhysicalType::UInt32 | PhysicalType::UInt64 => PhysicalType::UInt64,
        PhysicalType::Float32 | PhysicalType::Float64 => PhysicalType::Float64,
        _ => PhysicalType::Null,
    }
}

fn extreme_type(physical: PhysicalType) -> PhysicalType {
    match physical {
        PhysicalType::Binary | PhysicalType::Utf8 => PhysicalType::Null,
        other => other,
    }
}

/// Statistics of one column in the blocks of an index page.
#[derive(Debug)]
pub(crate) struct StatisticsSection {
    kept: BooleanArray,
    counts: ScalarBuffer<u32>,
    sums: ArrayRef,
    mins: ArrayRef,
    maxes: ArrayRef,
    first_times: ArrayRef,
    firsts: ArrayRef,
    last_times: ArrayRef,
    lasts: ArrayRef,
}

impl StatisticsSection {
    /// The section's bytes, for a column's statistics block by block.
    pub(crate) fn encode(physical: PhysicalType, blocks: &[Option<ColumnStatistics>]) -> Result<Vec<u8>> {
        let none = ColumnStatistics::default();
        let all = || blocks.iter().map(|block| block.as_ref().unwrap_or(&none));
        let ends = |pick: fn(&ColumnStatistics) -> &Option<(i64, Value)>| -> (ArrayRef, ArrayRef) {
            let values = all().map(move |block| pick(block).as_ref().map_or(&Value::Null, |(_, value)| value));
            (numbers(all().map(move |block| pick(block).as_ref().map(|(at, _)| *at))), plain_array(physical, values))
        };
        let mut out = Vec::new();
        write_array(&blocks.iter().map(|block| Some(block.is_some())).collect::<BooleanArray>(), &mut out)?;
        write_u32s(all().map(|block| block.count as u32).collect(), &mut out)?;
        write_array(&plain_array(sum_type(physical), all().map(|block| &block.sum)), &mut out)?;
        write_array(&plain_array(extreme_type(physical), all().map(|block| &block.min)), &mut out)?;
        write_array(&plain_array(extreme_type(physical), all().map(|block| &block.max)), &mut out)?;
        for (times, values) in [ends(|block| &block.first), ends(|block| &block.last)] {
            write_array(&times, &mut out)?;
            write_array(&values, &mut out)?;
        }
        Ok(out)
    }

    /// Reads a section over so many blocks.
    pub(crate) fn decode(physical: PhysicalType, blocks: usize, bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let reader = &mut reader;
        let section = Self {
            kept: read_array(reader, &ArrowType::Boolean, blocks)?.as_boolean().clone(),
            counts: read_u32s(reader, blocks)?,
            sums: read_array(reader, &plain_type(sum_type(physical)), blocks)?,
            mins: read_array(reader, &plain_type(extreme_type(physical)), blocks)?,
            maxes: read_array(reader, &plain_type(extreme_type(physical)), blocks)?,
            first_times: read_array(reader, &ArrowType::Int64, blocks)?,
            firsts: read_array(reader, &plain_type(physical), blocks)?,
            last_times: read_array(reader, &ArrowType::Int64, blocks)?,
            lasts: read_array(reader, &plain_type(physical), blocks)?,
        };
        reader.end()?;
        Ok(section)
    }

    /// Bytes that the section takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let arrays = [&self.sums, &self.mins, &self.maxes, &self.first_times, &self.firsts, &self.last_times, &self.lasts];
        arrays.into_iter().map(Array::get_array_memory_size).sum::<usize>() + self.counts.len() * 4
    }

    /// The statistics of a block of `rows` rows, if they are kept.
    pub(crate) fn block(&self, block: usize, rows: usize) -> Option<ColumnStatistics> {
        if !self.kept.is_valid(block) || !self.kept.value(block) {
            return None;
        }
        let count = u64::from(self.counts[block]);
        let end = |times: &ArrayRef, values: &ArrayRef| {
            let times = times.as_primitive::<Int64Type>();
            times.is_valid(block).then(|| (times.value(block), plain_value(values, block)))
        };
        Some(ColumnStatistics {
            count,
            nulls: (rows as u64).checked_sub(count)?,
            sum: plain_value(&self.sums, block),
            min: plain_value(&self.mins, block),
            max: plain_value(&self.maxes, block),
            first: end(&self.first_times, &self.firsts),
            last: end(&self.last_times, &self.lasts),
        })
    }
}
