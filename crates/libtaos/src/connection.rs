//! Connections: opening and closing them, their current database, what they are connected to.

use std::{
    ffi::{CString, c_char, c_int, c_void},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use embudo_client::{ConnectOptions, Driver, Dsn, Introduction};
use embudo_types::{Error, Result, SERVER_VERSION, code};

use crate::{
    abi::{OPTIONS_LIMIT, Options},
    boundary::{self, c_text, code_of, give, give_text, invalid, needed_text, quietly, text, value_of},
    configuration::{self, Target},
    handle, rows, worker,
};

/// A session that C programs hold as `TAOS *`. What was made of it keeps it open after `taos_close`.
pub struct Connection {
    driver: Arc<dyn Driver>,
    user: String,
    version: OnceLock<CString>,
    database: Mutex<Option<String>>,
    introduction: Mutex<Introduction>,
}

impl Connection {
    /// Opens one.
    pub fn open(dsn: &Dsn) -> Result<Self> {
        let driver: Arc<dyn Driver> = Arc::from(embudo_client::connect(dsn, &ConnectOptions { application: worker::program_name() })?);
        let connection = Self::on(driver, dsn.user.as_deref().unwrap_or("root"));
        connection.lock_database().clone_from(&dsn.database);
        Ok(connection)
    }

    /// One on a driver that is there already.
    pub fn on(driver: Arc<dyn Driver>, user: &str) -> Self {
        Self { driver, user: user.to_owned(), version: OnceLock::new(), database: Mutex::default(), introduction: Mutex::default() }
    }

    /// The connection of a handle; without one the program is not connected.
    pub fn of(taos: *const c_void) -> Result<Arc<Self>> {
        handle::find(taos).ok_or_else(|| Error::new(code::DISCONNECTED_FROM_SERVICE))
    }

    /// Its session.
    pub fn driver(&self) -> &Arc<dyn Driver> {
        &self.driver
    }

    /// Who is logged in.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Changes what the connection says of itself.
    pub fn introduce(&self, change: impl FnOnce(&mut Introduction)) -> Result<()> {
        let mut introduction = self.introduction.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = introduction.clone();
        change(&mut changed);
        self.driver.introduce(&changed)?;
        *introduction = changed;
        Ok(())
    }

    /// Makes a database the current one.
    pub fn select(&self, database: &str) -> Result<()> {
        let name = database.trim_matches('`');
        if name.is_empty() || name.contains('`') {
            return Err(Error::new(code::INVALID_DATABASE_NAME));
        }
        self.driver.execute(&format!("USE `{name}`"), &[])?;
        *self.lock_database() = Some(name.to_owned());
        Ok(())
    }

    fn lock_database(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(dsn: Result<Dsn>) -> *mut c_void {
    value_of(std::ptr::null_mut(), || Ok(handle::register(Arc::new(Connection::open(&dsn?)?))))
}

/// Prepares the library; nothing needs it.
#[unsafe(no_mangle)]
pub extern "C" fn taos_init() -> c_int {
    0
}

/// Ends the library; connections that are open go on.
#[unsafe(no_mangle)]
pub extern "C" fn taos_cleanup() {}

/// Opens a connection.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_connect(ip: *const c_char, user: *const c_char, pass: *const c_char, db: *const c_char, port: u16) -> *mut c_void {
    // SAFETY: texts as the interface says.
    open(boundary::caught(|| unsafe {
        configuration::dsn(&Target { host: text(ip)?, port, user: text(user)?, password: text(pass)?, database: text(db)?, ..Target::default() })
    }))
}

/// Opens a connection by the hash of a password.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_connect_auth(ip: *const c_char, user: *const c_char, auth: *const c_char, db: *const c_char, port: u16) -> *mut c_void {
    // SAFETY: texts as the interface says.
    open(boundary::caught(|| unsafe {
        let password = Some(configuration::password_of_hash(needed_text(auth, "hash of a password")?)?);
        configuration::dsn(&Target { host: text(ip)?, port, user: text(user)?, password, database: text(db)?, ..Target::default() })
    }))
}

/// Opens a connection with a one-time password.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_connect_totp(
    ip: *const c_char,
    user: *const c_char,
    pass: *const c_char,
    totp: *const c_char,
    db: *const c_char,
    port: u16,
) -> *mut c_void {
    // SAFETY: texts as the interface says.
    open(unsafe { with_totp(ip, user, pass, totp, db, port) })
}

