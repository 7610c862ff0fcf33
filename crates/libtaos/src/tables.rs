//! What programs ask of tables, databases and servers: where tables lie, what is there, who may connect.

use std::{
    ffi::{CString, c_char, c_int, c_void},
    net::IpAddr,
    sync::Arc,
};

use embudo_types::{Error, Result, Value, code};

use crate::{
    abi::{RouteInfo, TextWhitelistCallback, VgroupRange, WhitelistCallback},
    allocation,
    boundary::{self, Passed, Status, c_text, code_of, give_text, invalid, items, needed_text, quietly, text},
    configuration::{self, Target},
    connection::Connection,
    rows::{cell_number, cell_text},
    worker,
};

fn vgroup(connection: &Connection, database: &str, table: &str) -> Result<i32> {
    let sql = "SELECT vgroup_id FROM information_schema.ins_tables WHERE db_name = ? AND table_name = ?";
    let parameters = [Value::Varchar(database.into()), Value::Varchar(table.into())];
    let batches = connection.driver().execute(sql, &parameters)?.collect()?;
    let found = batches.iter().find(|batch| batch.num_rows() > 0).and_then(|batch| cell_number(batch, 0, 0));
    match found.and_then(|id| i32::try_from(id).ok()) {
        Some(id) => Ok(id),
        None => Err(Error::new(if ranges(connection, database)?.is_empty() { code::DATABASE_NOT_EXIST } else { code::TABLE_DOES_NOT_EXIST })),
    }
}

/// The vgroups of a database, each with an equal part of all hashes.
fn ranges(connection: &Connection, database: &str) -> Result<Vec<VgroupRange>> {
    let sql = "SELECT vgroup_id FROM information_schema.ins_vgroups WHERE db_name = ? ORDER BY vgroup_id";
    let batches = connection.driver().execute(sql, &[Value::Varchar(database.into())])?.collect()?;
    let ids: Vec<i32> = batches.iter().flat_map(|batch| (0..batch.num_rows()).filter_map(|row| cell_number(batch, 0, row)).map(|id| id as i32)).collect();
    let part = u32::MAX / ids.len().max(1) as u32;
    let last = ids.len().saturating_sub(1);
    Ok(ids
        .iter()
        .enumerate()
        .map(|(at, &vgroup)| {
            let begin = part * at as u32 + u32::from(at > 0);
            let end = if at == last { u32::MAX } else { part * (at as u32 + 1) };
            VgroupRange { vgroup, begin, end }
        })
        .collect())
}

/// The vgroup of a table.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_get_table_vgId(taos: *mut c_void, db: *const c_char, table: *const c_char, vg_id: *mut c_int) -> c_int {
    code_of(|| {
        let connection = Connection::of(taos)?;
        // SAFETY: texts and a place for a number as the interface says.
        unsafe {
            let place = vg_id.as_mut().ok_or_else(|| invalid("no place for the vgroup"))?;
            *place = vgroup(&connection, needed_text(db, "database")?, needed_text(table, "table")?)?;
        }
        Ok(())
    })
}

/// The vgroups of tables.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_get_tables_vgId(
    taos: *mut c_void,
    db: *const c_char,
    tables: *const *const c_char,
    table_num: c_int,
    vg_id: *mut c_int,
) -> c_int {
    code_of(|| {
        let connection = Connection::of(taos)?;
        // SAFETY: texts and places for numbers as the interface says.
        unsafe {
            let database = needed_text(db, "database")?;
            let names = items(tables, table_num, "tables")?;
            if vg_id.is_null() {
                return Err(invalid("no place for the vgroups"));
            }
            for (at, name) in names.iter().enumerate() {
                vg_id.add(at).write(vgroup(&connection, database, needed_text(*name, "table")?)?);
            }
        }
        Ok(())
    })
}

/// How a database's tables are spread over its vgroups; the ranges are freed by the program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_get_db_route_info(taos: *mut c_void, db: *const c_char, info: *mut RouteInfo) -> c_int {
    code_of(|| {
        let connection = Connection::of(taos)?;
        // SAFETY: a text and a place as the interface says.
        let (database, info) = unsafe { (needed_text(db, "database")?, info.as_mut().ok_or_else(|| invalid("no place for the routes"))?) };
        let ranges = ranges(&connection, database)?;
        if ranges.is_empty() {
            return Err(Error::new(code::DATABASE_NOT_EXIST));
        }
        let sql = "SELECT `table_prefix`, `table_suffix` FROM information_schema.ins_databases WHERE name = ?";
        let batches = connection.driver().execute(sql, &[Value::Varchar(database.into())])?.collect()?;
        let number = |column| batches.first().and_then(|batch| cell_number(batch, column, 0)).unwrap_or(0) as i16;
        let vgroups = ranges.len() as i32;
        *info = RouteInfo { version: 1, prefix: number(0), suffix: number(1), method: 1, vgroups, ranges: allocation::hand_out(&ranges)? };
        Ok(())
    })
}

/// Whether a server answers: 0 unavailable, 2 in service, with what was found as text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_check_server_status(fqdn: *const c_char, port: c_int, details: *mut c_char, maxlen: c_int) -> c_int {
    quietly(0, || {
        let asked = boundary::caught(|| {
            // SAFETY: NULL or a text as the interface says.
            let host = unsafe { text(fqdn) }?;
            let port = u16::try_from(port).map_err(|_| invalid("no port"))?;
            let dsn = configuration::dsn(&Target { host, port, ..Target::default() })?;
            Connection::open(&dsn).map(drop)
        });
        let (status, told) = match asked {
            Ok(()) => (2, String::new()),
            // It answers, though not to the default user.
            Err(error) if matches!(error.code(), code::AUTHENTICATION_FAILURE | code::LOGIN_FAILED) => (2, String::new()),
            Err(error) => (0, error.message().to_owned()),
        };
        // SAFETY: NULL or `maxlen` bytes, as the interface says.
        unsafe { give_text(details, usize::try_from(maxlen).unwrap_or(0), told.as_bytes()) };
        status
    })
}

