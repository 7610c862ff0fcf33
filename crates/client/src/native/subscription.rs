//! Subscriptions by the library.

use std::{
    ffi::{CString, c_char, c_int, c_void},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use embudo_types::{
    Error, Result, code,
    subscription::{Assignment, Message, SubscribeOptions, SubscribedBlock},
};
use embudo_wire::tmq::{self, configuration, meta_json};

use super::{
    abi::TopicAssignment,
    c_text,
    library::{self, Library},
    native_port,
    result::Answer,
};
use crate::{Dsn, Subscription};

/// How long one wait of a poll is, so that it can be interrupted.
const ROUND: Duration = Duration::from_millis(200);

/// A consumer of the library.
pub struct NativeSubscription {
    consumer: Arc<Consumer>,
    topics: Mutex<Vec<String>>,
    polling: Mutex<()>,
    interrupted: AtomicBool,
    closed: AtomicBool,
}

struct Consumer {
    library: &'static Library,
    handle: *mut c_void,
    ended: AtomicBool,
}

// SAFETY: consumers may be used by any thread; polls take turns, and the library has its own lock for the rest.
unsafe impl Send for Consumer {}
// SAFETY: as above.
unsafe impl Sync for Consumer {}

impl Consumer {
    /// Ends it; later ends do nothing.
    fn end(&self) -> Result<()> {
        if self.ended.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        // SAFETY: ended once, here.
        self.library.check_consumer(unsafe { self.library.tmq_consumer_close()?(self.handle) })
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = self.end();
    }
}

impl NativeSubscription {
    /// Begins to consume.
    pub fn begin(library: &'static Library, dsn: &Dsn, options: &SubscribeOptions) -> Result<Self> {
        let consumer = Arc::new(open(library, dsn, options)?);
        let subscription =
            Self { consumer, topics: Mutex::default(), polling: Mutex::default(), interrupted: AtomicBool::new(false), closed: AtomicBool::new(false) };
        if !options.topics.is_empty() {
            subscription.subscribe(&options.topics)?;
        }
        Ok(subscription)
    }

    fn library(&self) -> &'static Library {
        self.consumer.library
    }

    fn handle(&self) -> Result<*mut c_void> {
        if self.closed.load(Ordering::Acquire) { Err(Error::new(code::CONSUMER_CLOSED)) } else { Ok(self.consumer.handle) }
    }

    /// The code of the thread's last error. TDengine's library leaves that of an earlier call where a poll found nothing.
    fn last_number(&self) -> Result<c_int> {
        // SAFETY: NULL asks for the thread's last error.
        Ok(unsafe { self.library().taos_errno()?(std::ptr::null_mut()) })
    }

    /// A message as everything else here takes it.
    fn message(&self, handle: *mut c_void) -> Result<Message> {
        let library = self.library();
        let answer = Answer::new(library, handle, Arc::clone(&self.consumer) as _)?;
        // SAFETY: a message that is there; its texts live as long.
        let (kind, topic, database, vgroup) = unsafe {
            (
                library.tmq_get_res_type()?(handle),
                library::read(library.tmq_get_topic_name()?(handle)),
                library::read(library.tmq_get_db_name()?(handle)),
                library.tmq_get_vgroup_id()?(handle),
            )
        };
        let kind = u64::try_from(kind).ok().and_then(tmq::message_kind).ok_or_else(|| Error::new(code::INVALID_MESSAGE_4000))?;
        let mut blocks = Vec::new();
        if kind != embudo_types::subscription::MessageKind::Meta {
            loop {
                let (_, precision) = answer.schema()?;
                let Some(block) = answer.next_block(precision)? else { break };
                // Each block has columns of its own.
                let (schema, _) = answer.schema()?;
                let arrays = block.columns.into_iter().map(|(_, array)| array).collect();
                let batch = arrow_array::RecordBatch::try_new(schema, arrays);
                let batch = batch.map_err(|source| Error::with(code::INVALID_MESSAGE, format!("a block does not fit its message: {source}")))?;
                // SAFETY: a message that is there.
                let table = unsafe { library::read(library.tmq_get_table_name()?(handle)) };
                blocks.push(SubscribedBlock { table: Some(table).filter(|table| !table.is_empty()), schema_version: 1, batch });
            }
        }
        let mut meta = Vec::new();
        if kind != embudo_types::subscription::MessageKind::Data {
            // SAFETY: a message that is there; the text is given back once.
            let json = unsafe {
                let json = library.tmq_get_json_meta()?(handle);
                let text = library::read(json);
                library.tmq_free_json_meta()?(json);
                text
            };
            if !json.is_empty() {
                let json = serde_json::from_str(&json).map_err(|source| Error::with(code::INVALID_MESSAGE, source.to_string()).caused_by(source))?;
                meta = meta_json::decode(&json)?;
            }
        }
        // SAFETY: a message that is there.
        let start = library.tmq_get_vgroup_offset().map_or(0, |function| unsafe { function(handle) });
        // Libraries of old do not tell where they are; commits there go by what was polled.
        let next = if library.tmq_position().is_ok() { self.position(&topic, vgroup)? } else { None }.unwrap_or(start + 1);
        Ok(Message { topic, database, vgroup, start, next, kind, blocks, meta })
    }

    fn offset(&self, ask: unsafe extern "C" fn(*mut c_void, *const c_char, i32) -> i64, topic: &str, vgroup: i32) -> Result<Option<i64>> {
        let topic = c_text(topic)?;
        // SAFETY: a consumer that is there and a text.
        let found = unsafe { ask(self.handle()?, topic.as_ptr(), vgroup) };
        if found >= 0 {
            return Ok(Some(found));
        }
        let error = self.library().consumer_error(found as i32);
        if error.code() == code::NO_COMMITTED_INFO { Ok(None) } else { Err(error) }
    }
}