/// Opens a connection with a token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_connect_token(ip: *const c_char, token: *const c_char, db: *const c_char, port: u16) -> *mut c_void {
    // SAFETY: texts as the interface says.
    open(boundary::caught(|| unsafe {
        configuration::dsn(&Target { host: text(ip)?, port, token: Some(needed_text(token, "token")?), database: text(db)?, ..Target::default() })
    }))
}

/// Whether a connection can be opened.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_connect_test(
    ip: *const c_char,
    user: *const c_char,
    pass: *const c_char,
    totp: *const c_char,
    db: *const c_char,
    port: u16,
) -> c_int {
    // SAFETY: texts as the interface says.
    code_of(|| Connection::open(&unsafe { with_totp(ip, user, pass, totp, db, port) }?).map(drop))
}

unsafe fn with_totp(ip: *const c_char, user: *const c_char, pass: *const c_char, totp: *const c_char, db: *const c_char, port: u16) -> Result<Dsn> {
    // SAFETY: as the caller says.
    boundary::caught(|| unsafe {
        let totp = text(totp)?.filter(|totp| !totp.is_empty());
        configuration::dsn(&Target { host: text(ip)?, port, user: text(user)?, password: text(pass)?, database: text(db)?, totp, ..Target::default() })
    })
}

/// Opens a connection on a DSN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_connect_with_dsn(dsn: *const c_char) -> *mut c_void {
    // SAFETY: a text as the interface says.
    open(boundary::caught(|| configuration::dsn_of_text(unsafe { text(dsn) }?.unwrap_or("taosws://localhost"))))
}

/// Adds an option to a list for `taos_connect_with`; both texts must live until then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_set_option(options: *mut Options, key: *const c_char, value: *const c_char) {
    quietly((), || {
        // SAFETY: NULL, or a list as the interface says, which nobody else uses now.
        let Some(options) = (unsafe { options.as_mut() }) else { return };
        let at = usize::from(options.count);
        if at < OPTIONS_LIMIT && !key.is_null() && !value.is_null() {
            options.keys[at] = key;
            options.values[at] = value;
            options.count += 1;
        }
    });
}

/// Opens a connection by a list of options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_connect_with(options: *const Options) -> *mut c_void {
    // SAFETY: NULL, or a list of texts as the interface says.
    open(boundary::caught(|| unsafe { by_options(options) }))
}

unsafe fn by_options(options: *const Options) -> Result<Dsn> {
    // SAFETY: as the caller says.
    let options = unsafe { options.as_ref() }.ok_or_else(|| invalid("no options"))?;
    let count = usize::from(options.count).min(OPTIONS_LIMIT);
    let mut target = Target::default();
    let mut others = Vec::new();
    for (key, value) in options.keys.iter().zip(&options.values).take(count) {
        // SAFETY: as the caller says.
        let (key, value) = unsafe { (needed_text(*key, "name of an option")?, needed_text(*value, "value of an option")?) };
        match key {
            "ip" => target.host = Some(value),
            "port" => target.port = value.parse().map_err(|_| invalid("port is a number"))?,
            "user" => target.user = Some(value),
            "pass" => target.password = Some(value),
            "db" => target.database = Some(value),
            "token" => others.push(("token", value)),
            "adapterList" => target.host = Some(value),
            "charset" => {}
            "wsTlsMode" => others.push(("tls_mode", value)),
            "wsTlsVersion" => others.push(("tls_version", value)),
            "wsTlsCa" => others.push(("tls_ca", value)),
            other => others.push((other, value)),
        }
    }
    let mut dsn = configuration::dsn(&target)?;
    if dsn.transport == embudo_client::Transport::Embedded {
        return Ok(dsn);
    }
    for (name, value) in others {
        match (name, value) {
            ("tls_mode", "0") => {}
            ("tls_mode", mode) => {
                dsn.tls = true;
                dsn.set("tls_mode", if mode == "3" { "verify_identity" } else { "verify_ca" })?;
            }
            _ => dsn.set(&snake_case(name), value)?,
        }
    }
    Ok(dsn)
}

fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(character.to_ascii_lowercase());
    }
    out
}

/// Closes a connection. Results and statements that are open stay usable.
#[unsafe(no_mangle)]
pub extern "C" fn taos_close(taos: *mut c_void) {
    quietly((), || drop(handle::remove::<Connection>(taos)));
}

