//! What a topic makes of the log's records: rows through its query or as they are, DDL and deletions as events.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, make_array, new_null_array};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow_schema::{Schema, SchemaRef};
use embudo_catalog::{Database, LoggedEvent, LoggedTable, Topic, TopicMeta, TopicSource};
use embudo_query::{RowQuery, RowSource};
use embudo_storage::{BatchColumn, ColumnBatch, ColumnId, Entry, LogRecord, Sequence, TablesBatch, Uid};
use embudo_types::subscription::{MetaEvent, SubscribedBlock, TableKind};
use embudo_types::{DataType, Error, Precision, Result, Value, arrow};
use rustc_hash::FxHashMap;

/// A topic ready to be read.
#[derive(Debug)]
pub(crate) struct TopicPlan {
    /// The topic.
    pub topic: Arc<Topic>,
    /// Its database.
    pub database: Arc<Database>,
    /// What it delivers.
    pub delivery: Delivery,
}

/// What a topic delivers.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// A query's rows.
    Query(Box<RowQuery>),
    /// Rows of those of a supertable's children that the query lets through.
    Supertable(Uid, Option<Box<RowQuery>>),
    /// All rows.
    Database,
}

/// What a record holds for a topic in one shard.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// Rows.
    pub blocks: Vec<SubscribedBlock>,
    /// Events that come before them.
    pub meta: Vec<MetaEvent>,
}

impl Part {
    /// Whether its events only make the tables that its rows are of.
    pub fn only_creates(&self) -> bool {
        self.meta.iter().all(|event| matches!(event, MetaEvent::CreateChild { .. }))
    }
}

/// Makes records of one topic and shard into what is delivered, in the order of the log.
#[derive(Debug)]
pub(crate) struct Transcriber {
    plan: Arc<TopicPlan>,
    shard: u16,
    with_names: bool,
    /// Tables that rows came of, as they are at this place of the log; `None` for those that the topic leaves out. With the last change of tables
    /// at which it was looked whether they are still there.
    tables: FxHashMap<Uid, (Sequence, Option<Arc<View>>)>,
    /// Columns by owner and version.
    layouts: FxHashMap<(Uid, u32), Arc<Layout>>,
}

/// A table that the topic delivers.
#[derive(Debug)]
struct View {
    table: LoggedTable,
    layout: Arc<Layout>,
}

/// Columns of rows that are delivered as they are.
#[derive(Debug)]
struct Layout {
    version: u32,
    schema: SchemaRef,
    /// By place.
    columns: Vec<ColumnId>,
    key: Option<ColumnId>,
}

impl Layout {
    fn new(schema: &embudo_catalog::Schema, precision: Precision) -> Self {
        let fields: Vec<_> = schema.columns.iter().map(|column| arrow::field(&column.name, column.data_type, precision)).collect();
        let columns = schema.columns.iter().map(|column| column.id).collect();
        Self { version: schema.version, schema: Arc::new(Schema::new(fields)), columns, key: schema.key().map(|key| key.id) }
    }

    /// Rows under all columns.
    fn batch(&self, rows: &ColumnBatch, precision: Precision) -> Result<RecordBatch> {
        let mut arrays = Vec::with_capacity(self.columns.len());
        let mut next = rows.columns.iter();
        for (at, id) in self.columns.iter().enumerate() {
            let data_type = self.schema.field(at).data_type();
            // Rows mostly come with their columns in order.
            let is_next = next.as_slice().first().is_some_and(|column| column.id == *id);
            let found = if is_next { next.next() } else { rows.columns.iter().find(|column| column.id == *id) };
            arrays.push(match found {
                Some(column) if column.array.data_type() == data_type => cells(column)?,
                _ if at == 0 => timestamps(rows.timestamps.clone(), precision),
                _ if self.key == Some(*id) => rows.key.clone().unwrap_or_else(|| new_null_array(data_type, rows.rows())),
                _ => new_null_array(data_type, rows.rows()),
            });
        }
        RecordBatch::try_new(self.schema.clone(), arrays).map_err(|source| Error::internal(&source).caused_by(source))
    }
}

