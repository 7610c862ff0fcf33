//! Rows as text, for programs that print what they fetched.

use std::{
    ffi::{c_char, c_int, c_void},
    fmt::Write as _,
};

use embudo_types::DataType;

use crate::{abi::Field, boundary::quietly};

/// Writes a row as text, its values apart by spaces; gives the length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_print_row(text: *mut c_char, row: *const *const c_void, fields: *const Field, num_fields: c_int) -> c_int {
    // SAFETY: a row as it was fetched and a buffer that the program knows to be large enough.
    unsafe { print(text, None, row, fields, num_fields) }
}

/// The same, into a buffer of a size; what does not fit is cut off.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_print_row_with_size(text: *mut c_char, size: u32, row: *const *const c_void, fields: *const Field, num_fields: c_int) -> c_int {
    // SAFETY: a row as it was fetched and a buffer of this size.
    unsafe { print(text, Some(size as usize), row, fields, num_fields) }
}

unsafe fn print(buffer: *mut c_char, size: Option<usize>, row: *const *const c_void, fields: *const Field, count: c_int) -> c_int {
    quietly(0, || {
        let Ok(count) = usize::try_from(count) else { return 0 };
        if buffer.is_null() || row.is_null() || fields.is_null() || size == Some(0) {
            return 0;
        }
        // SAFETY: as the caller says, a field and an address for each column.
        let (fields, row) = unsafe { (std::slice::from_raw_parts(fields, count), std::slice::from_raw_parts(row, count)) };
        let mut out = Vec::new();
        for (at, (field, value)) in fields.iter().zip(row).enumerate() {
            if at > 0 {
                out.push(b' ');
            }
            // SAFETY: NULL, or a value of the field's type.
            unsafe { print_value(field, value.cast(), &mut out) };
        }
        let length = size.map_or(out.len(), |size| out.len().min(size - 1));
        // SAFETY: as the caller says, the buffer holds the text and its NUL.
        unsafe {
            buffer.copy_from_nonoverlapping(out.as_ptr().cast(), length);
            buffer.add(length).write(0);
        }
        length as c_int
    })
}

unsafe fn print_value(field: &Field, value: *const u8, out: &mut Vec<u8>) {
    let Some(data_type) = DataType::from_id(field.data_type as u8, 0).ok().filter(|_| !value.is_null()) else {
        return out.extend_from_slice(b"NULL");
    };
    let mut text = String::new();
    macro_rules! number {
        ($kind:ty, $form:literal) => {
            // SAFETY: as the caller says, a value of this type.
            text.push_str(&format!($form, unsafe { value.cast::<$kind>().read_unaligned() }))
        };
    }
    match data_type {
        DataType::Bool | DataType::TinyInt => number!(i8, "{}"),
        DataType::SmallInt => number!(i16, "{}"),
        DataType::Int => number!(i32, "{}"),
        DataType::BigInt | DataType::Timestamp => number!(i64, "{}"),
        DataType::UTinyInt => number!(u8, "{}"),
        DataType::USmallInt => number!(u16, "{}"),
        DataType::UInt => number!(u32, "{}"),
        DataType::UBigInt => number!(u64, "{}"),
        DataType::Float => number!(f32, "{:.6}"),
        DataType::Double => number!(f64, "{:.6}"),
        DataType::Decimal(..) => {
            // SAFETY: a text that is ended by NUL.
            return out.extend_from_slice(unsafe { std::ffi::CStr::from_ptr(value.cast()) }.to_bytes());
        }
        DataType::Null => return out.extend_from_slice(b"NULL"),
        _ => {
            // SAFETY: as the caller says, a value of a row, with its length before it.
            let bytes = unsafe { bytes_of_value(data_type, value) };
            if !matches!(data_type, DataType::VarBinary(_) | DataType::Blob | DataType::MediumBlob) {
                return out.extend_from_slice(bytes);
            }
            text.push_str("\\x");
            for byte in bytes {
                // Writing to a text cannot fail.
                let _ = write!(text, "{byte:02X}");
            }
        }
    }
    out.extend_from_slice(text.as_bytes());
}

unsafe fn bytes_of_value<'a>(data_type: DataType, value: *const u8) -> &'a [u8] {
    // SAFETY: as the caller says; lengths are 4 bytes before BLOBs and 2 before all others.
    unsafe {
        let length = match data_type {
            DataType::Blob | DataType::MediumBlob => value.sub(4).cast::<u32>().read_unaligned() as usize,
            _ => usize::from(value.sub(2).cast::<u16>().read_unaligned()),
        };
        std::slice::from_raw_parts(value, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::c_name;

    #[test]
    fn values_of_all_kinds() {
        let field = |id: i8| Field { name: c_name("c"), data_type: id, bytes: 0 };
        let fields = [field(5), field(7), field(1), field(8), field(16), field(4), field(17)];
        let (number, float, boolean) = (-5_i64, 1.5_f64, 1_u8);
        let (text, bytes) = (*b"\x02\x00ab", *b"\x02\x00\x00\xff");
        let row: [*const c_void; 7] = [
            (&raw const number).cast(),
            (&raw const float).cast(),
            (&raw const boolean).cast(),
            text[2..].as_ptr().cast(),
            bytes[2..].as_ptr().cast(),
            std::ptr::null(),
            c"1.25".as_ptr().cast(),
        ];
        let mut out = [1_u8; 64];
        // SAFETY: seven fields and values, 64 bytes.
        let length = unsafe { taos_print_row_with_size(out.as_mut_ptr().cast(), 64, row.as_ptr(), fields.as_ptr(), 7) };
        assert_eq!(&out[..length as usize], b"-5 1.500000 1 ab \\x00FF NULL 1.25");
        // SAFETY: as above, six bytes.
        assert_eq!(unsafe { taos_print_row_with_size(out.as_mut_ptr().cast(), 6, row.as_ptr(), fields.as_ptr(), 7) }, 5);
        assert_eq!(&out[..6], b"-5 1.\0");
    }
}