/// Changes the current database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_select_db(taos: *mut c_void, db: *const c_char) -> c_int {
    // SAFETY: a text as the interface says.
    code_of(|| Connection::of(taos)?.select(unsafe { needed_text(db, "name of a database") }?))
}

/// Leaves the current database.
#[unsafe(no_mangle)]
pub extern "C" fn taos_reset_current_db(taos: *mut c_void) {
    code_of(|| {
        let connection = Connection::of(taos)?;
        connection.driver().reset_database()?;
        *connection.lock_database() = None;
        Ok(())
    });
}

/// The current database, with -1 and the needed length where the buffer is too small.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_get_current_db(taos: *mut c_void, database: *mut c_char, len: c_int, required: *mut c_int) -> c_int {
    let mut fits = true;
    let code = code_of(|| {
        let name = rows::first_text(Connection::of(taos)?.driver().execute("SELECT DATABASE()", &[])?)?.unwrap_or_default();
        let (size, needed) = (usize::try_from(len).unwrap_or(0), name.len() + 1);
        if database.is_null() || size < needed {
            fits = false;
            // SAFETY: NULL or a place for a number, as the interface says.
            unsafe { give(required, needed as c_int) };
            return Err(invalid("the buffer is too small"));
        }
        // SAFETY: `len` bytes, as the interface says.
        unsafe { give_text(database, size, &name) };
        Ok(())
    });
    if fits { code } else { -1 }
}

/// The server's version.
#[unsafe(no_mangle)]
pub extern "C" fn taos_get_server_info(taos: *mut c_void) -> *const c_char {
    value_of(std::ptr::null(), || {
        let connection = Connection::of(taos)?;
        if connection.version.get().is_none() {
            let version = c_text(&connection.driver.server_version()?);
            // Another thread may have been faster; it has the same.
            let _ = connection.version.set(version);
        }
        // It lives as long as the connection.
        Ok(connection.version.get().map_or(std::ptr::null(), |version| version.as_ptr()))
    })
}

/// The library's version: that of the TDengine whose interface it has.
#[unsafe(no_mangle)]
pub extern "C" fn taos_get_client_info() -> *const c_char {
    static VERSION: OnceLock<CString> = OnceLock::new();
    VERSION.get_or_init(|| c_text(SERVER_VERSION)).as_ptr()
}

/// How the library was built.
#[unsafe(no_mangle)]
pub extern "C" fn getBuildInfo() -> *const c_char {
    static INFO: OnceLock<CString> = OnceLock::new();
    INFO.get_or_init(|| c_text(concat!("embudo ", env!("CARGO_PKG_VERSION")))).as_ptr()
}

/// This library's own version: by it TDengine's library and this one are told apart.
#[unsafe(no_mangle)]
pub extern "C" fn embudo_libtaos_version() -> *const c_char {
    static VERSION: OnceLock<CString> = OnceLock::new();
    VERSION.get_or_init(|| c_text(env!("CARGO_PKG_VERSION"))).as_ptr()
}

/// Who is connected: user (0) or token (1).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_get_connection_info(taos: *mut c_void, info: c_int, buffer: *mut c_char, len: *mut c_int) -> c_int {
    code_of(|| {
        let connection = Connection::of(taos)?;
        let value = match info {
            0 => connection.user(),
            // Tokens are not kept.
            1 => "",
            _ => return Err(invalid("no such information")),
        };
        // SAFETY: a place for a number, as the interface says.
        let length = unsafe { len.as_mut() }.ok_or_else(|| invalid("no length"))?;
        let size = usize::try_from(*length).unwrap_or(0);
        *length = value.len() as c_int;
        if buffer.is_null() || size <= value.len() {
            return Err(Error::with(code::OUT_OF_RANGE, "the buffer is too small"));
        }
        // SAFETY: `size` bytes, as the interface says.
        unsafe { give_text(buffer, size, value.as_bytes()) };
        Ok(())
    })
}

/// Whether the connection works: 1 or 0.
#[unsafe(no_mangle)]
pub extern "C" fn taos_connect_is_alive(taos: *mut c_void) -> c_int {
    value_of(0, || Connection::of(taos)?.driver().execute("SELECT SERVER_STATUS()", &[])?.collect().map(|_| 1))
}

/// Whether the connection is still one: 0, or why not.
#[unsafe(no_mangle)]
pub extern "C" fn taos_validate_connection(taos: *mut c_void) -> c_int {
    code_of(|| Connection::of(taos)?.driver().execute("SELECT SERVER_STATUS()", &[])?.collect().map(drop))
}
