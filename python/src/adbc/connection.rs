//! One connection: a session, and what it tells of its databases.

use std::{collections::HashSet, sync::Arc};

use adbc_core::{
    CancelHandle, Connection, Optionable,
    error::{Error, Result, Status},
    options::{InfoCode, ObjectDepth, OptionConnection, OptionValue},
    schemas,
};
use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt32Array, UnionArray, new_empty_array};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{DataType, Schema, SchemaRef};
use embudo_client::{Driver, Dsn};
use embudo_types::Zone;

use super::{
    failed, missing,
    objects::{self, Filter},
    reader::{self, BoxedReader},
    refused,
    statement::AdbcStatement,
    text,
};
use crate::export::Export;

/// A connection.
pub struct AdbcConnection {
    session: Session,
    is_auto_commit: bool,
}

/// What a connection and its statements share.
#[derive(Clone)]
pub struct Session {
    pub driver: Arc<dyn Driver>,
    pub zone: Zone,
}

impl AdbcConnection {
    /// Over an open driver.
    pub fn new(driver: Arc<dyn Driver>, dsn: &Dsn) -> Result<Self> {
        let zone = dsn.option("timezone").map_or_else(|| Ok(Zone::system()), Zone::named).map_err(failed)?;
        Ok(Self { session: Session { driver, zone }, is_auto_commit: true })
    }
}

impl Drop for AdbcConnection {
    fn drop(&mut self) {
        // Its statements are gone; whoever reads a result keeps what that needs.
        let _ = self.session.driver.close();
    }
}

impl Optionable for AdbcConnection {
    type Option = OptionConnection;

    fn set_option(&mut self, key: OptionConnection, value: OptionValue) -> Result<()> {
        let value = text(&key, value)?;
        match key {
            // Taken, because driver managers turn it off unasked; a statement is committed when it returns all the same.
            OptionConnection::AutoCommit => self.is_auto_commit = value == "true",
            OptionConnection::CurrentSchema => {
                let name = value.replace('`', "");
                self.session.driver.execute(&format!("USE `{name}`"), &[]).map_err(failed)?;
            }
            OptionConnection::CurrentCatalog if value.is_empty() => {}
            key => return Err(refused(format!("there is no option {} of a connection", key.as_ref()), Status::NotImplemented)),
        }
        Ok(())
    }

    fn get_option_string(&self, key: OptionConnection) -> Result<String> {
        match key {
            OptionConnection::AutoCommit => Ok(self.is_auto_commit.to_string()),
            OptionConnection::CurrentCatalog => Ok(String::new()),
            OptionConnection::CurrentSchema => Ok(objects::texts(&self.session, "SELECT DATABASE()", 0)?.into_iter().next().flatten().unwrap_or_default()),
            key => Err(missing(&key)),
        }
    }

    fn get_option_bytes(&self, key: OptionConnection) -> Result<Vec<u8>> {
        Err(missing(&key))
    }

    fn get_option_int(&self, key: OptionConnection) -> Result<i64> {
        Err(missing(&key))
    }

    fn get_option_double(&self, key: OptionConnection) -> Result<f64> {
        Err(missing(&key))
    }
}

/// Ends what runs on a session.
pub struct Interrupt(pub Arc<dyn Driver>);

impl CancelHandle for Interrupt {
    fn try_cancel(&self) -> Result<()> {
        self.0.interrupt();
        Ok(())
    }
}

impl Connection for AdbcConnection {
    type StatementType = AdbcStatement;

    fn new_statement(&mut self) -> Result<AdbcStatement> {
        Ok(AdbcStatement::new(self.session.clone()))
    }

    fn get_cancel_handle(&self) -> Box<dyn CancelHandle> {
        Box::new(Interrupt(Arc::clone(&self.session.driver)))
    }