/// A column's cells, absent ones as NULL.
fn cells(column: &BatchColumn) -> Result<ArrayRef> {
    match &column.present {
        None => Ok(column.array.clone()),
        Some(present) => masked(&column.array, present),
    }
}

fn masked(array: &ArrayRef, present: &BooleanBuffer) -> Result<ArrayRef> {
    let nulls = NullBuffer::union(array.nulls(), Some(&NullBuffer::new(present.clone())));
    let data = array.to_data().into_builder().nulls(nulls).build();
    data.map(make_array).map_err(|source| Error::internal(&source).caused_by(source))
}

fn timestamps(ticks: ScalarBuffer<i64>, precision: Precision) -> ArrayRef {
    match precision {
        Precision::Milli => Arc::new(TimestampMillisecondArray::new(ticks, None)),
        Precision::Micro => Arc::new(TimestampMicrosecondArray::new(ticks, None)),
        Precision::Nano => Arc::new(TimestampNanosecondArray::new(ticks, None)),
    }
}

impl Transcriber {
    /// Reads a shard for a topic; `with_names` has blocks of whole tables name them.
    pub fn new(plan: Arc<TopicPlan>, shard: u16, with_names: bool) -> Self {
        Self { plan, shard, with_names, tables: FxHashMap::default(), layouts: FxHashMap::default() }
    }

    /// Forgets tables: another place of the log is read next.
    pub fn forget(&mut self) {
        self.tables.clear();
    }

    fn is_here(&self, uid: Uid) -> bool {
        self.plan.database.store().shard_of(uid) == self.shard
    }

    /// What a record holds for the topic.
    pub fn transcribe(&mut self, record: &LogRecord) -> Result<Part> {
        let mut part = Part::default();
        let meta = self.plan.topic.source.meta();
        let mut told = None;
        for entry in record.entries.iter() {
            match entry {
                Entry::Meta(bytes) => self.events(record.sequence, bytes, meta != TopicMeta::None, &mut part)?,
                // The first entry of a table's deletion tells of its rows, another one of the whole range.
                Entry::Delete { uid, .. } if told == Some(*uid) => {}
                Entry::Delete { uid, start, end } if meta != TopicMeta::None && self.is_here(*uid) => {
                    told = Some(*uid);
                    if let Some(view) = self.view(*uid, record.sequence)? {
                        let column = view.table.schema.columns[0].name.to_string();
                        part.meta.push(MetaEvent::Delete { table: view.table.name.to_string(), column, start: *start, end: *end });
                    }
                }
                Entry::Rows(rows) if meta != TopicMeta::Only && self.is_here(rows.uid) => self.rows(rows, record.sequence, &mut part)?,
                Entry::Tables(tables) if meta != TopicMeta::Only => self.tables(tables, record.sequence, &mut part)?,
                _ => {}
            }
        }
        Ok(part)
    }

    fn events(&mut self, sequence: Sequence, bytes: &[u8], delivered: bool, part: &mut Part) -> Result<()> {
        self.plan.database.wait_for_changes();
        for event in self.plan.database.logged_events(sequence, bytes)? {
            if !matches!(event.event, MetaEvent::CreateChild { .. } | MetaEvent::CreateNormal { .. } | MetaEvent::CreateSuper { .. }) {
                self.forget();
            }
            // A supertable is in every shard, as it is in every vgroup of TDengine.
            let is_here = event.kind == TableKind::Super || self.is_here(event.uid);
            // Of a table that is not there any more only its end is told.
            let is_known = matches!(event.event, MetaEvent::Drop { .. }) || self.plan.database.has_table(event.uid);
            if delivered && is_here && is_known && self.delivers(&event, sequence)? {
                part.meta.push(event.event);
            }
        }
        Ok(())
    }

