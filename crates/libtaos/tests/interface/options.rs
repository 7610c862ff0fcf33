//! Options of connections, as the list of connections shows them.

use std::ffi::{CStr, c_int, c_void};

use crate::{interface::*, serve, wire::Wire};

const ALL: c_int = -1;
const ADDRESS: c_int = 2;
const APPLICATION: c_int = 3;

fn set(taos: *mut c_void, option: c_int, value: Option<&CStr>) -> c_int {
    // SAFETY: a connection, and a text or none.
    unsafe { taos_options_connection(taos, option, value.map_or(std::ptr::null(), CStr::as_ptr).cast()) }
}

/// Whether the list has a connection of this program and address.
fn is_shown(taos: *mut c_void, application: &str, address: &str) -> bool {
    let sql = c(&format!("SELECT conn_id FROM performance_schema.perf_connections WHERE user_app = '{application}' AND user_ip = '{address}'"));
    // SAFETY: a connection and a text; the result is freed once.
    unsafe {
        let res = taos_query(taos, sql.as_ptr());
        assert_eq!(taos_errno(res), 0, "{}", read(taos_errstr(res)));
        let found = !taos_fetch_row(res).is_null();
        taos_free_result(res);
        found
    }
}

fn options(taos: *mut c_void) {
    assert_eq!(set(taos, APPLICATION, Some(c"meter")), 0);
    assert_eq!(set(taos, ADDRESS, Some(c"10.1.2.3")), 0);
    assert!(is_shown(taos, "meter", "10.1.2.3"));
    assert_eq!(set(taos, APPLICATION, Some(c"other")), 0);
    assert!(is_shown(taos, "other", "10.1.2.3") && !is_shown(taos, "meter", "10.1.2.3"));
    assert_ne!(set(taos, ADDRESS, Some(c"nowhere")), 0);
    assert!(is_shown(taos, "other", "10.1.2.3"));
    assert_eq!(set(taos, APPLICATION, None), 0);
    assert!(!is_shown(taos, "other", "10.1.2.3"));
    assert_eq!(set(taos, APPLICATION, Some(c"other")), 0);
    assert_eq!(set(taos, ALL, None), 0);
    assert!(!is_shown(taos, "other", "10.1.2.3"));
}

#[test]
fn embedded() {
    let taos = open("embudo://root:taosdata@/:memory:options?timezone=UTC");
    options(taos);
    // SAFETY: closed once.
    unsafe { taos_close(taos) };
}

#[test]
fn over_websocket_and_when_it_connects_again() {
    let (server, _) = serve();
    let wire = Wire::to(server.address());
    let taos = connect(wire.port());
    options(taos);
    assert_eq!(set(taos, APPLICATION, Some(c"again")), 0);
    assert_eq!(set(taos, ADDRESS, Some(c"10.3.2.1")), 0);
    wire.cut();
    assert_ne!(outcome(taos, "SELECT 1").0, 0);
    wire.mend();
    assert!(is_shown(taos, "again", "10.3.2.1"));
    // SAFETY: closed once.
    unsafe { taos_close(taos) };
}