fn open(library: &'static Library, dsn: &Dsn, options: &SubscribeOptions) -> Result<Consumer> {
    struct Configuration(&'static Library, *mut c_void);
    impl Drop for Configuration {
        fn drop(&mut self) {
            if let Ok(function) = self.0.tmq_conf_destroy() {
                // SAFETY: ended once, here.
                unsafe { function(self.1) };
            }
        }
    }
    // SAFETY: it takes nothing.
    let conf = Configuration(library, unsafe { library.tmq_conf_new()?() });
    if conf.1.is_null() {
        return Err(library.last_error());
    }
    let set = |key: &str, value: &str| -> Result<()> {
        let (key_text, value) = (c_text(key)?, c_text(value)?);
        // SAFETY: a configuration that is there and texts.
        if unsafe { library.tmq_conf_set()?(conf.1, key_text.as_ptr(), value.as_ptr()) } == 0 {
            return Ok(());
        }
        Err(Error::with(code::INVALID_PARAMETERS, format!("this libtaos does not take {key}")))
    };
    if let Some(host) = dsn.hosts().first() {
        set("td.connect.ip", &host.name)?;
        match native_port(library, host.port) {
            0 => {}
            port => set("td.connect.port", &port.to_string())?,
        }
    }
    set("td.connect.user", dsn.user.as_deref().unwrap_or("root"))?;
    set("td.connect.pass", dsn.password.as_ref().map_or("taosdata", |password| password.reveal()))?;
    if let Some(database) = &dsn.database {
        set("td.connect.db", database)?;
    }
    for (key, value) in configuration::of(options) {
        if !value.is_empty() {
            set(key, &value)?;
        }
    }
    set("msg.with.table.name", if options.with_table_name { "true" } else { "false" })?;
    let mut text = [0_u8; 512];
    // SAFETY: a configuration that is there and room for a text.
    let handle = unsafe { library.tmq_consumer_new()?(conf.1, text.as_mut_ptr().cast(), text.len() as i32) };
    if handle.is_null() {
        let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
        let error = library.last_error();
        let told = String::from_utf8_lossy(&text[..end]).into_owned();
        return Err(if told.is_empty() { error } else { Error::with(error.code(), told) });
    }
    Ok(Consumer { library, handle, ended: AtomicBool::new(false) })
}

impl Subscription for NativeSubscription {
    fn poll(&self, timeout: Duration) -> Result<Option<Message>> {
        let _one_at_a_time = self.polling.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + timeout.min(Duration::from_secs(1 << 30));
        loop {
            let handle = self.handle()?;
            let left = deadline.saturating_duration_since(Instant::now());
            let before = self.last_number()?;
            // SAFETY: a consumer that is there.
            let message = unsafe { self.library().tmq_consumer_poll()?(handle, left.min(ROUND).as_millis() as i64) };
            if !message.is_null() {
                return self.message(message).map(Some);
            }
            let number = self.last_number()?;
            if number != 0 && (number != before || self.library().is_ours()) {
                return Err(self.library().error(number, std::ptr::null_mut()));
            }
            if self.interrupted.swap(false, Ordering::AcqRel) || Instant::now() >= deadline {
                return Ok(None);
            }
        }
    }

    fn commit(&self, topic: &str, vgroup: i32, offset: i64) -> Result<()> {
        let topic = c_text(topic)?;
        // SAFETY: a consumer that is there and a text.
        self.library().check_consumer(unsafe { self.library().tmq_commit_offset_sync()?(self.handle()?, topic.as_ptr(), vgroup, offset) })
    }

    fn commit_all(&self) -> Result<()> {
        // SAFETY: a consumer that is there.
        self.library().check_consumer(unsafe { self.library().tmq_commit_sync()?(self.handle()?, std::ptr::null()) })
    }

    fn committed(&self, topic: &str, vgroup: i32) -> Result<Option<i64>> {
        self.offset(self.library().tmq_committed()?, topic, vgroup)
    }

    fn position(&self, topic: &str, vgroup: i32) -> Result<Option<i64>> {
        self.offset(self.library().tmq_position()?, topic, vgroup)
    }

    fn seek(&self, topic: &str, vgroup: i32, offset: i64) -> Result<()> {
        let topic = c_text(topic)?;
        // SAFETY: a consumer that is there and a text.
        self.library().check_consumer(unsafe { self.library().tmq_offset_seek()?(self.handle()?, topic.as_ptr(), vgroup, offset) })
    }

    fn assignment(&self, topic: &str) -> Result<Vec<Assignment>> {
        let text = c_text(topic)?;
        let (mut list, mut count): (*mut TopicAssignment, i32) = (std::ptr::null_mut(), 0);
        // SAFETY: a consumer that is there, a text and places for the answer.
        self.library().check_consumer(unsafe { self.library().tmq_get_topic_assignment()?(self.handle()?, text.as_ptr(), &raw mut list, &raw mut count) })?;
        // SAFETY: as many as it says.
        let all = if list.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(list, usize::try_from(count).unwrap_or(0)) } };
        let vgroups = all.iter().map(|vgroup| Assignment {
            topic: topic.to_owned(),
            vgroup: vgroup.vgroup,
            begin: vgroup.begin,
            end: vgroup.end,
            current: vgroup.current,
        });
        let vgroups = vgroups.collect();
        // SAFETY: given back once.
        unsafe { self.library().tmq_free_assignment()?(list) };
        Ok(vgroups)
    }

    fn topics(&self) -> Vec<String> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn subscribe(&self, topics: &[String]) -> Result<()> {
        let library = self.library();
        let texts = topics.iter().map(|topic| c_text(topic)).collect::<Result<Vec<CString>>>()?;
        // SAFETY: it takes nothing.
        let list = unsafe { library.tmq_list_new()?() };
        if list.is_null() {
            return Err(library.last_error());
        }
        let subscribed = (|| {
            for text in &texts {
                // SAFETY: a list that is there and a text.
                library.check_consumer(unsafe { library.tmq_list_append()?(list, text.as_ptr()) })?;
            }
            // SAFETY: a consumer and a list that are there.
            library.check_consumer(unsafe { library.tmq_subscribe()?(self.handle()?, list) })
        })();
        // SAFETY: ended once.
        unsafe { library.tmq_list_destroy()?(list) };
        subscribed?;
        *self.topics.lock().unwrap_or_else(PoisonError::into_inner) = topics.to_vec();
        Ok(())
    }

    fn unsubscribe(&self) -> Result<()> {
        // SAFETY: a consumer that is there.
        self.library().check_consumer(unsafe { self.library().tmq_unsubscribe()?(self.handle()?) })?;
        self.topics.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Release);
    }

    fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.interrupt();
        // A poll that is under way returns first.
        let _one_at_a_time = self.polling.lock().unwrap_or_else(PoisonError::into_inner);
        self.consumer.end()
    }
}