    fn delivers(&self, event: &LoggedEvent, sequence: Sequence) -> Result<bool> {
        let Delivery::Supertable(table, filter) = &self.plan.delivery else { return Ok(true) };
        if event.uid == *table {
            return Ok(true);
        }
        if event.supertable != Some(*table) {
            return Ok(false);
        }
        let Some(filter) = filter else { return Ok(true) };
        // Of a table that is dropped, what it was before counts.
        let before = if matches!(event.event, MetaEvent::Drop { .. }) { sequence - 1 } else { sequence };
        match self.plan.database.logged_table(event.uid, before) {
            Some(table) => passes(filter, &table),
            None => Ok(false),
        }
    }

    /// A table as it was; `None` where the topic leaves it out, or it is not there any more.
    fn view(&mut self, uid: Uid, sequence: Sequence) -> Result<Option<Arc<View>>> {
        let last_change = self.plan.database.last_change();
        let is_known = self.tables.get(&uid).is_some_and(|(seen, _)| *seen == last_change);
        if !is_known && !self.plan.database.has_table(uid) {
            return Ok(None);
        }
        if let Some((seen, view)) = self.tables.get_mut(&uid) {
            *seen = last_change;
            return Ok(view.clone());
        }
        let table = self.plan.database.logged_table(uid, sequence);
        let view = match table {
            Some(table) if self.includes(&table)? => {
                let owner = table.supertable.as_ref().map_or(uid, |(uid, _)| *uid);
                let precision = self.plan.database.precision();
                let layout = self.layouts.entry((owner, table.schema.version)).or_insert_with(|| Arc::new(Layout::new(&table.schema, precision)));
                Some(Arc::new(View { layout: layout.clone(), table }))
            }
            _ => None,
        };
        self.tables.insert(uid, (last_change, view.clone()));
        Ok(view)
    }

    /// Whether the topic delivers rows of a table.
    fn includes(&self, table: &LoggedTable) -> Result<bool> {
        let of = |uid: Uid| table.uid == uid || table.supertable.as_ref().is_some_and(|(supertable, _)| *supertable == uid);
        match &self.plan.delivery {
            Delivery::Query(query) => Ok(of(query.table().uid())),
            Delivery::Supertable(uid, filter) => Ok(of(*uid) && filter.as_ref().map_or(Ok(true), |filter| passes(filter, table))?),
            Delivery::Database => Ok(true),
        }
    }

    fn rows(&mut self, rows: &ColumnBatch, sequence: Sequence, part: &mut Part) -> Result<()> {
        let Some(view) = self.view(rows.uid, sequence)? else { return Ok(()) };
        let precision = self.plan.database.precision();
        match &self.plan.delivery {
            Delivery::Query(query) => {
                let runs = [(&view.table, rows.rows())];
                if let Some(batch) = query.evaluate(inputs(query, rows, &runs, precision)?, rows.rows())? {
                    part.blocks.push(SubscribedBlock { table: None, schema_version: 0, batch });
                }
            }
            Delivery::Supertable(..) | Delivery::Database => {
                let table = self.with_names.then(|| view.table.name.to_string());
                part.blocks.push(SubscribedBlock { table, schema_version: view.layout.version, batch: view.layout.batch(rows, precision)? });
            }
        }
        Ok(())
    }

    fn tables(&mut self, tables: &TablesBatch, sequence: Sequence, part: &mut Part) -> Result<()> {
        let Delivery::Query(_) = &self.plan.delivery else { return self.each_table(tables, sequence, part) };
        let views = tables.runs.iter().map(|run| Ok(if self.is_here(run.uid) { self.view(run.uid, sequence)? } else { None }));
        let views = views.collect::<Result<Vec<_>>>()?;
        let Some(views) = views.iter().map(Option::as_ref).collect::<Option<Vec<_>>>() else { return self.each_table(tables, sequence, part) };
        // All of it is delivered, and names are the query's business: one block.
        let Delivery::Query(query) = &self.plan.delivery else { return Ok(()) };
        let runs: Vec<(&LoggedTable, usize)> = views.iter().zip(&tables.runs).map(|(view, run)| (&view.table, run.rows as usize)).collect();
        let inputs = inputs(query, &tables.rows, &runs, self.plan.database.precision())?;
        if let Some(batch) = query.evaluate(inputs, tables.rows.rows())? {
            part.blocks.push(SubscribedBlock { table: None, schema_version: 0, batch });
        }
        Ok(())
    }

