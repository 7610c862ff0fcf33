//! What a statement gave: affected rows, or raw blocks straight into Arrow.

use std::{
    ffi::{c_int, c_void},
    sync::Arc,
};

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use embudo_types::{DataType, Error, Outcome, Precision, Result, ResultSet, arrow, code};
use embudo_wire::raw_block;

use super::{
    abi::{Field, NAME_BYTES},
    library::Library,
};

/// A result of the library, which is freed with this.
pub struct Answer {
    pub(super) library: &'static Library,
    handle: *mut c_void,
    /// Keeps what the result belongs to, a connection or a statement.
    _owner: Arc<dyn Send + Sync>,
    /// It ends with its owner.
    is_borrowed: bool,
}

// SAFETY: a result may be used by any thread, by one at a time; nothing here shares it.
unsafe impl Send for Answer {}

impl Answer {
    /// A result as a call gave it; NULL is the thread's last error.
    pub fn new(library: &'static Library, handle: *mut c_void, owner: Arc<dyn Send + Sync>) -> Result<Self> {
        Self::checked(Self { library, handle, _owner: owner, is_borrowed: false })
    }

    /// One that ends with its owner.
    pub fn borrowed(library: &'static Library, handle: *mut c_void, owner: Arc<dyn Send + Sync>) -> Result<Self> {
        Self::checked(Self { library, handle, _owner: owner, is_borrowed: true })
    }

    fn checked(self) -> Result<Self> {
        if self.handle.is_null() {
            return Err(self.library.last_error());
        }
        // SAFETY: a result that is there.
        let number = unsafe { self.library.taos_errno()?(self.handle) };
        if number == 0 { Ok(self) } else { Err(self.library.error(number, self.handle)) }
    }

    /// Rows written.
    pub fn affected(&self) -> Result<u64> {
        let rows = match self.library.taos_affected_rows64() {
            // SAFETY: a result that is there.
            Ok(function) => unsafe { function(self.handle) },
            // SAFETY: as above.
            Err(_) => i64::from(unsafe { self.library.taos_affected_rows()?(self.handle) }),
        };
        Ok(rows.max(0) as u64)
    }

    /// How many columns there are.
    fn columns(&self) -> Result<usize> {
        // SAFETY: a result that is there.
        Ok(usize::try_from(unsafe { self.library.taos_field_count()?(self.handle) }).unwrap_or(0))
    }

    /// Columns and precision, as they are now.
    pub fn schema(&self) -> Result<(SchemaRef, Precision)> {
        let count = self.columns()?;
        // SAFETY: a result that is there.
        let precision = Precision::from_id(unsafe { self.library.taos_result_precision()?(self.handle) } as u8)?;
        // SAFETY: as above; as many fields as it says.
        let fields = unsafe { slice(self.library.taos_fetch_fields()?(self.handle), count) };
        if fields.len() < count {
            return Err(self.library.last_error());
        }
        // What a decimal's digits are only newer libraries tell, as only newer servers have decimals.
        let is_decimal = |field: &Field| DataType::from_id(field.data_type as u8, 0).is_ok_and(|data_type| matches!(data_type, DataType::Decimal(..)));
        let extended = if fields.iter().any(is_decimal) {
            // SAFETY: as above.
            unsafe { slice(self.library.taos_fetch_fields_e()?(self.handle), count) }
        } else {
            &[]
        };
        let described = fields.iter().enumerate().map(|(at, field)| {
            let data_type = match (DataType::from_id(field.data_type as u8, field.bytes.max(0) as u32)?, extended.get(at)) {
                (DataType::Decimal(..), Some(extended)) => DataType::Decimal(extended.precision, extended.scale),
                (other, _) => other,
            };
            Ok(arrow::field(&name(&field.name), data_type, precision))
        });
        Ok((Arc::new(Schema::new(described.collect::<Result<Vec<_>>>()?)), precision))
    }

    /// The next block, in the result's columns.
    pub fn next_batch(&self, schema: &SchemaRef, precision: Precision) -> Result<Option<RecordBatch>> {
        let Some(block) = self.next_block(precision)? else { return Ok(None) };
        let arrays = block.columns.into_iter().map(|(_, array)| array).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(block.rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options);
        batch.map(Some).map_err(|source| Error::with(code::INVALID_MESSAGE, format!("a block does not fit its result: {source}")).caused_by(source))
    }

    /// The next block.
    pub fn next_block(&self, precision: Precision) -> Result<Option<raw_block::Block>> {
        let (mut rows, mut data): (c_int, *mut c_void) = (0, std::ptr::null_mut());
        // SAFETY: a result that is there, and places for the answer.
        let number = unsafe { self.library.taos_fetch_raw_block()?(self.handle, &raw mut rows, &raw mut data) };
        if number != 0 {
            return Err(self.library.error(number, self.handle));
        }
        if rows <= 0 || data.is_null() {
            return Ok(None);
        }
        // SAFETY: a block tells its length behind its version, and lives until the next fetch.
        let bytes = unsafe {
            let length = data.cast::<i32>().add(1).read_unaligned();
            std::slice::from_raw_parts(data.cast::<u8>(), usize::try_from(length).unwrap_or(0))
        };
        raw_block::decode(bytes, precision).map(Some)
    }

    /// The result as everything else here takes it.
    pub fn into_result_set(self) -> Result<ResultSet> {
        if self.columns()? == 0 {
            return Ok(ResultSet::affected(self.affected()?));
        }
        let (schema, precision) = self.schema()?;
        let blocks = Blocks { answer: self, schema: Arc::clone(&schema), precision, done: false };
        Ok(ResultSet { schema, outcome: Outcome::Rows(Box::new(blocks)) })
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let (false, false, Ok(function)) = (self.is_borrowed, self.handle.is_null(), self.library.taos_free_result()) {
            // SAFETY: freed once, here.
            unsafe { function(self.handle) };
        }
    }
}

/// Items of the library's; none where there is no list.
unsafe fn slice<'a, T>(pointer: *const T, count: usize) -> &'a [T] {
    // SAFETY: as the caller says, `count` items, or NULL.
    if pointer.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(pointer, count) } }
}

/// A name that is ended by NUL.
pub fn name(bytes: &[u8; NAME_BYTES]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(NAME_BYTES);
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// The blocks of one result.
struct Blocks {
    answer: Answer,
    schema: SchemaRef,
    precision: Precision,
    done: bool,
}

impl Iterator for Blocks {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.answer.next_batch(&self.schema, self.precision).transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}
