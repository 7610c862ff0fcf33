//! The bind-data block of one column.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray,
    types::{
        ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use embudo_types::{DataType, Precision, Result};

use super::{BoundColumn, refused};

const VALUE: u8 = 0;
const NULL: u8 = 1;
const UNSET: u8 = 2;

/// A cursor over little-endian bytes that never reads past their end.
pub(super) struct Bytes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len()).ok_or_else(|| refused("bind data is too short"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        self.take(2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.take(4).map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub(super) fn length(&mut self) -> Result<usize> {
        self.u32().map(|length| length as usize)
    }
}

/// Reads one block. TIMESTAMP cells are ticks of `precision`.
pub(super) fn decode(bytes: &mut Bytes<'_>, precision: Precision) -> Result<BoundColumn> {
    let start = bytes.at();
    let total = bytes.length()?;
    let id = bytes.u32()?;
    let rows = bytes.length()?;
    let states = bytes.take(rows)?;
    let has_lengths = bytes.take(1)?[0] == 1;
    let lengths = if has_lengths { Some(bytes.take(rows.checked_mul(4).ok_or_else(|| refused("bind data is too short"))?)?) } else { None };
    let size = bytes.length()?;
    let data = bytes.take(size)?;
    if bytes.at() - start != total {
        return Err(refused(format!("bind data length error: block says {total}, holds {}", bytes.at() - start)));
    }
    if let Some(state) = states.iter().find(|state| **state > UNSET) {
        return Err(refused(format!("bind data has a cell of unknown state {state}")));
    }
    let nulls = NullBuffer::new(BooleanBuffer::collect_bool(rows, |row| states[row] == VALUE));
    let present = states.contains(&UNSET).then(|| BooleanBuffer::collect_bool(rows, |row| states[row] != UNSET));
    let bare = u8::try_from(id).map_err(|_| refused(format!("unsupported data type {id}"))).and_then(|id| DataType::from_id(id, 0))?;
    let (data_type, array) = match lengths {
        Some(lengths) => variable(bare, lengths, data, nulls)?,
        None => (bare, fixed(bare, precision, data, nulls)?),
    };
    Ok(BoundColumn { data_type, array, present })
}

fn fixed(data_type: DataType, precision: Precision, data: &[u8], nulls: NullBuffer) -> Result<ArrayRef> {
    let rows = nulls.len();
    Ok(match data_type {
        DataType::Bool => {
            let data = padded(data, rows)?;
            Arc::new(BooleanArray::new(BooleanBuffer::collect_bool(rows, |row| data[row] != 0), Some(nulls)))
        }
        DataType::TinyInt => primitive::<Int8Type>(data, nulls)?,
        DataType::SmallInt => primitive::<Int16Type>(data, nulls)?,
        DataType::Int => primitive::<Int32Type>(data, nulls)?,
        DataType::BigInt => primitive::<Int64Type>(data, nulls)?,
        DataType::UTinyInt => primitive::<UInt8Type>(data, nulls)?,
        DataType::USmallInt => primitive::<UInt16Type>(data, nulls)?,
        DataType::UInt => primitive::<UInt32Type>(data, nulls)?,
        DataType::UBigInt => primitive::<UInt64Type>(data, nulls)?,
        DataType::Float => primitive::<Float32Type>(data, nulls)?,
        DataType::Double => primitive::<Float64Type>(data, nulls)?,
        DataType::Timestamp => match precision {
            Precision::Milli => primitive::<TimestampMillisecondType>(data, nulls)?,
            Precision::Micro => primitive::<TimestampMicrosecondType>(data, nulls)?,
            Precision::Nano => primitive::<TimestampNanosecondType>(data, nulls)?,
        },
        // A column of a variable type without any value comes without lengths and data.
        _ if data.is_empty() && nulls.null_count() == rows => variable(data_type, &vec![0; rows * 4], data, nulls)?.1,
        other => return Err(refused(format!("unsupported data type {}", other.id()))),
    })
}

/// The cells' bytes, or zeros where no cell has a value and none were sent.
fn padded(data: &[u8], size: usize) -> Result<std::borrow::Cow<'_, [u8]>> {
    match data.len() {
        0 if size > 0 => Ok(vec![0; size].into()),
        length if length == size => Ok(data.into()),
        length => Err(refused(format!("bind data has {length} bytes where its rows need {size}"))),
    }
}

fn primitive<T: ArrowPrimitiveType>(data: &[u8], nulls: NullBuffer) -> Result<ArrayRef> {
    let rows = nulls.len();
    let width = T::Native::get_byte_width();
    if data.is_empty() && nulls.null_count() < rows {
        return Err(refused("bind data has values but no bytes"));
    }
    let data = padded(data, rows.checked_mul(width).ok_or_else(|| refused("bind data is too short"))?)?;
    // A copy into Arrow's own allocation gives the alignment that the wire does not.
    let values = ScalarBuffer::<T::Native>::new(Buffer::from(data.as_ref()), 0, rows);
    Ok(Arc::new(PrimitiveArray::<T>::new(values, Some(nulls))))
}

fn variable(data_type: DataType, lengths: &[u8], data: &[u8], nulls: NullBuffer) -> Result<(DataType, ArrayRef)> {
    let mut offsets = Vec::with_capacity(nulls.len() + 1);
    let (mut end, mut longest) = (0_usize, 0_u32);
    offsets.push(0_i32);
    for length in lengths.chunks_exact(4) {
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
        longest = longest.max(length);
        end = end.saturating_add(length as usize);
        offsets.push(i32::try_from(end).map_err(|_| refused("bind data is too long"))?);
    }
    if end != data.len() {
        return Err(refused(format!("bind data has {} bytes where its lengths add up to {end}", data.len())));
    }
    let (offsets, values) = (OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from(data));
    let sized = match data_type {
        DataType::Varchar(_) => DataType::Varchar(longest),
        DataType::VarBinary(_) => DataType::VarBinary(longest),
        DataType::Geometry(_) => DataType::Geometry(longest),
        DataType::NChar(_) => DataType::NChar(longest),
        DataType::Json | DataType::Blob | DataType::MediumBlob | DataType::Decimal(..) => data_type,
        other => return Err(refused(format!("unsupported data type {} with lengths", other.id()))),
    };
    let array: ArrayRef = match sized {
        DataType::NChar(_) | DataType::Json | DataType::Decimal(..) => {
            Arc::new(StringArray::try_new(offsets, values, Some(nulls)).map_err(|source| refused("bind data is no UTF-8 text").caused_by(source))?)
        }
        _ => Arc::new(BinaryArray::try_new(offsets, values, Some(nulls)).map_err(|source| refused("bind data is broken").caused_by(source))?),
    };
    Ok((sized, array))
}

/// Writes one block.
pub(super) fn encode(column: &BoundColumn, out: &mut Vec<u8>) -> Result<()> {
    let (start, rows) = (out.len(), column.array.len());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&u32::from(column.data_type.id()).to_le_bytes());
    out.extend_from_slice(&(rows as u32).to_le_bytes());
    out.extend((0..rows).map(|row| match &column.present {
        Some(present) if !present.value(row) => UNSET,
        _ => {
            if column.array.is_null(row) {
                NULL
            } else {
                VALUE
            }
        }
    }));
    let any = column.array.as_any();
    if let Some(texts) = any.downcast_ref::<StringArray>() {
        encode_variable(rows, |row| texts.is_valid(row).then(|| texts.value(row).as_bytes()), out);
    } else if let Some(bytes) = any.downcast_ref::<BinaryArray>() {
        encode_variable(rows, |row| bytes.is_valid(row).then(|| bytes.value(row)), out);
    } else {
        out.push(0);
        encode_fixed(column, out)?;
    }
    let total = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&total.to_le_bytes());
    Ok(())
}

