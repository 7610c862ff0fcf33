//! The edge between C and Rust: no panic crosses it, errors become codes and the thread's last error, texts are checked.

use std::{
    borrow::Cow,
    cell::RefCell,
    ffi::{CStr, CString, c_char, c_int, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
};

use embudo_types::{Error, Result, code};

/// A code with its text, as `taos_errno` and `taos_errstr` give them.
#[derive(Clone, Debug)]
pub struct Status {
    code: c_int,
    text: Cow<'static, CStr>,
}

impl Status {
    /// No error.
    pub fn success() -> Self {
        Self { code: 0, text: Cow::Borrowed(c"success") }
    }

    /// That of an error.
    pub fn of(error: &Error) -> Self {
        Self { code: error.code().errno(), text: Cow::Owned(c_text(error.message())) }
    }

    /// 0, or the code with its top bit set.
    pub fn code(&self) -> c_int {
        self.code
    }

    /// The text.
    pub fn message(&self) -> String {
        self.text.to_string_lossy().into_owned()
    }

    /// The text for C; it lives as long as the status is not changed.
    pub fn text(&self) -> *const c_char {
        self.text.as_ptr()
    }
}

impl Default for Status {
    fn default() -> Self {
        Self::success()
    }
}

/// A text for C; it ends at a NUL inside.
pub fn c_text(text: &str) -> CString {
    let end = text.bytes().position(|byte| byte == 0).unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

thread_local! {
    static LAST: RefCell<Status> = RefCell::new(Status::success());
}

/// Remembers what the thread's last call came to.
pub fn set_last(status: Status) {
    // While the thread ends there is nobody to ask.
    let _ = LAST.try_with(|last| *last.borrow_mut() = status);
}

/// Code of the thread's last error.
pub fn last_code() -> c_int {
    LAST.try_with(|last| last.borrow().code()).unwrap_or(0)
}

/// Text of the thread's last error; it lives until the thread's next call.
pub fn last_text() -> *const c_char {
    LAST.try_with(|last| last.borrow().text()).unwrap_or(c"success".as_ptr())
}

/// Runs work; a panic in it becomes an internal error.
pub fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // What a panic leaves half done is behind locks whose users look at it anew, or is dropped with its handle.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic");
        Err(Error::internal(what))
    })
}

/// Runs work that C asks a code of.
pub fn code_of(work: impl FnOnce() -> Result<()>) -> c_int {
    let status = caught(work).map_or_else(|error| Status::of(&error), |()| Status::success());
    let code = status.code();
    set_last(status);
    code
}

/// Runs work that C asks a value of; an error gives `otherwise` and is the thread's last.
pub fn value_of<T>(otherwise: T, work: impl FnOnce() -> Result<T>) -> T {
    match caught(work) {
        Ok(value) => {
            set_last(Status::success());
            value
        }
        Err(error) => {
            set_last(Status::of(&error));
            otherwise
        }
    }
}

/// Runs work whose errors nobody asks for and which leaves the thread's last error alone; a panic gives `otherwise`.
pub fn quietly<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    caught(|| Ok(work())).unwrap_or(otherwise)
}

/// 0x0118.
pub fn invalid(what: &str) -> Error {
    Error::with(code::INVALID_PARAMETERS, format!("{}: {what}", code::INVALID_PARAMETERS.text()))
}

/// A text that C gave; `None` for NULL.
///
/// # Safety
/// `pointer` is NULL or leads to a text that is ended by NUL and outlives the result.
pub unsafe fn text<'a>(pointer: *const c_char) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller says.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map(Some).map_err(|error| invalid(&format!("a text is not UTF-8 at byte {}", error.valid_up_to())))
}

/// A text that must be there.
///
/// # Safety
/// As [`text`].
pub unsafe fn needed_text<'a>(pointer: *const c_char, what: &str) -> Result<&'a str> {
    // SAFETY: as the caller says.
    unsafe { text(pointer) }?.ok_or_else(|| invalid(&format!("no {what}")))
}

/// Bytes that C gave with their number.
///
/// # Safety
/// `pointer` leads to `length` bytes that outlive the result, or `length` is not positive, or it is NULL.
pub unsafe fn bytes<'a>(pointer: *const c_char, length: c_int, what: &str) -> Result<&'a [u8]> {
    match usize::try_from(length) {
        Ok(0) => Ok(&[]),
        Ok(_) if pointer.is_null() => Err(invalid(&format!("no {what}"))),
        // SAFETY: as the caller says.
        Ok(length) => Ok(unsafe { std::slice::from_raw_parts(pointer.cast(), length) }),
        Err(_) => Err(invalid(&format!("a negative length of {what}"))),
    }
}

/// Items that C gave with their number; an absent array is an error where there should be items.
///
/// # Safety
/// `pointer` is NULL or leads to `count` items that outlive the result.
pub unsafe fn items<'a, T>(pointer: *const T, count: c_int, what: &str) -> Result<&'a [T]> {
    match usize::try_from(count) {
        Ok(0) => Ok(&[]),
        Ok(_) if pointer.is_null() => Err(invalid(&format!("no {what}"))),
        // SAFETY: as the caller says.
        Ok(count) => Ok(unsafe { std::slice::from_raw_parts(pointer, count) }),
        Err(_) => Err(invalid(&format!("a negative number of {what}"))),
    }
}

/// Writes a value where C wants it; an absent place wants none.
///
/// # Safety
/// `place` is NULL or may be written.
pub unsafe fn give<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: as the caller says.
        unsafe { place.write(value) };
    }
}

/// Writes a text with its NUL into a buffer of C, cut to fit.
///
/// # Safety
/// `buffer` is NULL or has `size` bytes that may be written.
pub unsafe fn give_text(buffer: *mut c_char, size: usize, text: &[u8]) {
    if buffer.is_null() || size == 0 {
        return;
    }
    let count = text.len().min(size - 1);
    // SAFETY: `count` and the NUL behind it are within `size`.
    unsafe {
        buffer.copy_from_nonoverlapping(text.as_ptr().cast(), count);
        buffer.add(count).write(0);
    }
}

/// A pointer of C's that another thread will use.
#[derive(Clone, Copy)]
pub struct Passed(pub *mut c_void);

// SAFETY: it is not followed here, only handed to the callback that it came with; that callbacks run on other threads is the interface's rule.
unsafe impl Send for Passed {}
// SAFETY: as above.
unsafe impl Sync for Passed {}

impl Passed {
    /// The pointer. (A method, so that closures take the whole wrapper.)
    pub fn get(self) -> *mut c_void {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_panics_become_codes() {
        assert_eq!(code_of(|| Ok(())), 0);
        assert_eq!(last_code(), 0);
        assert_eq!(code_of(|| Err(Error::new(code::DATABASE_NOT_EXIST))), 0x8000_0388_u32 as i32);
        // SAFETY: the text of this thread's status.
        assert_eq!(unsafe { CStr::from_ptr(last_text()) }, c"Database not exist");
        assert_eq!(value_of(-1, || -> Result<i32> { panic!("boom") }), -1);
        assert_eq!(last_code(), code::INTERNAL_ERROR.errno());
        assert_eq!(c_text("a\0b").as_bytes(), b"a");
    }

    #[test]
    fn texts_are_cut_to_their_buffers() {
        let mut buffer = [1_u8; 4];
        // SAFETY: four bytes.
        unsafe { give_text(buffer.as_mut_ptr().cast(), 4, b"abcdef") };
        assert_eq!(&buffer, b"abc\0");
        // SAFETY: nothing is written to nowhere.
        unsafe { give_text(std::ptr::null_mut(), 4, b"abcdef") };
    }
}
