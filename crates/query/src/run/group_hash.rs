//! The order in which TDengine has groups, by which SLIMIT picks them: that of the first eight bytes of an MD5 over the keys' values.
//! What partitions by `tbname` alone has its tables in the order in which they were made.

use arrow_array::{Array, ArrayRef};
use embudo_expr::value_at;
use embudo_types::{Result, Value};
use md5::{Digest, Md5};

use super::block::Block;
use crate::bind::relation::TABLE_NAME_TYPE;
use crate::plan::KeyPlan;

/// Numbers of partitions in their order; `values` holds an array a key, with a value a partition.
pub(crate) fn order(keys: &[KeyPlan], values: &[ArrayRef], partitions: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..partitions as u32).collect();
    if let [key] = keys
        && key.per_table
        && key.expr.data_type() == TABLE_NAME_TYPE
    {
        return order;
    }
    order.sort_by_cached_key(|partition| hash(keys, values, *partition as usize));
    order
}

/// The same for partitions that are a block each, all of whose rows have the same keys.
pub(crate) fn order_of_blocks(keys: &[KeyPlan], blocks: &[Block]) -> Result<Vec<u32>> {
    let mut hashes = Vec::with_capacity(blocks.len());
    for block in blocks {
        let first = block.slice(0, 1);
        let values = keys.iter().map(|key| key.expr.evaluate(&first.columns, 1)).collect::<Result<Vec<_>>>()?;
        hashes.push(hash(keys, &values, 0));
    }
    let mut order: Vec<u32> = (0..blocks.len() as u32).collect();
    order.sort_by_key(|block| hashes[*block as usize]);
    Ok(order)
}

/// A byte a key that tells NULL, then the values: text with its length in two bytes before it.
fn hash(keys: &[KeyPlan], values: &[ArrayRef], partition: usize) -> u64 {
    let mut bytes: Vec<u8> = values.iter().map(|array| u8::from(array.is_null(partition))).collect();
    for (key, array) in keys.iter().zip(values).filter(|(_, array)| !array.is_null(partition)) {
        append(&mut bytes, &value_at(array, key.expr.data_type(), partition));
    }
    let digest: [u8; 16] = Md5::digest(&bytes).into();
    digest[..8].iter().rev().fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
}

fn append(bytes: &mut Vec<u8>, value: &Value) {
    let mut text = |content: &[u8]| {
        bytes.extend((content.len() as u16).to_le_bytes());
        bytes.extend(content);
    };
    match value {
        Value::Varchar(content) | Value::VarBinary(content) | Value::Geometry(content) | Value::Blob(content) => text(content),
        // NCHAR is four bytes a character there.
        Value::NChar(content) => text(&content.chars().flat_map(|char| u32::from(char).to_le_bytes()).collect::<Vec<u8>>()),
        Value::Json(content) => text(content.as_bytes()),
        Value::Null => {}
        Value::Bool(value) => bytes.push(u8::from(*value)),
        Value::TinyInt(value) => bytes.extend(value.to_le_bytes()),
        Value::SmallInt(value) => bytes.extend(value.to_le_bytes()),
        Value::Int(value) => bytes.extend(value.to_le_bytes()),
        Value::BigInt(value) | Value::Timestamp(value) => bytes.extend(value.to_le_bytes()),
        Value::UTinyInt(value) => bytes.push(*value),
        Value::USmallInt(value) => bytes.extend(value.to_le_bytes()),
        Value::UInt(value) => bytes.extend(value.to_le_bytes()),
        Value::UBigInt(value) => bytes.extend(value.to_le_bytes()),
        Value::Float(value) => bytes.extend(value.to_le_bytes()),
        Value::Double(value) => bytes.extend(value.to_le_bytes()),
        Value::Decimal(value, ..) => bytes.extend(value.to_le_bytes()),
    }
}
