//! The two kinds of pieces: rows of one source as they are, and rows of several with their keys merged.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, make_array, new_null_array};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, BooleanBufferBuilder, Buffer, NullBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_schema::DataType as ArrowType;
use embudo_types::arrow::arrow_type;
use embudo_types::{ColumnStatistics, DataType, Error, Result, Value};

use super::range_of;
use crate::cells::{compare_rows, fixed_values};
use crate::resolve::gather;
use crate::rows::{BatchColumn, ColumnId, TIMESTAMP_COLUMN, TimeRange};
use crate::scan::{Chunk, PieceData, ScanRequest};
use crate::source::SourceRef;

/// Some rows of a source.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) source: SourceRef,
    pub(super) rows: Range<usize>,
}

/// What a column of a request is.
enum Asked {
    Timestamp,
    Key,
    /// A stored column: place among those to load.
    Stored(usize),
}

/// Columns of a request with the Arrow types to give, and those of them that sources are to load.
type AskedColumns = (Vec<(Asked, ArrowType)>, Vec<(ColumnId, DataType)>);

/// The columns at some places of a request, and those of them that sources are to load.
fn asked(request: &ScanRequest, places: &[usize]) -> Result<AskedColumns> {
    let (mut all, mut stored) = (Vec::with_capacity(places.len()), Vec::with_capacity(places.len()));
    for place in places {
        let &(id, data_type) = request.columns.get(*place).ok_or_else(|| Error::internal(format!("no column {place} in the scan")))?;
        let kind = if id == TIMESTAMP_COLUMN {
            Asked::Timestamp
        } else if request.key.is_some_and(|key| key.0 == id) {
            Asked::Key
        } else {
            stored.push((id, data_type));
            Asked::Stored(stored.len() - 1)
        };
        all.push((kind, arrow_type(data_type, request.precision)));
    }
    Ok((all, stored))
}

/// The array as one of the type asked for, which lies in the same way.
fn relabel(array: ArrayRef, data_type: &ArrowType) -> Result<ArrayRef> {
    if array.data_type() == data_type {
        return Ok(array);
    }
    let data = array.to_data().into_builder().data_type(data_type.clone()).build();
    Ok(make_array(data.map_err(|error| Error::internal(format!("a column is {} and not {data_type}", array.data_type())).caused_by(error))?))
}

fn timestamp_array(timestamps: &ScalarBuffer<i64>, data_type: &ArrowType) -> Result<ArrayRef> {
    relabel(Arc::new(Int64Array::new(timestamps.clone(), None)), data_type)
}

/// Statistics of timestamps, which need only their range.
fn timestamp_statistics(rows: usize, range: TimeRange) -> ColumnStatistics {
    let [first, last] = [range.start, range.end].map(Value::Timestamp);
    ColumnStatistics {
        count: rows as u64,
        nulls: 0,
        sum: Value::Null,
        min: first.clone(),
        max: last.clone(),
        first: Some((range.start, first)),
        last: Some((range.end, last)),
    }
}

/// Rows of one source, overlapped by nothing.
pub(super) struct Run {
    part: Part,
    range: TimeRange,
    request: Arc<ScanRequest>,
}

impl Run {
    pub(super) fn new(part: Part, request: &Arc<ScanRequest>) -> Result<Self> {
        Ok(Self { range: range_of(&part)?, part, request: request.clone() })
    }
}

impl PieceData for Run {
    fn rows(&self) -> usize {
        self.part.rows.len()
    }

    fn range(&self) -> TimeRange {
        self.range
    }

    fn statistics(&self, column: ColumnId) -> Option<ColumnStatistics> {
        if column == TIMESTAMP_COLUMN {
            return Some(timestamp_statistics(self.rows(), self.range));
        }
        let data_type = self.request.columns.iter().find(|(id, _)| *id == column)?.1;
        if self.part.rows.len() < self.part.source.rows() || self.request.key.is_some_and(|key| key.0 == column) {
            return None;
        }
        self.part.source.statistics(column, data_type)
    }

