//! Rows in any order become rows sorted by key, each key once: newer wins cell by cell, absent keeps the older cell. For batches on
//! their way in, tails of the memory table and flush; scans merge without copying, in `merge`.

use std::cmp::Ordering;
use std::ops::Range;

use arrow_array::{Array, ArrayRef, make_array};
use arrow_buffer::{BooleanBufferBuilder, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_data::transform::MutableArrayData;
use embudo_types::{Error, Result};

use crate::cells::compare_rows;
use crate::rows::{BatchColumn, ColumnBatch, ColumnId};

/// Whether the rows are sorted and every key comes once.
pub(crate) fn is_ascending(timestamps: &[i64], key: Option<&ArrayRef>) -> bool {
    if key.is_none() {
        return timestamps.is_sorted_by(|left, right| left < right);
    }
    (1..timestamps.len()).all(|row| compare_rows((timestamps, key, row - 1), (timestamps, key, row)) == Ordering::Less)
}

/// A batch with sorted, unique keys. Where a key comes twice the later row wins.
pub(crate) fn normalize(batch: ColumnBatch) -> Result<ColumnBatch> {
    if is_ascending(&batch.timestamps, batch.key.as_ref()) { Ok(batch) } else { resolve(&[batch]) }
}

/// One batch out of several of the same table, oldest first; within a batch later rows are newer.
pub(crate) fn resolve(parts: &[ColumnBatch]) -> Result<ColumnBatch> {
    let mut order: Vec<(u32, u32)> = Vec::with_capacity(parts.iter().map(ColumnBatch::rows).sum());
    for (part, batch) in parts.iter().enumerate() {
        order.extend((0..batch.rows() as u32).map(|row| (part as u32, row)));
    }
    let row_of = |&(part, row): &(u32, u32)| {
        let batch = &parts[part as usize];
        (&batch.timestamps[..], batch.key.as_ref(), row as usize)
    };
    // Stable: rows of equal keys stay oldest first.
    order.sort_by(|left, right| compare_rows(row_of(left), row_of(right)));
    let groups = group(&order, |left, right| compare_rows(row_of(left), row_of(right)) == Ordering::Equal);
    let timestamps: ScalarBuffer<i64> = groups.iter().map(|group| row_of(&order[group.start]).0[order[group.start].1 as usize]).collect();
    let picked: Vec<(u32, u32)> = groups.iter().map(|group| order[group.end - 1]).collect();
    let key = match parts.iter().map(|part| part.key.as_ref()).collect::<Option<Vec<_>>>() {
        Some(keys) if !keys.is_empty() => Some(gather(&keys, picked.iter().map(|&at| Some(at)))?),
        _ => None,
    };
    let mut ids: Vec<ColumnId> = parts.iter().flat_map(|part| part.columns.iter().map(|column| column.id)).collect();
    ids.sort_unstable();
    ids.dedup();
    let columns = ids.into_iter().map(|id| resolve_column(parts, id, &order, &groups)).collect::<Result<_>>()?;
    let (uid, schema_version) = parts.iter().map(|part| (part.uid, part.schema_version)).max().unwrap_or_default();
    Ok(ColumnBatch { uid, schema_version, timestamps, key, columns })
}

fn group(order: &[(u32, u32)], equal: impl Fn(&(u32, u32), &(u32, u32)) -> bool) -> Vec<Range<usize>> {
    let mut groups = Vec::with_capacity(order.len());
    let mut start = 0;
    for at in 1..=order.len() {
        if at == order.len() || !equal(&order[start], &order[at]) {
            groups.push(start..at);
            start = at;
        }
    }
    groups
}

fn resolve_column(parts: &[ColumnBatch], id: ColumnId, order: &[(u32, u32)], groups: &[Range<usize>]) -> Result<BatchColumn> {
    let holders: Vec<Option<&BatchColumn>> = parts.iter().map(|part| part.columns.iter().find(|column| column.id == id)).collect();
    let arrays: Vec<&ArrayRef> = holders.iter().flatten().map(|column| &column.array).collect();
    // Place of a part's array among the arrays.
    let mut places = Vec::with_capacity(parts.len());
    let mut next = 0;
    for holder in &holders {
        places.push(next);
        next += u32::from(holder.is_some());
    }
    let cells: Vec<Option<(u32, u32)>> = groups
        .iter()
        .map(|group| {
            let newest = order[group.clone()]
                .iter()
                .rev()
                .find(|(part, row)| holders[*part as usize].is_some_and(|column| column.present.as_ref().is_none_or(|present| present.value(*row as usize))));
            newest.map(|&(part, row)| (places[part as usize], row))
        })
        .collect();
    let present = cells.iter().any(Option::is_none).then(|| {
        let mut bits = BooleanBufferBuilder::new(cells.len());
        for cell in &cells {
            bits.append(cell.is_some());
        }
        bits.finish()
    });
    Ok(BatchColumn { id, array: gather(&arrays, cells.into_iter())?, present })
}

/// An array of cells picked as (array, row); `None` gives NULL. `arrays` is not empty and of one type.
pub(crate) fn gather(arrays: &[&ArrayRef], cells: impl ExactSizeIterator<Item = Option<(u32, u32)>>) -> Result<ArrayRef> {
    let data: Vec<ArrayData> = arrays.iter().map(Array::to_data).collect();
    let mut output = MutableArrayData::new(data.iter().collect(), true, cells.len());
    let mut run: Option<(u32, Range<u32>)> = None;
    let mut copy = |run: Option<(u32, Range<u32>)>, null: bool| {
        if let Some((array, rows)) = run {
            output.try_extend(array as usize, rows.start as usize, rows.end as usize)?;
        }
        if null { output.try_extend_nulls(1) } else { Ok(()) }
    };
    for cell in cells {
        match (&mut run, cell) {
            (Some((array, rows)), Some((cell_array, row))) if *array == cell_array && rows.end == row => rows.end += 1,
            (_, Some((array, row))) => copy(run.replace((array, row..row + 1)), false).map_err(Error::internal)?,
            (_, None) => copy(run.take(), true).map_err(Error::internal)?,
        }
    }
    copy(run, false).map_err(Error::internal)?;
    Ok(make_array(output.freeze()))
}

/// Some rows of a batch, without copying.
pub(crate) fn slice(batch: &ColumnBatch, rows: Range<usize>) -> ColumnBatch {
    ColumnBatch {
        uid: batch.uid,
        schema_version: batch.schema_version,
        timestamps: batch.timestamps.slice(rows.start, rows.len()),
        key: batch.key.as_ref().map(|key| key.slice(rows.start, rows.len())),
        columns: batch.columns.iter().map(|column| slice_column(column, rows.clone())).collect(),
    }
}

/// Some rows of a column, without copying.
pub(crate) fn slice_column(column: &BatchColumn, rows: Range<usize>) -> BatchColumn {
    BatchColumn {
        id: column.id,
        array: column.array.slice(rows.start, rows.len()),
        present: column.present.as_ref().map(|present| present.slice(rows.start, rows.len())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int32Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    use arrow_buffer::BooleanBuffer;

    use super::*;

    #[expect(clippy::option_option, reason = "absent, NULL, value")]
    fn batch(rows: &[(i64, i32, Option<Option<i32>>)]) -> ColumnBatch {
        let values: Int32Array = rows.iter().map(|row| row.2.flatten()).collect();
        ColumnBatch {
            uid: 1,
            schema_version: 1,
            timestamps: rows.iter().map(|row| row.0).collect(),
            key: Some(Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int32Array>())),
            columns: vec![BatchColumn { id: 3, array: Arc::new(values), present: Some(rows.iter().map(|row| row.2.is_some()).collect::<BooleanBuffer>()) }],
        }
    }

    #[test]
    fn newer_cells_win_and_absent_ones_keep_the_older() {
        let old = batch(&[(5, 1, Some(Some(51))), (3, 1, Some(Some(31))), (3, 2, Some(Some(32)))]);
        let new = batch(&[(3, 2, Some(None)), (3, 1, None), (9, 1, None)]);
        let merged = resolve(&[old, new]).unwrap();
        assert_eq!(&merged.timestamps[..], [3, 3, 5, 9]);
        assert_eq!(merged.key.unwrap().as_primitive::<Int32Type>().values()[..], [1, 2, 1, 1]);
        let column = &merged.columns[0];
        assert_eq!(column.array.as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [Some(31), None, Some(51), None]);
        assert_eq!(column.present.as_ref().unwrap().iter().collect::<Vec<_>>(), [true, true, true, false]);
    }
}
