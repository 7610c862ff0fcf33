//! Consumers: their configuration, polls, commits and offsets.

use std::{
    ffi::{c_char, c_int, c_void},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use embudo_client::Subscription;
use embudo_types::{Error, Result, code, subscription::SubscribeOptions};
use embudo_wire::tmq::configuration;

use crate::{
    abi::{CommitCallback, TopicAssignment},
    allocation,
    boundary::{self, Passed, Status, code_of, give, give_text, invalid, needed_text, quietly, value_of},
    configuration::{Target, dsn},
    connection::Connection,
    handle,
    message::{Message, no_message},
    result::QueryResult,
    topic_list::TopicList,
    worker,
};

/// `TMQ_CONF_UNKNOWN`, `TMQ_CONF_INVALID`.
const UNKNOWN: c_int = -2;
const INVALID: c_int = -1;
/// The longest names of groups and clients.
const GROUP_BYTES: usize = 192;
const CLIENT_BYTES: usize = 255;
/// How long one wait is of a poll that has no limit.
const ROUND: Duration = Duration::from_secs(1);

/// What `tmq_conf_t *` stands for.
struct Configuration(Mutex<Settings>);

/// What a consumer is made with.
#[derive(Clone)]
struct Settings {
    options: SubscribeOptions,
    host: Option<String>,
    port: u16,
    user: Option<String>,
    password: Option<String>,
    database: Option<String>,
    token: Option<String>,
    on_commit: Option<(CommitCallback, Passed)>,
}

impl Settings {
    fn new() -> Self {
        // C programs ask for the names of tables, all others get them.
        let options = SubscribeOptions { with_table_name: false, ..SubscribeOptions::new("", [""; 0]) };
        Self { options, host: None, port: 0, user: None, password: None, database: None, token: None, on_commit: None }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let text = || Some(value.to_owned());
        match key {
            "td.connect.ip" => self.host = text(),
            "td.connect.port" => self.port = value.parse().map_err(|_| invalid("td.connect.port"))?,
            "td.connect.user" => self.user = text(),
            "td.connect.pass" => self.password = text(),
            "td.connect.db" => self.database = text(),
            "td.connect.token" => self.token = text(),
            "group.id" if value.is_empty() || value.len() > GROUP_BYTES => return Err(invalid(key)),
            "client.id" if value.len() > CLIENT_BYTES => return Err(invalid(key)),
            _ => configuration::set(&mut self.options, key, value)?,
        }
        Ok(())
    }

    fn connect(&self) -> Result<Connection> {
        Connection::open(&dsn(&Target {
            host: self.host.as_deref(),
            port: self.port,
            user: self.user.as_deref(),
            password: self.password.as_deref(),
            database: self.database.as_deref(),
            token: self.token.as_deref(),
            ..Target::default()
        })?)
    }
}

/// A new configuration.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_conf_new() -> *mut c_void {
    quietly(std::ptr::null_mut(), || handle::register(Arc::new(Configuration(Mutex::new(Settings::new())))))
}

/// Sets a key: 0, -1 for a value that cannot be, -2 for a key that there is not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_conf_set(conf: *mut c_void, key: *const c_char, value: *const c_char) -> c_int {
    let outcome = boundary::caught(|| {
        // SAFETY: texts as the interface says.
        let (key, value) = unsafe { (needed_text(key, "key")?, needed_text(value, "value")?) };
        let conf = handle::find::<Configuration>(conf).ok_or_else(|| invalid("no configuration"))?;
        conf.0.lock().unwrap_or_else(PoisonError::into_inner).set(key, value)
    });
    match outcome {
        Ok(()) => 0,
        Err(error) if error.message().starts_with("unknown configuration key") => UNKNOWN,
        Err(_) => INVALID,
    }
}

/// Ends a configuration; consumers made with it go on.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_conf_destroy(conf: *mut c_void) {
    quietly((), || drop(handle::remove::<Configuration>(conf)));
}

/// Has automatic commits tell of themselves.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_conf_set_auto_commit_cb(conf: *mut c_void, cb: Option<CommitCallback>, param: *mut c_void) {
    quietly((), || {
        if let Some(conf) = handle::find::<Configuration>(conf) {
            conf.0.lock().unwrap_or_else(PoisonError::into_inner).on_commit = cb.map(|callback| (callback, Passed(param)));
        }
    });
}

/// What `tmq_t *` stands for.
struct Consumer {
    connection: Arc<Connection>,
    /// The connection for C; it ends with the consumer.
    connection_handle: usize,
    options: SubscribeOptions,
    on_commit: Option<OnCommit>,
    subscription: Mutex<Option<Arc<dyn Subscription>>>,
}

