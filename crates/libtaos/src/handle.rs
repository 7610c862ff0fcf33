//! Handles: what C programs hold instead of objects. A handle is a number that was never a pointer, so one that is NULL, freed, of another
//! kind or made up is found out by looking it up, and a number comes again only after 2^40 others.

use std::{
    any::Any,
    ffi::c_void,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustc_hash::FxHashMap;

/// Above every heap and aligned like a pointer: runtimes that look at pointers (Go, Java) take it for foreign memory.
const BASE: usize = 0x4000_0000_0000;
const STEP: usize = 16;
const COUNT: usize = 1 << 40;
const SHARDS: usize = 16;

type Object = Arc<dyn Any + Send + Sync>;
type Shard = RwLock<FxHashMap<usize, Object>>;

static NEXT: AtomicUsize = AtomicUsize::new(0);
static SHARD: [Shard; SHARDS] = [const { RwLock::new(FxHashMap::with_hasher(rustc_hash::FxBuildHasher)) }; SHARDS];

fn shard(handle: usize) -> &'static Shard {
    &SHARD[handle / STEP % SHARDS]
}

fn read(shard: &'static Shard) -> RwLockReadGuard<'static, FxHashMap<usize, Object>> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &'static Shard) -> RwLockWriteGuard<'static, FxHashMap<usize, Object>> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

/// A handle of the object, which lives until [`remove`].
pub fn register<T: Any + Send + Sync>(object: Arc<T>) -> *mut c_void {
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let handle = BASE + number * STEP;
        let mut objects = write(shard(handle));
        // After all numbers had their turn some may still be in use.
        if let std::collections::hash_map::Entry::Vacant(entry) = objects.entry(handle) {
            entry.insert(object);
            return std::ptr::without_provenance_mut(handle);
        }
    }
}

/// The object of a handle, if it is there and of this kind.
pub fn find<T: Any + Send + Sync>(handle: *const c_void) -> Option<Arc<T>> {
    let object = read(shard(handle.addr())).get(&handle.addr()).cloned()?;
    object.downcast().ok()
}

/// Takes the object of a handle out; calls under way with it keep it alive until they return.
pub fn remove<T: Any + Send + Sync>(handle: *const c_void) -> Option<Arc<T>> {
    let mut objects = write(shard(handle.addr()));
    if !objects.get(&handle.addr())?.is::<T>() {
        return None;
    }
    let object = objects.remove(&handle.addr());
    drop(objects);
    object?.downcast().ok()
}

/// Forgets all objects without ending them, in the child of a fork: threads, locks and files behind them are the parent's.
pub fn forget_all() {
    for shard in &SHARD {
        // A thread of the parent may have held it just then; nobody will let go of it here.
        if let Ok(mut objects) = shard.try_write() {
            std::mem::forget(std::mem::take(&mut *objects));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_checked_for_presence_and_kind() {
        let text = register(Arc::new(String::from("text")));
        let number = register(Arc::new(7_i32));
        assert_eq!(*find::<String>(text).unwrap(), "text");
        assert!(find::<i32>(text).is_none() && remove::<i32>(text).is_none());
        assert!(find::<String>(std::ptr::null()).is_none() && find::<String>(std::ptr::without_provenance(0x10)).is_none());
        assert_eq!(*remove::<i32>(number).unwrap(), 7);
        assert!(remove::<i32>(number).is_none() && find::<i32>(number).is_none());
        remove::<String>(text).unwrap();
    }
}