fn encode_variable<'a>(rows: usize, value: impl Fn(usize) -> Option<&'a [u8]>, out: &mut Vec<u8>) {
    out.push(1);
    let mut size = 0;
    for row in 0..rows {
        let length = value(row).map_or(0, <[u8]>::len);
        size += length;
        out.extend_from_slice(&(length as u32).to_le_bytes());
    }
    out.extend_from_slice(&(size as u32).to_le_bytes());
    for row in 0..rows {
        out.extend_from_slice(value(row).unwrap_or_default());
    }
}

fn encode_fixed(column: &BoundColumn, out: &mut Vec<u8>) -> Result<()> {
    let rows = column.array.len();
    if column.array.null_count() == rows {
        out.extend_from_slice(&0_u32.to_le_bytes());
        return Ok(());
    }
    if let Some(values) = column.array.as_any().downcast_ref::<BooleanArray>() {
        out.extend_from_slice(&(rows as u32).to_le_bytes());
        out.extend((0..rows).map(|row| u8::from(values.is_valid(row) && values.value(row))));
        return Ok(());
    }
    let data = column.array.to_data();
    let width = data.data_type().primitive_width().ok_or_else(|| refused(format!("unsupported data type {}", column.data_type.id())))?;
    let values = &data.buffers()[0].as_slice()[data.offset() * width..(data.offset() + rows) * width];
    out.extend_from_slice(&(values.len() as u32).to_le_bytes());
    out.extend_from_slice(values);
    Ok(())
}