    fn load(&self, columns: &[usize]) -> Result<Chunk> {
        let (asked, stored) = asked(&self.request, columns)?;
        let Part { source, rows } = &self.part;
        let timestamps = source.timestamps(rows.clone())?;
        let loaded = if stored.is_empty() { Vec::new() } else { source.load(&stored, rows.clone())? };
        let columns = asked.into_iter().map(|(kind, data_type)| match kind {
            Asked::Timestamp => timestamp_array(&timestamps, &data_type),
            Asked::Key => relabel(source.keys(rows.clone())?.ok_or_else(no_key)?, &data_type),
            Asked::Stored(place) => match &loaded[place] {
                Some(column) => relabel(with_absent_as_null(column)?, &data_type),
                None => Ok(new_null_array(&data_type, rows.len())),
            },
        });
        Ok(Chunk { columns: columns.collect::<Result<_>>()?, timestamps })
    }
}

fn no_key() -> Error {
    Error::internal("rows without the composite key of their table")
}

fn with_absent_as_null(column: &BatchColumn) -> Result<ArrayRef> {
    let Some(present) = &column.present else { return Ok(column.array.clone()) };
    let data = column.array.to_data();
    let nulls = NullBuffer::union(data.nulls(), Some(&NullBuffer::new(present.clone())));
    Ok(make_array(data.into_builder().nulls(nulls).build().map_err(|error| Error::internal("absent cells do not fit their column").caused_by(error))?))
}

/// Rows of several sources whose keys are merged.
pub(super) struct Merged {
    /// Oldest first.
    parts: Vec<Part>,
    timestamps: ScalarBuffer<i64>,
    /// All rows as (part, row in it) in key order, of one key oldest first.
    order: Vec<(u32, u32)>,
    /// End in `order` of the rows of each key; `None` if every key comes once.
    ends: Option<Vec<u32>>,
    request: Arc<ScanRequest>,
}

impl Merged {
    pub(super) fn new(parts: Vec<Part>, request: &Arc<ScanRequest>) -> Result<Self> {
        let times = parts.iter().map(|part| part.source.timestamps(part.rows.clone())).collect::<Result<Vec<_>>>()?;
        if request.key.is_none() {
            let (timestamps, order, ends) = merge_timestamps(&times);
            return Ok(Self { parts, timestamps, order, ends, request: request.clone() });
        }
        let keys = parts.iter().map(|part| part.source.keys(part.rows.clone())?.ok_or_else(no_key)).collect::<Result<Vec<_>>>()?;
        let compare = |left: (u32, u32), right: (u32, u32)| {
            let row = |(part, row): (u32, u32)| (&times[part as usize][..], Some(&keys[part as usize]), row as usize);
            compare_rows(row(left), row(right))
        };
        let mut order: Vec<(u32, u32)> = times.iter().zip(0..).flat_map(|(times, part)| (0..times.len() as u32).map(move |row| (part, row))).collect();
        // Stable, and quick on what is sorted in parts.
        order.sort_by(|left, right| compare(*left, *right));
        let ends: Vec<u32> =
            (1..=order.len()).filter(|end| *end == order.len() || compare(order[end - 1], order[*end]) != Ordering::Equal).map(|end| end as u32).collect();
        let timestamps = ends.iter().map(|end| order[*end as usize - 1]).map(|(part, row)| times[part as usize][row as usize]).collect();
        let ends = (ends.len() < order.len()).then_some(ends);
        Ok(Self { parts, timestamps, order, ends, request: request.clone() })
    }

    /// Rows of each key, oldest first.
    fn keys(&self) -> impl ExactSizeIterator<Item = &[(u32, u32)]> {
        (0..self.timestamps.len()).map(|key| match &self.ends {
            None => &self.order[key..=key],
            Some(ends) => &self.order[key.checked_sub(1).map_or(0, |before| ends[before] as usize)..ends[key] as usize],
        })
    }