/// The hosts that the connection's user may come from.
fn allowed_hosts(connection: &Connection) -> Result<Vec<String>> {
    let sql = "SELECT allowed_host FROM information_schema.ins_users WHERE name = ?";
    let batches = connection.driver().execute(sql, &[Value::Varchar(connection.user().into())])?.collect()?;
    let text = batches.iter().find(|batch| batch.num_rows() > 0).and_then(|batch| cell_text(batch.column(0), 0)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    Ok(text.trim_start_matches(['+', '-']).split(',').map(str::trim).filter(|host| !host.is_empty()).map(str::to_owned).collect())
}

/// Network and length of its prefix of an entry such as `127.0.0.1/32`.
fn network(entry: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = entry.split_once('/').map_or((entry, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    Some((address, bits.map_or(Some(longest), |bits| bits.parse().ok())?))
}

/// IPv4 entries as the interface packs them: the address as it travels below, the length above.
fn packed(entry: &str) -> Option<u64> {
    match network(entry)? {
        (IpAddr::V4(address), bits) => Some(u64::from(bits) << 32 | u64::from(u32::from_le_bytes(address.octets()))),
        (IpAddr::V6(_), _) => None,
    }
}

fn ask_hosts(taos: *mut c_void, answer: impl FnOnce(Result<Vec<String>>) + Send + Clone + 'static) {
    let failed = answer.clone();
    let started = boundary::caught(|| {
        let connection = Connection::of(taos)?;
        worker::run(move || answer(boundary::caught(|| allowed_hosts(&connection))))
    });
    if let Err(error) = started {
        boundary::set_last(Status::of(&error));
        failed(Err(error));
    }
}

/// Asks for the IPv4 networks that the user may come from.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_whitelist_a(taos: *mut c_void, fp: Option<WhitelistCallback>, param: *mut c_void) {
    let Some(callback) = fp else { return boundary::set_last(Status::of(&invalid("no callback"))) };
    let (connection, parameter) = (Passed(taos), Passed(param));
    ask_hosts(taos, move |hosts| {
        let code = hosts.as_ref().err().map_or(0, |error| error.code().errno());
        let mut list: Vec<u64> = hosts.unwrap_or_default().iter().filter_map(|host| packed(host)).collect();
        // SAFETY: the callback that the program gave for this, with its own parameter; the list lives until it returns.
        unsafe { callback(parameter.get(), code, connection.get(), list.len() as c_int, list.as_mut_ptr()) };
    });
}

unsafe fn fetch_texts(taos: *mut c_void, fp: Option<TextWhitelistCallback>, param: *mut c_void, keep: fn(&str) -> bool) {
    let Some(callback) = fp else { return boundary::set_last(Status::of(&invalid("no callback"))) };
    let (connection, parameter) = (Passed(taos), Passed(param));
    ask_hosts(taos, move |hosts| {
        let code = hosts.as_ref().err().map_or(0, |error| error.code().errno());
        let texts: Vec<CString> = hosts.unwrap_or_default().iter().filter(|host| keep(host)).map(|host| c_text(host)).collect();
        let mut list: Vec<*mut c_char> = texts.iter().map(|text| text.as_ptr().cast_mut()).collect();
        // SAFETY: as above; the program reads the texts only.
        unsafe { callback(parameter.get(), code, connection.get(), list.len() as c_int, list.as_mut_ptr()) };
    });
}

/// Asks for the networks that the user may come from, as texts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_whitelist_dual_stack_a(taos: *mut c_void, fp: Option<TextWhitelistCallback>, param: *mut c_void) {
    // SAFETY: a callback as the interface says.
    unsafe { fetch_texts(taos, fp, param, |host| network(host).is_some()) };
}

/// The same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_ip_whitelist_a(taos: *mut c_void, fp: Option<TextWhitelistCallback>, param: *mut c_void) {
    // SAFETY: a callback as the interface says.
    unsafe { fetch_texts(taos, fp, param, |host| network(host).is_some()) };
}

/// Asks for the times at which the user may come; nobody is kept to any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_datetime_whitelist_a(taos: *mut c_void, fp: Option<TextWhitelistCallback>, param: *mut c_void) {
    // SAFETY: a callback as the interface says.
    unsafe { fetch_texts(taos, fp, param, |_| false) };
}

/// Checks that tables are there, given as `database.table,…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_load_table_info(taos: *mut c_void, names: *const c_char) -> c_int {
    code_of(|| {
        let connection = Connection::of(taos)?;
        // SAFETY: NULL or a text as the interface says.
        let names = unsafe { text(names) }?.unwrap_or_default();
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).try_for_each(|name| describe(&connection, name))
    })
}

fn describe(connection: &Arc<Connection>, name: &str) -> Result<()> {
    let mut sql = String::from("DESCRIBE ");
    embudo_client::literal::write_name(name.as_bytes(), &mut sql)?;
    connection.driver().execute(&sql, &[])?.collect().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        assert_eq!(packed("127.0.0.1/32"), Some(32 << 32 | 0x0100_007F));
        assert_eq!(packed("10.0.0.0/8"), Some(8 << 32 | 0x0000_000A));
        assert_eq!(packed("192.168.1.1"), Some(32 << 32 | 0x0101_A8C0));
        assert!(packed("::1/128").is_none() && network("::1/128").is_some() && network("here").is_none());
    }
}
