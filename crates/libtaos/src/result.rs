//! Results: what `TAOS_RES *` stands for. One block of rows at a time; what C was given of it lives until the next block or the end.

use std::{
    ffi::{CString, c_void},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use embudo_types::{BatchStream, DataType, Error, Outcome, Result, ResultSet, arrow, code};
use embudo_wire::raw_block;

use crate::{
    abi::{Field, FieldE, NAME_BYTES},
    block::{self, Column},
    boundary::{self, Status, c_text},
    connection::Connection,
    handle,
    message::Message,
};

/// Rows of a block at most, as programs of TDengine are used to.
const BLOCK_ROWS: usize = 4_096;

/// The outcome of a statement, or a message of a subscription.
pub struct QueryResult {
    state: Mutex<State>,
    stopped: AtomicBool,
    connection: Option<Arc<Connection>>,
    message: Option<Message>,
}

/// What a result gives, and how far it was read.
#[derive(Default)]
pub struct State {
    /// What the last call on it came to.
    pub status: Status,
    /// Its columns.
    pub fields: Vec<Field>,
    /// Its columns, with precision and scale.
    pub fields_e: Vec<FieldE>,
    /// Rows written or removed.
    pub affected: i64,
    /// 0 ms, 1 us, 2 ns.
    pub precision: i32,
    source: Option<BatchStream>,
    /// What is left of a batch that is larger than a block.
    rest: Option<RecordBatch>,
    /// Blocks of a message that were given.
    given: usize,
    block: Option<Block>,
    /// The buffer of the last raw block, for the next.
    spare: Vec<u8>,
    /// Widths of the columns, for calls that ask for lengths before a row was read.
    widths: Vec<i32>,
    /// Rows come by callbacks: reading row by row ends with each block.
    by_callback: bool,
}

/// The block that is being read.
pub struct Block {
    batch: RecordBatch,
    columns: Option<Vec<Column>>,
    next_row: usize,
    /// Addresses of the columns' data, as `TAOS_ROW`.
    column_addresses: Addresses,
    row_addresses: Addresses,
    lengths: Vec<i32>,
    raw: Vec<u8>,
    table: Option<CString>,
}

/// Addresses for C.
struct Addresses {
    list: Vec<*const u8>,
    /// Where the list begins, for calls that want the address of that.
    start: *const c_void,
}

// SAFETY: they are only handed to C, never followed here; what they lead to lies beside them and moves to other threads with them.
unsafe impl Send for Addresses {}

impl Default for Addresses {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Addresses {
    fn new(list: Vec<*const u8>) -> Self {
        let start = list.as_ptr().cast();
        Self { list, start }
    }
}

impl Block {
    fn new(batch: RecordBatch, table: Option<CString>) -> Self {
        Self {
            batch,
            columns: None,
            next_row: 0,
            column_addresses: Addresses::default(),
            row_addresses: Addresses::default(),
            lengths: Vec::new(),
            raw: Vec::new(),
            table,
        }
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// Its columns.
    pub fn columns(&mut self) -> Result<&[Column]> {
        if self.columns.is_none() {
            let columns = block::columns(&self.batch)?;
            self.column_addresses = Addresses::new(columns.iter().map(Column::data).collect());
            self.columns = Some(columns);
        }
        Ok(self.columns.as_deref().unwrap_or_default())
    }

    /// Addresses of the columns' data.
    pub fn column_addresses(&mut self) -> Result<*const c_void> {
        self.columns()?;
        Ok(self.column_addresses.start)
    }

    /// Where [`Self::column_addresses`] stand.
    pub fn place_of_addresses(&mut self) -> Result<*const c_void> {
        self.columns()?;
        Ok((&raw const self.column_addresses.start).cast())
    }

    /// The block in TDengine's own layout.
    pub fn raw(&mut self) -> Result<*const c_void> {
        if self.raw.is_empty() {
            raw_block::encode(&self.batch, raw_block::FETCH_VERSION, &mut self.raw)?;
        }
        Ok(self.raw.as_ptr().cast())
    }

    /// The next row's addresses.
    fn row(&mut self) -> Result<*const c_void> {
        self.columns()?;
        let Self { columns: Some(columns), next_row, row_addresses, lengths, .. } = self else { return Ok(std::ptr::null()) };
        row_addresses.list.clear();
        lengths.clear();
        for column in columns {
            let value = column.value(*next_row);
            row_addresses.list.push(value.map_or(std::ptr::null(), <[u8]>::as_ptr));
            lengths.push(value.map_or(0, <[u8]>::len) as i32);
        }
        *next_row += 1;
        row_addresses.start = row_addresses.list.as_ptr().cast();
        Ok(row_addresses.start)
    }
}

impl State {
    /// The columns from here on.
    fn describe(&mut self, schema: &Schema, precision: i32) -> Result<()> {
        self.fields.clear();
        self.fields_e.clear();
        for field in schema.fields() {
            let data_type = arrow::data_type(field)?;
            self.fields.push(Field { name: c_name(field.name()), data_type: data_type.id() as i8, bytes: data_type.length() as i32 });
            self.fields_e.push(field_e(field.name(), data_type, data_type.length(), arrow::precision(field).id()));
        }
        self.precision = precision;
        Ok(())
    }

    /// The block that is being read.
    pub fn block(&mut self) -> Option<&mut Block> {
        self.block.as_mut()
    }

    /// The table whose rows the block holds.
    pub fn table(&self) -> Option<&CString> {
        self.block.as_ref()?.table.as_ref()
    }

    /// Lengths of the last row's values, or widths of the columns where no row was read.
    pub fn lengths(&mut self) -> *const i32 {
        if self.fields.is_empty() {
            return std::ptr::null();
        }
        match &self.block {
            Some(block) if block.next_row > 0 => block.lengths.as_ptr(),
            _ => {
                self.widths = self.fields.iter().map(|field| field.bytes).collect();
                self.widths.as_ptr()
            }
        }
    }
}

/// A name for C, cut to fit.
pub fn c_name(name: &str) -> [u8; NAME_BYTES] {
    let mut bytes = [0; NAME_BYTES];
    let mut count = name.len().min(NAME_BYTES - 1);
    while !name.is_char_boundary(count) {
        count -= 1;
    }
    bytes[..count].copy_from_slice(&name.as_bytes()[..count]);
    bytes
}

/// The description of a column; `precision` is that of a timestamp.
pub fn field_e(name: &str, data_type: DataType, bytes: u32, precision: u8) -> FieldE {
    let (precision, scale) = match data_type {
        DataType::Decimal(precision, scale) => (precision, scale),
        DataType::Timestamp => (precision, 0),
        _ => (0, 0),
    };
    FieldE { name: c_name(name), data_type: data_type.id() as i8, precision, scale, bytes: bytes as i32 }
}

impl QueryResult {
    fn with(state: State, connection: Option<Arc<Connection>>, message: Option<Message>) -> Self {
        Self { state: Mutex::new(state), stopped: AtomicBool::new(false), connection, message }
    }

    /// One that is an error alone.
    pub fn failed(error: &Error) -> Self {
        Self::with(State { status: Status::of(error), ..State::default() }, None, None)
    }

    /// That of a statement. Its first rows are made here, so that the errors of a statement come where it was run.
    pub fn new(result: Result<ResultSet>, connection: &Arc<Connection>) -> Self {
        let state = boundary::caught(|| {
            let result = result?;
            let mut state = State::default();
            let precision = i32::from(result.precision().id());
            match result.outcome {
                Outcome::Affected(rows) => state.affected = rows as i64,
                Outcome::Rows(mut batches) => {
                    state.describe(&result.schema, precision)?;
                    state.rest = batches.next().transpose()?;
                    state.source = Some(batches);
                }
            }
            Ok(state)
        });
        match state {
            Ok(state) => Self::with(state, Some(Arc::clone(connection)), None),
            Err(error) => Self::failed(&error),
        }
    }

    /// That of a write.
    pub fn written(rows: u64) -> Self {
        Self::with(State { affected: rows as i64, ..State::default() }, None, None)
    }

    /// A message with its blocks.
    pub fn of_message(message: Message) -> Self {
        let mut state = State::default();
        if let Some(block) = message.blocks().first()
            && let Err(error) = state.describe(&block.batch.schema(), precision_of(&block.batch.schema()))
        {
            state.status = Status::of(&error);
        }
        Self::with(state, None, Some(message))
    }

    /// The result of a handle.
    pub fn of(res: *const c_void) -> Result<Arc<Self>> {
        handle::find(res).ok_or_else(|| Error::new(code::INVALID_QHANDLE))
    }

    /// A handle for C.
    pub fn into_handle(self) -> *mut c_void {
        boundary::set_last(self.lock().status.clone());
        handle::register(Arc::new(self))
    }

    /// What can be asked of it.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The message that it is.
    pub fn message(&self) -> Option<&Message> {
        self.message.as_ref()
    }

    /// Rows of the next block, 0 at the end; an error is the result's.
    pub fn next_block(&self, state: &mut State) -> Result<usize> {
        state.by_callback = false;
        if let Some(before) = state.block.take() {
            state.spare = before.raw;
            state.spare.clear();
        }
        let next = boundary::caught(|| self.read(state));
        match next {
            Ok(Some(mut block)) => {
                let rows = block.rows();
                block.raw = std::mem::take(&mut state.spare);
                state.block = Some(block);
                Ok(rows)
            }
            Ok(None) => {
                state.block = None;
                state.source = None;
                Ok(0)
            }
            Err(error) => {
                state.block = None;
                state.source = None;
                state.rest = None;
                state.status = Status::of(&error);
                Err(error)
            }
        }
    }

    /// The same for rows that a callback will read: they end with the block.
    pub fn next_block_for_callback(&self, state: &mut State) -> Result<usize> {
        let rows = self.next_block(state);
        state.by_callback = true;
        rows
    }

    fn read(&self, state: &mut State) -> Result<Option<Block>> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(Error::new(code::QUERY_KILLED));
        }
        if let Some(message) = &self.message {
            while let Some(block) = message.blocks().get(state.given) {
                state.given += 1;
                if block.batch.num_rows() > 0 {
                    state.describe(&block.batch.schema(), precision_of(&block.batch.schema()))?;
                    return Ok(Some(Block::new(block.batch.clone(), block.table.as_deref().map(c_text))));
                }
            }
            return Ok(None);
        }
        loop {
            let batch = match state.rest.take() {
                Some(batch) => batch,
                None => match state.source.as_mut().and_then(Iterator::next) {
                    Some(batch) => batch?,
                    None => return Ok(None),
                },
            };
            let rows = batch.num_rows();
            if rows > BLOCK_ROWS {
                state.rest = Some(batch.slice(BLOCK_ROWS, rows - BLOCK_ROWS));
                return Ok(Some(Block::new(batch.slice(0, BLOCK_ROWS), None)));
            }
            if rows > 0 {
                return Ok(Some(Block::new(batch, None)));
            }
        }
    }

    /// Addresses of the next row's values; NULL at the end.
    pub fn next_row(&self, state: &mut State) -> Result<*const c_void> {
        if state.block.as_ref().is_none_or(|block| block.next_row >= block.rows()) {
            let ends_here = state.by_callback && state.block.is_some();
            if ends_here || self.next_block(state)? == 0 {
                return Ok(std::ptr::null());
            }
        }
        state.block.as_mut().map_or(Ok(std::ptr::null()), Block::row)
    }

    /// Ends it early: what runs for it stops, what is fetched later fails.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        match self.state.try_lock() {
            // Dropped, a stream stops the work behind it.
            Ok(mut state) => {
                state.source = None;
                state.rest = None;
            }
            // Another thread waits for its next rows.
            Err(_) => {
                if let Some(connection) = &self.connection {
                    connection.driver().interrupt();
                }
            }
        }
    }
}

fn precision_of(schema: &Schema) -> i32 {
    let is_timestamp = |field: &&Arc<arrow_schema::Field>| matches!(field.data_type(), arrow_schema::DataType::Timestamp(..));
    schema.fields().iter().find(is_timestamp).map_or(0, |field| i32::from(arrow::precision(field).id()))
}