    /// The newest present cell of each key out of one column of the parts; `None` where a part does not hold it.
    fn column(&self, parts: &[Option<&BatchColumn>], data_type: &ArrowType) -> Result<ArrayRef> {
        let mut places = Vec::with_capacity(parts.len());
        let mut arrays = Vec::with_capacity(parts.len());
        for column in parts {
            places.push(arrays.len() as u32);
            if let Some(column) = column {
                arrays.push(relabel(column.array.clone(), data_type)?);
            }
        }
        if arrays.is_empty() {
            return Ok(new_null_array(data_type, self.timestamps.len()));
        }
        let absent: Vec<Option<&BooleanBuffer>> = parts.iter().map(|column| column.and_then(|column| column.present.as_ref())).collect();
        let is_present = |part: usize, row: usize| parts[part].is_some() && absent[part].is_none_or(|present| present.value(row));
        let newest = |rows: &[(u32, u32)]| {
            let cell = rows.iter().rev().find(|(part, row)| is_present(*part as usize, *row as usize));
            cell.map(|(part, row)| (places[*part as usize], *row))
        };
        match gather_fixed(&arrays, data_type, self.keys().map(newest))? {
            Some(array) => Ok(array),
            None => gather(&arrays.iter().collect::<Vec<_>>(), self.keys().map(newest)),
        }
    }

    fn key_column(&self, data_type: &ArrowType) -> Result<ArrayRef> {
        let keys = self.parts.iter().map(|part| part.source.keys(part.rows.clone())?.ok_or_else(no_key)).collect::<Result<Vec<_>>>()?;
        relabel(gather(&keys.iter().collect::<Vec<_>>(), self.keys().map(|rows| rows.last().copied()))?, data_type)
    }
}

/// Cells of fixed width picked as (array, row), `None` for NULL; nothing for other layouts. Rows of several sources often alternate, so this
/// copies cell by cell where `gather` copies runs.
fn gather_fixed(arrays: &[ArrayRef], data_type: &ArrowType, cells: impl ExactSizeIterator<Item = Option<(u32, u32)>>) -> Result<Option<ArrayRef>> {
    let Some(buffers) = arrays.iter().map(|array| fixed_values(&**array)).collect::<Option<Vec<_>>>() else { return Ok(None) };
    let nulls: Vec<Option<&NullBuffer>> = arrays.iter().map(|array| array.nulls().filter(|nulls| nulls.null_count() > 0)).collect();
    let rows = cells.len();
    let mut valid = BooleanBufferBuilder::new(rows);
    let values = match data_type.primitive_width() {
        Some(1) => pick::<i8>(&buffers, &nulls, cells, &mut valid),
        Some(2) => pick::<i16>(&buffers, &nulls, cells, &mut valid),
        Some(4) => pick::<i32>(&buffers, &nulls, cells, &mut valid),
        Some(8) => pick::<i64>(&buffers, &nulls, cells, &mut valid),
        Some(16) => pick::<i128>(&buffers, &nulls, cells, &mut valid),
        _ => return Ok(None),
    };
    let data =
        ArrayData::builder(data_type.clone()).len(rows).add_buffer(values).nulls(Some(NullBuffer::new(valid.finish())).filter(|nulls| nulls.null_count() > 0));
    Ok(Some(make_array(data.build().map_err(|error| Error::internal("merged cells do not fit their column").caused_by(error))?)))
}