    fn get_info(&self, codes: Option<HashSet<InfoCode>>) -> Result<BoxedReader> {
        let version = self.session.driver.server_version().map_err(failed)?;
        let known = [
            (InfoCode::VendorName, "TDengine".to_owned()),
            (InfoCode::VendorVersion, version),
            (InfoCode::DriverName, "embudo".to_owned()),
            (InfoCode::DriverVersion, env!("CARGO_PKG_VERSION").to_owned()),
        ];
        let wanted = known.into_iter().filter(|(code, _)| codes.as_ref().is_none_or(|codes| codes.contains(code)));
        let (names, values): (Vec<u32>, Vec<String>) = wanted.map(|(code, value)| (u32::from(&code), value)).unzip();
        information(names, values).map(reader::of_batch)
    }

    fn get_objects(
        &self,
        depth: ObjectDepth,
        catalog: Option<&str>,
        db_schema: Option<&str>,
        table_name: Option<&str>,
        table_type: Option<Vec<&str>>,
        column_name: Option<&str>,
    ) -> Result<BoxedReader> {
        let filter = Filter { catalog, database: db_schema, table: table_name, kinds: table_type, column: column_name };
        objects::list(&self.session, depth, &filter).map(reader::of_batch)
    }

    fn get_table_schema(&self, catalog: Option<&str>, db_schema: Option<&str>, table_name: &str) -> Result<Schema> {
        let _ = catalog;
        let table = objects::quoted(db_schema, table_name)?;
        let result = self.session.driver.execute(&format!("SELECT * FROM {table} LIMIT 0"), &[]).map_err(failed)?;
        let export = Export::new(&result.schema, &self.session.zone, &[]).map_err(failed)?;
        Ok(export.schema().as_ref().clone())
    }

    fn get_table_types(&self) -> Result<BoxedReader> {
        let column: ArrayRef = Arc::new(StringArray::from(objects::KINDS.to_vec()));
        Ok(reader::of_batch(RecordBatch::try_new(Arc::clone(&schemas::GET_TABLE_TYPES_SCHEMA), vec![column])?))
    }

    fn get_statistic_names(&self) -> Result<BoxedReader> {
        Ok(reader::of_batch(RecordBatch::new_empty(Arc::clone(&schemas::GET_STATISTIC_NAMES_SCHEMA))))
    }

    fn get_statistics(&self, _: Option<&str>, _: Option<&str>, _: Option<&str>, _: bool) -> Result<BoxedReader> {
        Ok(reader::of_batch(RecordBatch::new_empty(Arc::clone(&schemas::GET_STATISTICS_SCHEMA))))
    }

    fn commit(&mut self) -> Result<()> {
        Ok(())
    }

    fn rollback(&mut self) -> Result<()> {
        Ok(())
    }

    fn read_partition(&self, _: impl AsRef<[u8]>) -> Result<BoxedReader> {
        Err(refused("results have no partitions", Status::NotImplemented))
    }
}

/// Texts by their numbers, in the union that the interface wants.
fn information(names: Vec<u32>, values: Vec<String>) -> Result<RecordBatch> {
    let schema: SchemaRef = Arc::clone(&schemas::GET_INFO_SCHEMA);
    let DataType::Union(fields, _) = schema.field(1).data_type().clone() else {
        return Err(Error::with_message_and_status("the schema of information has no union", Status::Internal));
    };
    let rows = values.len();
    let texts: ArrayRef = Arc::new(StringArray::from(values));
    let children = fields.iter().map(|(id, field)| if id == 0 { Arc::clone(&texts) } else { new_empty_array(field.data_type()) }).collect();
    let (ids, offsets) = (ScalarBuffer::from(vec![0_i8; rows]), (0..rows as i32).collect::<ScalarBuffer<i32>>());
    let union = UnionArray::try_new(fields, ids, Some(offsets), children)?;
    Ok(RecordBatch::try_new(schema, vec![Arc::new(UInt32Array::from(names)), Arc::new(union)])?)
}