/// Automatic commits that tell of themselves are made here.
struct OnCommit {
    callback: CommitCallback,
    parameter: Passed,
    last: Mutex<Instant>,
}

impl Consumer {
    fn of(tmq: *const c_void) -> Result<Arc<Self>> {
        handle::find(tmq).ok_or_else(|| invalid("no consumer"))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<dyn Subscription>>> {
        self.subscription.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscription(&self) -> Result<Arc<dyn Subscription>> {
        self.lock().clone().ok_or_else(|| Error::new(code::ASSIGNMENT_OR_POLL_INTERFACE_NEED_TO))
    }

    fn subscribe(&self, topics: Vec<String>) -> Result<()> {
        let mut subscription = self.lock();
        if let Some(subscription) = &*subscription {
            return subscription.subscribe(&topics);
        }
        // Commits that shall tell of themselves are not left to the subscription.
        let auto_commit = self.options.auto_commit && self.on_commit.is_none();
        let options = SubscribeOptions { topics, auto_commit, ..self.options.clone() };
        *subscription = Some(Arc::from(self.connection.driver().subscribe(options)?));
        Ok(())
    }

    /// Commits what earlier polls gave, once an interval, or now.
    fn commit_by_itself(&self, tmq: *mut c_void, subscription: &dyn Subscription, now: bool) {
        let Some(told) = self.on_commit.as_ref().filter(|_| self.options.auto_commit) else { return };
        {
            let mut last = told.last.lock().unwrap_or_else(PoisonError::into_inner);
            if !now && last.elapsed() < self.options.auto_commit_interval {
                return;
            }
            *last = Instant::now();
        }
        let code = subscription.commit_all().map_or_else(|error| error.code().errno(), |()| 0);
        // SAFETY: the callback that the program gave with the configuration, with its own parameter.
        unsafe { (told.callback)(tmq, code, told.parameter.get()) };
    }

    fn poll(&self, tmq: *mut c_void, timeout: i64) -> Result<*mut c_void> {
        let subscription = self.subscription()?;
        self.commit_by_itself(tmq, &*subscription, false);
        let given = match u64::try_from(timeout) {
            Ok(milliseconds) => subscription.poll(Duration::from_millis(milliseconds))?,
            Err(_) => loop {
                if let Some(message) = subscription.poll(ROUND)? {
                    break Some(message);
                }
                if self.lock().is_none() {
                    return Err(Error::new(code::CONSUMER_CLOSED));
                }
            },
        };
        let message = given.map(|given| Message::new(given, self.options.batch_meta, self.options.with_table_name));
        Ok(message.map_or(std::ptr::null_mut(), |message| QueryResult::of_message(message).into_handle()))
    }

    fn commit(&self, message: *const c_void) -> Result<()> {
        let subscription = self.subscription()?;
        if message.is_null() {
            return subscription.commit_all();
        }
        let result = QueryResult::of(message).map_err(|_| no_message())?;
        subscription.commit_message(&result.message().ok_or_else(no_message)?.given)
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let handle: *mut c_void = std::ptr::without_provenance_mut(self.connection_handle);
        drop(handle::remove::<Connection>(handle));
    }
}

/// A consumer with this configuration; NULL with a text on an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_consumer_new(conf: *mut c_void, errstr: *mut c_char, length: i32) -> *mut c_void {
    let made = boundary::caught(|| {
        let conf = handle::find::<Configuration>(conf).ok_or_else(|| invalid("no configuration"))?;
        let settings = conf.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if settings.options.group.is_empty() {
            return Err(invalid("group.id is not set"));
        }
        let connection = Arc::new(settings.connect()?);
        let on_commit = settings.on_commit.map(|(callback, parameter)| OnCommit { callback, parameter, last: Mutex::new(Instant::now()) });
        let connection_handle = handle::register(Arc::clone(&connection)).addr();
        let consumer = Consumer { connection, connection_handle, options: settings.options, on_commit, subscription: Mutex::new(None) };
        Ok(handle::register(Arc::new(consumer)))
    });
    if let Err(error) = &made {
        // SAFETY: NULL or `length` bytes, as the interface says.
        unsafe { give_text(errstr, usize::try_from(length).unwrap_or(0), error.message().as_bytes()) };
    }
    value_of(std::ptr::null_mut(), || made)
}

/// Subscribes to topics.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_subscribe(tmq: *mut c_void, topics: *const c_void) -> i32 {
    code_of(|| {
        let topics = TopicList::find(topics)?.names();
        if topics.is_empty() {
            return Err(invalid("no topics"));
        }
        Consumer::of(tmq)?.subscribe(topics)
    })
}

