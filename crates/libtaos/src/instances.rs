//! Instances that programs register, such as adapters: kept in the process, each until it expires.

use std::{
    collections::BTreeMap,
    ffi::{CString, c_char, c_int},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use embudo_types::Result;

use crate::{
    allocation,
    boundary::{c_text, code_of, give, invalid, needed_text, quietly, text},
};

/// The longest id, and the longest of the other texts.
const ID_BYTES: usize = 255;
const TEXT_BYTES: usize = 511;

static INSTANCES: Mutex<BTreeMap<String, Option<Instant>>> = Mutex::new(BTreeMap::new());

fn instances() -> MutexGuard<'static, BTreeMap<String, Option<Instant>>> {
    let mut instances = INSTANCES.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    instances.retain(|_, expires| expires.is_none_or(|expires| expires > now));
    instances
}

/// Registers an instance for some seconds, 0 for ever; a negative number removes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_register_instance(id: *const c_char, kind: *const c_char, desc: *const c_char, expire: i32) -> c_int {
    code_of(|| {
        // SAFETY: texts as the interface says.
        let (id, kind, desc) = unsafe { (needed_text(id, "id")?, text(kind)?.unwrap_or_default(), text(desc)?.unwrap_or_default()) };
        register(id, kind, desc, expire)
    })
}

fn register(id: &str, kind: &str, desc: &str, expire: i32) -> Result<()> {
    if id.is_empty() || id.len() > ID_BYTES || kind.len() > TEXT_BYTES || desc.len() > TEXT_BYTES {
        return Err(invalid("an instance's text is empty or too long"));
    }
    let mut instances = instances();
    match u64::try_from(expire) {
        Ok(0) => drop(instances.insert(id.to_owned(), None)),
        Ok(seconds) => drop(instances.insert(id.to_owned(), Some(Instant::now() + Duration::from_secs(seconds)))),
        Err(_) => drop(instances.remove(id)),
    }
    Ok(())
}

/// The ids of the instances that contain a text; to be given back with `taos_free_instances`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_list_instances(filter: *const c_char, list: *mut *mut *mut c_char, count: *mut i32) -> c_int {
    code_of(|| {
        // SAFETY: NULL or a text as the interface says.
        let filter = unsafe { text(filter) }?.unwrap_or_default();
        if list.is_null() || count.is_null() {
            return Err(invalid("no place for the list"));
        }
        let ids: Vec<CString> = instances().keys().filter(|id| id.contains(filter)).map(|id| c_text(id)).collect();
        let texts: Vec<*mut c_char> = ids.iter().map(|id| allocation::hand_out(id.to_bytes_with_nul()).map(<*mut u8>::cast)).collect::<Result<_>>()?;
        // SAFETY: places as the interface says.
        unsafe {
            give(list, allocation::hand_out(&texts)?);
            give(count, texts.len() as i32);
        }
        Ok(())
    })
}

/// Takes a list back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_free_instances(list: *mut *mut *mut c_char, count: i32) {
    quietly((), || {
        // SAFETY: NULL, or the place of a list as it was given.
        let Some(place) = (unsafe { list.as_mut() }) else { return };
        let texts = std::mem::replace(place, std::ptr::null_mut());
        if texts.is_null() {
            return;
        }
        for at in 0..usize::try_from(count).unwrap_or(0) {
            // SAFETY: as many texts as were given.
            allocation::take_back(unsafe { *texts.add(at) });
        }
        allocation::take_back(texts);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_come_and_go() {
        register("test-one:6041", "taosadapter", "", 30).unwrap();
        register("test-two:6041", "taosadapter", "", 0).unwrap();
        assert!(register("", "", "", 0).is_err());
        let (mut list, mut count) = (std::ptr::null_mut(), 0);
        // SAFETY: places of this function.
        unsafe {
            assert_eq!(taos_list_instances(c"test-".as_ptr(), &raw mut list, &raw mut count), 0);
            assert_eq!(count, 2);
            assert_eq!(std::ffi::CStr::from_ptr(*list), c"test-one:6041");
            taos_free_instances(&raw mut list, count);
        }
        assert!(list.is_null());
        register("test-one:6041", "", "", -1).unwrap();
        register("test-two:6041", "", "", -1).unwrap();
        assert!(!instances().contains_key("test-one:6041"));
    }
}
