//! Rows picked, joined and repeated: the kernels that move cells between Arrow arrays. What cells mean is nobody's business here.

mod concat;
mod key;
mod take;

pub(crate) use concat::{concat, concat_columns, interleave, null_array, repeat};
pub(crate) use key::{KeyOrder, RowKeys};
pub(crate) use take::{NO_ROW, selected, take, take_all, take_or_null};