/// Leaves the group.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_unsubscribe(tmq: *mut c_void) -> i32 {
    code_of(|| {
        let consumer = Consumer::of(tmq)?;
        // One that never subscribed has nothing to leave.
        let Ok(subscription) = consumer.subscription() else { return Ok(()) };
        consumer.commit_by_itself(tmq, &*subscription, true);
        subscription.unsubscribe()
    })
}

/// Adds the topics subscribed to to a list, which is made where there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_subscription(tmq: *mut c_void, topics: *mut *mut c_void) -> i32 {
    code_of(|| {
        let names = Consumer::of(tmq)?.subscription().map(|subscription| subscription.topics()).unwrap_or_default();
        // SAFETY: NULL or a place for an address, as the interface says.
        let place = unsafe { topics.as_mut() }.ok_or_else(|| invalid("no place for the list"))?;
        if place.is_null() {
            *place = handle::register(Arc::new(TopicList::of(&names)));
        } else {
            TopicList::find(*place)?.extend(&names);
        }
        Ok(())
    })
}

/// The next message; NULL where there is none within the timeout, or on an error.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_consumer_poll(tmq: *mut c_void, timeout: i64) -> *mut c_void {
    value_of(std::ptr::null_mut(), || Consumer::of(tmq)?.poll(tmq, timeout))
}

/// Leaves the group and ends the consumer.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_consumer_close(tmq: *mut c_void) -> i32 {
    code_of(|| {
        let consumer = handle::remove::<Consumer>(tmq).ok_or_else(|| invalid("no consumer"))?;
        let subscription = consumer.lock().take();
        let Some(subscription) = subscription else { return Ok(()) };
        subscription.interrupt();
        consumer.commit_by_itself(tmq, &*subscription, true);
        subscription.close()
    })
}

/// Commits a message and all before it in its vgroup, or everything that polls gave.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_commit_sync(tmq: *mut c_void, msg: *const c_void) -> i32 {
    code_of(|| Consumer::of(tmq)?.commit(msg))
}

/// Commits an offset.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_commit_offset_sync(tmq: *mut c_void, topic: *const c_char, vgroup: i32, offset: i64) -> i32 {
    // SAFETY: a text as the interface says.
    code_of(|| Consumer::of(tmq)?.subscription()?.commit(unsafe { needed_text(topic, "topic") }?, vgroup, offset))
}

/// Does something on another thread and tells of it.
fn later(tmq: *mut c_void, callback: Option<CommitCallback>, parameter: *mut c_void, work: impl FnOnce() -> Result<()> + Send + 'static) {
    let (consumer, parameter) = (Passed(tmq), Passed(parameter));
    let started = boundary::caught(|| {
        worker::run(move || {
            let code = boundary::caught(work).map_or_else(|error| error.code().errno(), |()| 0);
            if let Some(callback) = callback {
                // SAFETY: the callback that the program gave for this, with its own parameter.
                unsafe { callback(consumer.get(), code, parameter.get()) };
            }
        })
    });
    if let Err(error) = started {
        boundary::set_last(Status::of(&error));
    }
}

/// Commits as `tmq_commit_sync`, on another thread that calls back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_commit_async(tmq: *mut c_void, msg: *const c_void, cb: Option<CommitCallback>, param: *mut c_void) {
    // The program may free the message right after this.
    let prepared = boundary::caught(|| {
        let consumer = Consumer::of(tmq)?;
        let message = if msg.is_null() { None } else { Some(QueryResult::of(msg).map_err(|_| no_message())?) };
        Ok((consumer, message))
    });
    later(tmq, cb, param, move || {
        let (consumer, message) = prepared?;
        let subscription = consumer.subscription()?;
        match message {
            None => subscription.commit_all(),
            Some(result) => subscription.commit_message(&result.message().ok_or_else(no_message)?.given),
        }
    });
}

/// Commits an offset, on another thread that calls back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_commit_offset_async(
    tmq: *mut c_void,
    topic: *const c_char,
    vgroup: i32,
    offset: i64,
    cb: Option<CommitCallback>,
    param: *mut c_void,
) {
    // SAFETY: a text as the interface says.
    let prepared = boundary::caught(|| Ok((Consumer::of(tmq)?.subscription()?, unsafe { needed_text(topic, "topic") }?.to_owned())));
    later(tmq, cb, param, move || {
        let (subscription, topic) = prepared?;
        subscription.commit(&topic, vgroup, offset)
    });
}

