//! Statements over a WebSocket as futures: the same messages as those of blocking calls, awaited.

use std::{sync::Arc, time::Instant};

use arrow_schema::Schema;
use embudo_types::{Result, Value, code};

use super::{
    BINARY, STATEMENTS, WebSocketDriver,
    link::Link,
    result::{self, Answered, Blocks},
    statement::{self, Lease, Prepared},
};
use crate::{
    asynchronous::{AsyncOutcome, AsyncResult, OwnedRequest, first_batches, pool},
    ingest::column_of_rows,
    literal,
};

/// Runs one statement.
pub async fn run(driver: Arc<WebSocketDriver>, request: OwnedRequest) -> Result<AsyncResult> {
    let deadline = request.timeout.or(driver.timeout).map(|limit| Instant::now() + limit);
    let link = if let Some(link) = driver.usable_link() {
        link
    } else {
        // Connecting again blocks.
        let driver = Arc::clone(&driver);
        pool::run(move || driver.link()).await?
    };
    link.ensure_reader()?;
    let answered = if link.executes() {
        if !request.parameters.is_empty() {
            literal::counted_placeholders(&request.sql, &request.parameters)?;
        }
        let answered = result::execute_later(&link, &request.sql, &request.parameters, deadline).await?;
        if matches!(answered, Answered::Affected(_)) {
            driver.note_change(&request.sql);
        }
        answered
    } else if let Some(answered) = bound(&driver, &link, &request, deadline).await? {
        answered
    } else {
        let sql = literal::render(&request.sql, &request.parameters)?;
        let answered = result::query_later(&link, &sql, driver.speaks(BINARY), deadline).await?;
        if matches!(answered, Answered::Affected(_)) {
            driver.note_change(&sql);
        }
        answered
    };
    Ok(match answered {
        Answered::Affected(rows) => AsyncResult { schema: Arc::new(Schema::empty()), outcome: AsyncOutcome::Affected(rows) },
        Answered::Rows(blocks) => {
            let schema = blocks.schema();
            let (ready, rest) = first_batches(blocks).await?;
            AsyncResult { schema, outcome: AsyncOutcome::Rows { ready, rest } }
        }
    })
}

/// Runs a statement with its parameters bound as values; `None` where it has none, or is better sent as text.
async fn bound(driver: &WebSocketDriver, link: &Arc<Link>, request: &OwnedRequest, deadline: Option<Instant>) -> Result<Option<Answered>> {
    let (sql, values) = (request.sql.as_str(), request.parameters.as_slice());
    if values.is_empty() {
        return Ok(None);
    }
    literal::counted_placeholders(sql, values)?;
    if !driver.speaks(STATEMENTS) {
        return Ok(None);
    }
    let _permit = driver.open_statements.enter().await;
    let lease = match driver.statements.take_free(link, sql) {
        Some(lease) => lease,
        None => match Prepared::open_later(link, sql, deadline).await {
            Ok(prepared) => driver.statements.lease(prepared),
            Err(error) if link.is_usable() && error.code() != code::CONN_READ_TIMEOUT => return Ok(None),
            Err(error) => return Err(error),
        },
    };
    if lease.prepared()?.fields.is_some() { insert(driver, lease, values, deadline).await } else { select(link, lease, values, deadline).await }
}

async fn insert(driver: &WebSocketDriver, mut lease: Lease, values: &[Value], deadline: Option<Instant>) -> Result<Option<Answered>> {
    let prepared = lease.prepared()?;
    let fields = prepared.fields.as_deref().unwrap_or_default();
    if fields.len() != values.len() {
        return Ok(None);
    }
    let zone = driver.zone();
    let column = |place: usize| column_of_rows(&[values], place, &fields[place].name, fields[place].data_type, fields[place].precision, &zone);
    let Ok(arrays) = (0..fields.len()).map(column).collect::<Result<Vec<_>>>() else { return Ok(None) };
    prepared.bind_later(&statement::tables(fields, &arrays)?, deadline).await?;
    let rows = prepared.execute_later(deadline).await?;
    lease.keep();
    Ok(Some(Answered::Affected(rows)))
}

async fn select(link: &Arc<Link>, lease: Lease, values: &[Value], deadline: Option<Instant>) -> Result<Option<Answered>> {
    let Some(tables) = statement::parameters(values) else { return Ok(None) };
    let prepared = lease.prepared()?;
    prepared.bind_later(&tables, deadline).await?;
    let affected = prepared.execute_later(deadline).await?;
    match prepared.result_later(deadline).await {
        Ok(answer) => Blocks::open(link, &answer, true, deadline).map(|blocks| Some(Answered::Rows(Box::new(blocks)).keeping(lease))),
        // It gave no rows.
        Err(error) if error.code() == code::STMT_API_USAGE_ERROR => Ok(Some(Answered::Affected(affected))),
        Err(error) => Err(error),
    }
}
