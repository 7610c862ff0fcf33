//! A message of a subscription, as results hold it.

use std::ffi::CString;

use arrow_array::RecordBatch;

/// What came of one topic from one vgroup.
pub struct Message {
    /// Its topic.
    pub topic: CString,
    /// The topic's database.
    pub database: CString,
    /// The vgroup.
    pub vgroup: i32,
    /// Its place there.
    pub offset: i64,
    /// `tmq_res_t`.
    pub kind: i32,
    blocks: Vec<(Option<String>, RecordBatch)>,
}

impl Message {
    /// Blocks of rows with the name of their table, where it was asked for.
    pub fn blocks(&self) -> &[(Option<String>, RecordBatch)] {
        &self.blocks
    }
}