fn pick<T: ArrowNativeType>(
    buffers: &[&Buffer],
    nulls: &[Option<&NullBuffer>],
    cells: impl Iterator<Item = Option<(u32, u32)>>,
    valid: &mut BooleanBufferBuilder,
) -> Buffer {
    let values: Vec<&[T]> = buffers.iter().map(|buffer| buffer.typed_data()).collect();
    let pick = |cell: Option<(u32, u32)>| {
        let found = cell.map(|(array, row)| (array as usize, row as usize)).filter(|(array, row)| nulls[*array].is_none_or(|nulls| nulls.is_valid(*row)));
        valid.append(found.is_some());
        found.map_or(T::default(), |(array, row)| values[array][row])
    };
    Buffer::from_vec(cells.map(pick).collect::<Vec<T>>())
}

type Order = (ScalarBuffer<i64>, Vec<(u32, u32)>, Option<Vec<u32>>);

/// Merges ascending timestamps, without composite keys.
fn merge_timestamps(times: &[ScalarBuffer<i64>]) -> Order {
    let rows = times.iter().map(ScalarBuffer::len).sum();
    let mut order: Vec<(u32, u32)> = Vec::with_capacity(rows);
    let mut merged: Vec<i64> = Vec::with_capacity(rows);
    let mut ends: Vec<u32> = Vec::with_capacity(rows);
    let mut heads = vec![0; times.len()];
    // The two smallest heads: the smaller one's rows go on until they reach the other.
    while let Some((part, next)) = smallest(times, &heads) {
        let rest = &times[part][heads[part]..];
        let count = match next {
            None => rest.len(),
            Some(next) => rest.partition_point(|timestamp| *timestamp < next).max(1),
        };
        for &timestamp in &rest[..count] {
            order.push((part as u32, heads[part] as u32));
            heads[part] += 1;
            if merged.last() == Some(&timestamp) {
                if let Some(end) = ends.last_mut() {
                    *end += 1;
                }
            } else {
                merged.push(timestamp);
                ends.push(order.len() as u32);
            }
        }
    }
    let ends = (merged.len() < order.len()).then_some(ends);
    (merged.into(), order, ends)
}

/// The part whose next timestamp is smallest, the oldest of those that are equal, and the smallest of the others.
fn smallest(times: &[ScalarBuffer<i64>], heads: &[usize]) -> Option<(usize, Option<i64>)> {
    let mut least: Option<(i64, usize)> = None;
    let mut second: Option<i64> = None;
    for (part, (times, head)) in times.iter().zip(heads).enumerate() {
        let Some(&timestamp) = times.get(*head) else { continue };
        match least {
            Some((smallest, _)) if timestamp >= smallest => second = Some(second.map_or(timestamp, |second: i64| second.min(timestamp))),
            _ => {
                second = least.map(|(smallest, _)| smallest);
                least = Some((timestamp, part));
            }
        }
    }
    least.map(|(_, part)| (part, second))
}

impl PieceData for Merged {
    fn rows(&self) -> usize {
        self.timestamps.len()
    }

    fn range(&self) -> TimeRange {
        TimeRange::new(self.timestamps[0], self.timestamps[self.timestamps.len() - 1])
    }

    fn statistics(&self, column: ColumnId) -> Option<ColumnStatistics> {
        (column == TIMESTAMP_COLUMN).then(|| timestamp_statistics(self.rows(), self.range()))
    }

    fn load(&self, columns: &[usize]) -> Result<Chunk> {
        let (asked, stored) = asked(&self.request, columns)?;
        let loaded = if stored.is_empty() {
            Vec::new()
        } else {
            self.parts.iter().map(|part| part.source.load(&stored, part.rows.clone())).collect::<Result<Vec<_>>>()?
        };
        let columns = asked.into_iter().map(|(kind, data_type)| match kind {
            Asked::Timestamp => timestamp_array(&self.timestamps, &data_type),
            Asked::Key => self.key_column(&data_type),
            Asked::Stored(place) => self.column(&loaded.iter().map(|part| part[place].as_ref()).collect::<Vec<_>>(), &data_type),
        });
        Ok(Chunk { columns: columns.collect::<Result<_>>()?, timestamps: self.timestamps.clone() })
    }
}