    fn each_table(&mut self, tables: &TablesBatch, sequence: Sequence, part: &mut Part) -> Result<()> {
        tables
            .tables()
            .filter(|rows| self.plan.database.store().shard_of(rows.uid) == self.shard)
            .collect::<Vec<_>>()
            .iter()
            .try_for_each(|rows| self.rows(rows, sequence, part))
    }
}

/// Whether a table's tags and name satisfy.
fn passes(filter: &RowQuery, table: &LoggedTable) -> Result<bool> {
    let cells = filter.inputs().iter().map(|input| embudo_expr::repeat(&per_table(input.source, table), input.data_type, input.precision, 1));
    Ok(filter.evaluate(cells.collect::<Result<_>>()?, 1)?.is_some())
}

/// A tag or the name of a table.
fn per_table(source: RowSource, table: &LoggedTable) -> Value {
    match source {
        RowSource::Tag(id) => table.tags.iter().find(|(tag, _)| *tag == id).map_or(Value::Null, |(_, value)| value.clone()),
        RowSource::TableName => Value::Varchar(table.name.as_bytes().to_vec()),
        RowSource::Timestamp | RowSource::Column(_) => Value::Null,
    }
}

/// A query's inputs over rows: those of each table with their number, in order.
fn inputs(query: &RowQuery, rows: &ColumnBatch, runs: &[(&LoggedTable, usize)], precision: Precision) -> Result<Vec<ArrayRef>> {
    let mut arrays = Vec::with_capacity(query.inputs().len());
    for input in query.inputs() {
        let arrow_type = arrow::arrow_type(input.data_type, input.precision);
        arrays.push(match input.source {
            RowSource::Timestamp => timestamps(rows.timestamps.clone(), precision),
            RowSource::Column(id) => match rows.columns.iter().find(|column| column.id == id) {
                Some(column) if *column.array.data_type() == arrow_type => cells(column)?,
                _ => rows
                    .key
                    .clone()
                    .filter(|key| is_key(runs, id) && *key.data_type() == arrow_type)
                    .unwrap_or_else(|| new_null_array(&arrow_type, rows.rows())),
            },
            source => match runs {
                [(table, count)] => embudo_expr::repeat(&per_table(source, table), input.data_type, input.precision, *count)?,
                runs => repeated(source, runs, input.data_type, input.precision)?,
            },
        });
    }
    Ok(arrays)
}

fn is_key(runs: &[(&LoggedTable, usize)], id: ColumnId) -> bool {
    runs.first().is_some_and(|(table, _)| table.schema.key().is_some_and(|key| key.id == id))
}

fn repeated(source: RowSource, runs: &[(&LoggedTable, usize)], data_type: DataType, precision: Precision) -> Result<ArrayRef> {
    let values: Vec<Value> = runs.iter().flat_map(|(table, count)| std::iter::repeat_n(per_table(source, table), *count)).collect();
    embudo_expr::array_of_values(&values, data_type, precision)
}

impl TopicPlan {
    /// Whether it is on a supertable, or on all tables.
    pub fn is_over_many(&self) -> bool {
        match &self.topic.source {
            TopicSource::Query { .. } => matches!(&self.delivery, Delivery::Query(query) if matches!(query.table(), embudo_catalog::Table::Super(_))),
            TopicSource::Supertable { .. } | TopicSource::Database { .. } => true,
        }
    }
}
