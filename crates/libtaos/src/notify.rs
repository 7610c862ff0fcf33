//! Notifications: connections that asked for them hear when their user's password or hosts changed or when it was dropped. One thread looks
//! at the users while any connection wants to hear.

use std::{
    ffi::{c_int, c_void},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::Duration,
};

use embudo_types::{Error, Result, Value, code};

use crate::{
    abi::NotifyCallback,
    boundary::{self, Passed, code_of, invalid},
    connection::Connection,
    rows::cell_text,
};

/// How often users are looked at, as TDengine's client does.
const INTERVAL: Duration = Duration::from_millis(1_500);
/// `TAOS_NOTIFY_PASSVER`.
const PASSWORD: c_int = 0;
/// `TAOS_NOTIFY_WHITELIST_VER`.
const HOSTS: c_int = 1;
/// `TAOS_NOTIFY_USER_DROPPED`.
const DROPPED: c_int = 2;
/// The last kind there is.
const LAST_KIND: c_int = 4;

/// What a connection wants to hear, and what it knows.
struct Listener {
    connection: Weak<Connection>,
    callbacks: Vec<(c_int, NotifyCallback, Passed)>,
    known: Option<User>,
    /// Counts of changes, which the callbacks get.
    password_version: i32,
    hosts_version: i64,
}

/// What may change of a user.
#[derive(Clone, Debug, PartialEq)]
struct User {
    is_there: bool,
    password: Option<String>,
    hosts: Vec<u8>,
}

struct Listeners {
    list: Vec<Listener>,
    watched: bool,
}

static LISTENERS: Mutex<Listeners> = Mutex::new(Listeners { list: Vec::new(), watched: false });

fn listeners() -> MutexGuard<'static, Listeners> {
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks to be told of one kind of change of the connection's user; without a callback not any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_set_notify_cb(taos: *mut c_void, fp: Option<NotifyCallback>, param: *mut c_void, kind: c_int) -> c_int {
    code_of(|| {
        let connection = Connection::of(taos)?;
        if !(PASSWORD..=LAST_KIND).contains(&kind) {
            return Err(invalid("an unknown kind of notification"));
        }
        // What is there now is no news.
        let now = look(&connection)?;
        let mut listeners = listeners();
        let is_it = |listener: &Listener| std::ptr::eq(listener.connection.as_ptr(), Arc::as_ptr(&connection));
        let place = listeners.list.iter().position(is_it).unwrap_or_else(|| {
            let connection = Arc::downgrade(&connection);
            listeners.list.push(Listener { connection, callbacks: Vec::new(), known: Some(now), password_version: 0, hosts_version: 0 });
            listeners.list.len() - 1
        });
        let callbacks = &mut listeners.list[place].callbacks;
        callbacks.retain(|(given, ..)| *given != kind);
        callbacks.extend(fp.map(|callback| (kind, callback, Passed(param))));
        if !listeners.watched {
            let watcher = thread::Builder::new().name("taos-notify".into()).spawn(watch);
            watcher.map_err(|source| Error::io("starting a thread", source))?;
            listeners.watched = true;
        }
        Ok(())
    })
}

/// The connection's user as it is now.
fn look(connection: &Connection) -> Result<User> {
    let sql = "SELECT allowed_host FROM information_schema.ins_users WHERE name = ?";
    let asked = connection.driver().execute(sql, &[Value::Varchar(connection.user().into())]).and_then(embudo_types::ResultSet::collect);
    let batches = match asked {
        Ok(batches) => batches,
        // Who was dropped asks in vain.
        Err(error) if error.code() == code::INVALID_USER => return Ok(User { is_there: false, password: None, hosts: Vec::new() }),
        Err(error) => return Err(error),
    };
    let row = batches.iter().find(|batch| batch.num_rows() > 0);
    Ok(User { is_there: row.is_some(), password: password(connection), hosts: row.and_then(|batch| cell_text(batch.column(0), 0)).unwrap_or_default() })
}

/// What tells one password from another, where the database is in this process; servers do not tell.
#[cfg(feature = "embedded")]
fn password(connection: &Connection) -> Option<String> {
    let engine = connection.driver().engine()?;
    engine.catalog().user(connection.user()).ok().map(|user| format!("{:?}", user.password))
}

#[cfg(not(feature = "embedded"))]
fn password(_connection: &Connection) -> Option<String> {
    None
}

fn watch() {
    loop {
        thread::sleep(INTERVAL);
        let connections: Vec<Arc<Connection>> = {
            let mut listeners = listeners();
            listeners.list.retain(|listener| listener.connection.strong_count() > 0 && !listener.callbacks.is_empty());
            if listeners.list.is_empty() {
                listeners.watched = false;
                return;
            }
            listeners.list.iter().filter_map(|listener| listener.connection.upgrade()).collect()
        };
        for connection in connections {
            // A server that is away now is asked again later.
            if let Ok(now) = boundary::caught(|| look(&connection)) {
                tell(&connection, &now);
            }
        }
    }
}

/// Tells a connection's callbacks what is different now.
fn tell(connection: &Arc<Connection>, now: &User) {
    let mut calls = Vec::new();
    {
        let mut listeners = listeners();
        let Some(listener) = listeners.list.iter_mut().find(|listener| std::ptr::eq(listener.connection.as_ptr(), Arc::as_ptr(connection))) else { return };
        let Some(before) = listener.known.replace(now.clone()) else { return };
        let changes = [
            (PASSWORD, now.is_there && before.password != now.password),
            (HOSTS, now.is_there && before.hosts != now.hosts),
            (DROPPED, before.is_there && !now.is_there),
        ];
        listener.password_version += i32::from(changes[0].1);
        listener.hosts_version += i64::from(changes[1].1);
        for (kind, _) in changes.iter().filter(|(_, changed)| *changed) {
            let wanted = listener.callbacks.iter().filter(|(given, ..)| given == kind);
            calls.extend(wanted.map(|&(kind, callback, parameter)| (kind, callback, parameter, listener.password_version, listener.hosts_version)));
        }
    }
    for (kind, callback, parameter, mut password_version, mut hosts_version) in calls {
        let about: *mut c_void = match kind {
            PASSWORD => (&raw mut password_version).cast(),
            HOSTS => (&raw mut hosts_version).cast(),
            _ => std::ptr::null_mut(),
        };
        // SAFETY: the callback that the program gave for this, with its own parameter; what it is about lives until it returns.
        unsafe { callback(parameter.get(), about, kind) };
    }
}

/// Forgets the parent's thread and listeners, in the child of a fork.
pub fn after_fork() {
    if let Ok(mut listeners) = LISTENERS.try_lock() {
        std::mem::forget(std::mem::take(&mut listeners.list));
        listeners.watched = false;
    }
}