/// The vgroups of a topic that are this consumer's, to be given back with `tmq_free_assignment`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_get_topic_assignment(tmq: *mut c_void, topic: *const c_char, assignment: *mut *mut TopicAssignment, count: *mut i32) -> i32 {
    code_of(|| {
        let subscription = Consumer::of(tmq)?.subscription()?;
        // SAFETY: a text as the interface says.
        let vgroups = subscription.assignment(unsafe { needed_text(topic, "topic") }?)?;
        if assignment.is_null() || count.is_null() {
            return Err(invalid("no place for the assignment"));
        }
        let all: Vec<TopicAssignment> =
            vgroups.iter().map(|vgroup| TopicAssignment { vgroup: vgroup.vgroup, current: vgroup.current, begin: vgroup.begin, end: vgroup.end }).collect();
        // SAFETY: places as the interface says.
        unsafe {
            give(assignment, allocation::hand_out(&all)?);
            give(count, all.len() as i32);
        }
        Ok(())
    })
}

/// Takes back what `tmq_get_topic_assignment` gave.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_free_assignment(assignment: *mut TopicAssignment) {
    quietly((), || allocation::take_back(assignment));
}

/// Reads on at another offset.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_offset_seek(tmq: *mut c_void, topic: *const c_char, vgroup: i32, offset: i64) -> i32 {
    // SAFETY: a text as the interface says.
    code_of(|| Consumer::of(tmq)?.subscription()?.seek(unsafe { needed_text(topic, "topic") }?, vgroup, offset))
}

fn offset(find: impl FnOnce() -> Result<Option<i64>>) -> i64 {
    let found = boundary::caught(|| find()?.ok_or_else(|| Error::new(code::NO_COMMITTED_INFO)));
    match found {
        Ok(offset) => {
            boundary::set_last(Status::success());
            offset
        }
        Err(error) => {
            boundary::set_last(Status::of(&error));
            i64::from(error.code().errno())
        }
    }
}

/// Where the next poll reads, or a negative code.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_position(tmq: *mut c_void, topic: *const c_char, vgroup: i32) -> i64 {
    // SAFETY: a text as the interface says.
    offset(|| Consumer::of(tmq)?.subscription()?.position(unsafe { needed_text(topic, "topic") }?, vgroup))
}

/// What the group has committed, or a negative code.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_committed(tmq: *mut c_void, topic: *const c_char, vgroup: i32) -> i64 {
    // SAFETY: a text as the interface says.
    offset(|| Consumer::of(tmq)?.subscription()?.committed(unsafe { needed_text(topic, "topic") }?, vgroup))
}

/// The consumer's connection; it ends with the consumer.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_get_connect(tmq: *mut c_void) -> *mut c_void {
    value_of(std::ptr::null_mut(), || Consumer::of(tmq).map(|consumer| std::ptr::without_provenance_mut(consumer.connection_handle)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values() {
        let conf = tmq_conf_new();
        // SAFETY: texts of this function.
        unsafe {
            assert_eq!(tmq_conf_set(conf, c"group.id".as_ptr(), c"g".as_ptr()), 0);
            assert_eq!(tmq_conf_set(conf, c"group.id".as_ptr(), c"".as_ptr()), INVALID);
            assert_eq!(tmq_conf_set(conf, c"no.such.key".as_ptr(), c"1".as_ptr()), UNKNOWN);
            assert_eq!(tmq_conf_set(conf, c"auto.offset.reset".as_ptr(), c"sometimes".as_ptr()), INVALID);
            assert_eq!(tmq_conf_set(conf, c"td.connect.port".as_ptr(), c"x".as_ptr()), INVALID);
            assert_eq!(tmq_conf_set(conf, c"enable.auto.commit".as_ptr(), std::ptr::null()), INVALID);
            assert_eq!(tmq_conf_set(std::ptr::null_mut(), c"group.id".as_ptr(), c"g".as_ptr()), INVALID);
        }
        tmq_conf_destroy(conf);
        tmq_conf_destroy(conf);
    }

    #[test]
    fn a_consumer_needs_a_group() {
        let conf = tmq_conf_new();
        let mut text = [0_u8; 8];
        // SAFETY: eight bytes.
        let consumer = unsafe { tmq_consumer_new(conf, text.as_mut_ptr().cast(), 8) };
        assert!(consumer.is_null());
        assert_eq!(&text, b"Invalid\0");
        tmq_conf_destroy(conf);
    }
}
