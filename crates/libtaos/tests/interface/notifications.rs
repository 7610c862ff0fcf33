//! Notifications: every kind of change that a connection asked to be told of, embedded and over WebSocket; and nothing else.

use std::{
    ffi::{c_int, c_void},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{interface::*, serve, wait_until};

const PASSWORD: c_int = 0;
const HOSTS: c_int = 1;
const DROPPED: c_int = 2;

/// What one connection was told: kinds with the numbers that came with them.
#[derive(Default)]
struct Told(Mutex<Vec<(c_int, Option<i64>)>>);

impl Told {
    fn lock(&self) -> MutexGuard<'_, Vec<(c_int, Option<i64>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, kind: c_int) -> usize {
        self.lock().iter().filter(|(told, _)| *told == kind).count()
    }

    /// Asks for all kinds of one connection.
    fn listen(&'static self, taos: *mut c_void) {
        for kind in 0..=4 {
            // SAFETY: a handle, and a callback whose parameter lives for ever.
            let code = unsafe { taos_set_notify_cb(taos, Some(tell), std::ptr::from_ref(self).cast_mut().cast(), kind) };
            assert_eq!(code, 0, "{:?}", error_of(std::ptr::null_mut()));
        }
    }
}

extern "C" fn tell(parameter: *mut c_void, about: *mut c_void, kind: c_int) {
    // SAFETY: what the test gave, which lives for ever; what it is about is a number of the kind's width.
    unsafe {
        let number = match kind {
            PASSWORD => Some(i64::from(*about.cast::<i32>())),
            HOSTS => Some(*about.cast::<i64>()),
            _ => None,
        };
        (*parameter.cast::<Told>()).lock().push((kind, number));
    }
}

fn told() -> &'static Told {
    Box::leak(Box::default())
}

/// Changes a user in every way while connections of theirs and of others listen.
fn changes(root: *mut c_void, tells_passwords: bool, mut of_user: impl FnMut(&str, &str) -> *mut c_void) {
    run(root, "CREATE USER changing PASS 'Secret_12'");
    run(root, "CREATE USER staying PASS 'Secret_12'");
    let (changing, staying, of_root) = (told(), told(), told());
    let theirs = of_user("changing", "Secret_12");
    let others = of_user("staying", "Secret_12");
    changing.listen(theirs);
    staying.listen(others);
    of_root.listen(root);

    run(root, "ALTER USER changing ADD HOST '10.0.0.0/8'");
    wait_until("the hosts' change is told", || changing.count(HOSTS) == 1);
    run(root, "ALTER USER changing PASS 'Another_12'");
    wait_until("the password's change is told", || !tells_passwords || changing.count(PASSWORD) == 1);
    // The versions go up with each change.
    run(root, "ALTER USER changing DROP HOST '10.0.0.0/8'");
    wait_until("the second change of hosts is told", || changing.count(HOSTS) == 2);
    run(root, "ALTER USER changing PASS 'Secret_34'");
    wait_until("the second change of password is told", || !tells_passwords || changing.count(PASSWORD) == 2);
    run(root, "DROP USER changing");
    wait_until("the end is told", || changing.count(DROPPED) == 1);
    let numbers = |kind| changing.lock().iter().filter(|(told, _)| *told == kind).filter_map(|told| told.1).collect::<Vec<_>>();
    assert!(numbers(HOSTS).is_sorted_by(|one, next| one < next), "{:?}", numbers(HOSTS));
    assert!(numbers(PASSWORD).is_sorted_by(|one, next| one < next), "{:?}", numbers(PASSWORD));

    // Who does not want to hear any more is not told, and nobody hears of others.
    // SAFETY: handles; they are closed once.
    unsafe {
        assert_eq!(taos_set_notify_cb(others, None, std::ptr::null_mut(), DROPPED), 0);
        run(root, "ALTER USER staying PASS 'Another_12'");
        run(root, "DROP USER staying");
        taos_close(theirs);
        taos_close(others);
    }
    assert_eq!(of_root.lock().len(), 0);
    assert_eq!(staying.count(DROPPED), 0);
}

#[test]
fn embedded() {
    let dsn = |user: &str, password: &str| format!("embudo://{user}:{password}@/:memory:notified?timezone=UTC");
    let root = open(&dsn("root", "taosdata"));
    changes(root, true, |user, password| open(&dsn(user, password)));
    // SAFETY: closed once.
    unsafe { taos_close(root) };
}

#[test]
fn over_websocket() {
    let (server, _) = serve();
    let port = server.address().port();
    let root = connect(port);
    changes(root, false, |user, password| connect_as(user, password, port));
    // SAFETY: closed once.
    unsafe { taos_close(root) };
}
