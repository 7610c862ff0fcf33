//! The order in which TDengine has groups, by which SLIMIT picks them: that of the first eight bytes of an MD5 over the keys' values.
//! What partitions by `tbname` alone has its tables in the order in which they were made.

use arrow_array::{Array, ArrayRef};
use embudo_expr::value_at;
use embudo_types::Value;
use md5::{Digest, Md5};

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
    order.sort_by_cached_key(|partition| hash_of_row(keys, values, *partition as usize));
    order
}

/// What orders partitions before their numbers do: the hashes, or nothing where the numbers alone decide.
pub(crate) fn hashes(keys: &[KeyPlan], values: &[ArrayRef], partitions: usize) -> Vec<u64> {
    let by_number = matches!(keys, [key] if key.per_table && key.expr.data_type() == TABLE_NAME_TYPE);
    (0..partitions).map(|partition| if by_number { 0 } else { hash_of_row(keys, values, partition) }).collect()
}

/// The hash of a row's keys: over a byte a key that tells NULL, then the values, text with its length in two bytes before it.
pub(crate) fn hash_of_row(keys: &[KeyPlan], values: &[ArrayRef], partition: usize) -> u64 {
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
