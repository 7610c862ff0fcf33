//! ORDER BY: all rows, or the first few of them.

use arrow_array::Array;
use embudo_types::Result;

use super::block::{Batch, Batches, none};
use crate::array::{KeyOrder, RowKeys, concat_columns};
use crate::context::CancelToken;

/// Rows beyond the wanted ones that may pile up before they are cut.
const SLACK: usize = 65_536;

/// Rows in order; equal keys keep theirs. Only the first `most`, where given.
pub(crate) fn sorted(batches: Batches, order: &[(usize, KeyOrder)], most: Option<usize>, cancel: &CancelToken) -> Result<Batches> {
    let mut kept: Vec<Batch> = Vec::new();
    let mut rows = 0;
    for batch in batches {
        cancel.check()?;
        let batch = batch?;
        rows += batch.rows;
        kept.push(batch);
        if let Some(most) = most
            && rows > most.saturating_mul(2).saturating_add(SLACK)
        {
            kept = first(&kept, order, most)?.into_iter().collect();
            rows = kept.iter().map(|batch| batch.rows).sum();
        }
    }
    Ok(first(&kept, order, most.unwrap_or(usize::MAX))?.map_or_else(none, |batch| Box::new(std::iter::once(Ok(batch)))))
}

fn first(batches: &[Batch], order: &[(usize, KeyOrder)], most: usize) -> Result<Option<Batch>> {
    let Some(head) = batches.first() else { return Ok(None) };
    let types: Vec<arrow_schema::DataType> = head.columns.iter().map(|column| column.data_type().clone()).collect();
    let parts: Vec<_> = batches.iter().map(|batch| batch.columns.clone()).collect();
    let rows: usize = batches.iter().map(|batch| batch.rows).sum();
    let groups = head.groups.is_some().then(|| batches.iter().flat_map(|batch| batch.groups.clone().unwrap_or_default()).collect());
    let all = Batch { rows, columns: concat_columns(&parts, &types)?, groups };
    let keys: Vec<_> = order.iter().map(|(place, _)| all.columns[*place].clone()).collect();
    let orders: Vec<KeyOrder> = order.iter().map(|(_, by)| *by).collect();
    let keys = RowKeys::encode(&keys, &orders, rows)?;
    let mut numbers: Vec<u32> = (0..rows as u32).collect();
    let compare = |a: &u32, b: &u32| keys.get(*a as usize).cmp(keys.get(*b as usize)).then(a.cmp(b));
    if most < rows {
        if most > 0 {
            numbers.select_nth_unstable_by(most - 1, compare);
        }
        numbers.truncate(most);
    }
    numbers.sort_unstable_by(compare);
    all.take(&numbers).map(Some)
}
