//! Lists of topics.

use std::{
    ffi::{CString, c_char, c_void},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use embudo_types::Result;

use crate::{
    boundary::{c_text, code_of, invalid, needed_text, quietly},
    handle,
};

/// What `tmq_list_t *` stands for.
#[derive(Default)]
pub struct TopicList {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    names: Vec<CString>,
    /// Their addresses, as the last call wanted them.
    addresses: Vec<*mut c_char>,
}

// SAFETY: the addresses lead to the names beside them and are only handed to C.
unsafe impl Send for State {}

impl TopicList {
    /// A list of topics.
    pub fn of(names: &[String]) -> Self {
        Self { state: Mutex::new(State { names: names.iter().map(|name| c_text(name)).collect(), addresses: Vec::new() }) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The topics.
    pub fn names(&self) -> Vec<String> {
        self.lock().names.iter().map(|name| name.to_string_lossy().into_owned()).collect()
    }

    /// Adds topics.
    pub fn extend(&self, names: &[String]) {
        self.lock().names.extend(names.iter().map(|name| c_text(name)));
    }

    /// The list of a handle.
    pub fn find(list: *const c_void) -> Result<Arc<Self>> {
        handle::find(list).ok_or_else(|| invalid("no list of topics"))
    }
}

/// An empty list.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_list_new() -> *mut c_void {
    quietly(std::ptr::null_mut(), || handle::register(Arc::<TopicList>::default()))
}

/// Adds a topic.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_list_append(list: *mut c_void, topic: *const c_char) -> i32 {
    code_of(|| {
        let list = TopicList::find(list)?;
        // SAFETY: a text as the interface says.
        let topic = unsafe { needed_text(topic, "topic") }?;
        if topic.is_empty() {
            return Err(invalid("no topic"));
        }
        list.lock().names.push(c_text(topic));
        Ok(())
    })
}

/// Ends a list.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_list_destroy(list: *mut c_void) {
    quietly((), || drop(handle::remove::<TopicList>(list)));
}

/// How many topics there are.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_list_get_size(list: *const c_void) -> i32 {
    quietly(-1, || TopicList::find(list).map_or_else(|error| error.code().errno(), |list| list.lock().names.len() as i32))
}

/// The topics as texts; they live until the list changes.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_list_to_c_array(list: *const c_void) -> *mut *mut c_char {
    quietly(std::ptr::null_mut(), || {
        let Ok(list) = TopicList::find(list) else { return std::ptr::null_mut() };
        let mut state = list.lock();
        let State { names, addresses } = &mut *state;
        *addresses = names.iter().map(|name| name.as_ptr().cast_mut()).collect();
        if addresses.is_empty() { std::ptr::null_mut() } else { addresses.as_mut_ptr() }
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn lists_hold_their_topics() {
        let list = tmq_list_new();
        // SAFETY: texts of this function and of the list.
        unsafe {
            assert_eq!(tmq_list_append(list, c"a".as_ptr()), 0);
            assert_eq!(tmq_list_append(list, c"b".as_ptr()), 0);
            assert!(tmq_list_append(list, c"".as_ptr()) != 0 && tmq_list_append(list, std::ptr::null()) != 0);
            assert_eq!(tmq_list_get_size(list), 2);
            let texts = tmq_list_to_c_array(list);
            assert_eq!(CStr::from_ptr(*texts.add(1)), c"b");
        }
        tmq_list_destroy(list);
        assert!(tmq_list_to_c_array(list).is_null() && tmq_list_get_size(list) < 0);
    }
}
