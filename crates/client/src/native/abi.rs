//! Structures, numbers and callbacks of the C interface of TDengine, laid out as C lays them out (spec/protocols.md 6.2 and 6.3).

use std::ffi::{c_char, c_int, c_void};

/// Bytes of a field's name with its NUL.
pub const NAME_BYTES: usize = 65;

/// `TAOS_FIELD`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name, ended by NUL.
    pub name: [u8; NAME_BYTES],
    /// Type id.
    pub data_type: i8,
    /// User length.
    pub bytes: i32,
}

/// `TAOS_FIELD_E`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FieldE {
    /// Name, ended by NUL.
    pub name: [u8; NAME_BYTES],
    /// Type id.
    pub data_type: i8,
    /// Digits of a decimal, or precision of a timestamp.
    pub precision: u8,
    /// Scale of a decimal.
    pub scale: u8,
    /// User length in results, storage length in statements.
    pub bytes: i32,
}

/// `TAOS_FIELD_ALL`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FieldAll {
    /// Name, ended by NUL.
    pub name: [u8; NAME_BYTES],
    /// Type id.
    pub data_type: i8,
    /// Digits of a decimal, or precision of a timestamp.
    pub precision: u8,
    /// Scale of a decimal.
    pub scale: u8,
    /// Storage length.
    pub bytes: i32,
    /// One of the `FIELD_` numbers.
    pub field_type: u8,
}

/// `TAOS_FIELD_COL`.
pub const FIELD_COLUMN: u8 = 1;
/// `TAOS_FIELD_TAG`.
pub const FIELD_TAG: u8 = 2;
/// `TAOS_FIELD_TBNAME`.
pub const FIELD_TABLE: u8 = 4;

/// `TAOS_MULTI_BIND`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MultiBind {
    /// Type id of the values.
    pub buffer_type: c_int,
    /// `num` values, `buffer_length` bytes apart.
    pub buffer: *const c_void,
    /// Bytes from value to value.
    pub buffer_length: usize,
    /// Bytes of each value of a variable type.
    pub length: *const i32,
    /// Not 0 for NULL; absent for none.
    pub is_null: *const c_char,
    /// Values.
    pub num: c_int,
}

/// `TAOS_STMT_OPTIONS`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct StatementOptions {
    /// For the server's log.
    pub request_id: i64,
    /// Rows go to one supertable.
    pub single_supertable: bool,
    /// Each table is bound once.
    pub single_bind: bool,
}

/// `TAOS_STMT2_OPTION`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Statement2Option {
    /// For the server's log.
    pub request_id: i64,
    /// Rows go to one supertable.
    pub single_supertable: bool,
    /// Each table is bound once.
    pub single_bind: bool,
    /// Told when an execution is done; executions are synchronous without it.
    pub callback: Option<AsyncCallback>,
    /// First argument of the callback.
    pub parameter: *mut c_void,
}

/// `TAOS_STMT2_BIND`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Bind2 {
    /// Type id of the values.
    pub buffer_type: c_int,
    /// Values without gaps.
    pub buffer: *const c_void,
    /// Bytes of each value of a variable type.
    pub length: *const i32,
    /// 0 a value, 1 NULL, 2 left out; absent for values only.
    pub is_null: *const c_char,
    /// Values.
    pub num: c_int,
}

/// `TAOS_STMT2_BINDV`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct BindTables {
    /// Tables.
    pub count: c_int,
    /// Their names, or none.
    pub names: *const *const c_char,
    /// Tags of each, or none.
    pub tags: *const *const Bind2,
    /// Columns of each, or none.
    pub columns: *const *const Bind2,
}

/// `TAOS_STMT2_COLUMN_BIND`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ColumnBind {
    /// Type id of the values.
    pub buffer_type: c_int,
    /// Values without gaps.
    pub buffer: *const c_void,
    /// Bytes of each value of a variable type.
    pub length: *const i32,
    /// 0 a value, 1 NULL, 2 left out; absent for values only.
    pub is_null: *const c_char,
}

/// `TAOS_STMT2_COLUMN_BINDV`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ColumnBinds {
    /// Columns, one for each `?`.
    pub columns_count: c_int,
    /// Rows of each.
    pub rows: c_int,
    /// Runs of rows with the same table.
    pub tables: c_int,
    /// The columns.
    pub columns: *const ColumnBind,
}

/// `tmq_topic_assignment`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TopicAssignment {
    /// Vgroup.
    pub vgroup: i32,
    /// Next offset.
    pub current: i64,
    /// First offset that is there.
    pub begin: i64,
    /// Offset behind the last.
    pub end: i64,
}

/// `tmq_raw_data`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RawData {
    /// The message's body.
    pub raw: *mut c_void,
    /// Its bytes.
    pub length: u32,
    /// What it is.
    pub kind: u16,
}

/// `setConfRet`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ConfigurationResult {
    /// 0, or one of `SET_CONF_RET_CODE`.
    pub code: i32,
    /// What is wrong, ended by NUL.
    pub message: [u8; 1024],
}

/// `TAOS_VGROUP_HASH_INFO`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct VgroupRange {
    /// Vgroup.
    pub vgroup: i32,
    /// First hash.
    pub begin: u32,
    /// Last hash.
    pub end: u32,
}

/// `TAOS_DB_ROUTE_INFO`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RouteInfo {
    /// Version of the routes.
    pub version: i32,
    /// Characters of a name that count from its beginning.
    pub prefix: i16,
    /// Characters that count from its end.
    pub suffix: i16,
    /// How names are hashed.
    pub method: i8,
    /// Vgroups.
    pub vgroups: i32,
    /// Their ranges, for the caller to free.
    pub ranges: *mut VgroupRange,
}

/// Entries of [`Options`].
pub const OPTIONS_LIMIT: usize = 256;

/// `OPTIONS` of `taos_connect_with`.
#[repr(C)]
pub struct Options {
    /// Names.
    pub keys: [*const c_char; OPTIONS_LIMIT],
    /// Values.
    pub values: [*const c_char; OPTIONS_LIMIT],
    /// How many.
    pub count: u16,
}

/// `__taos_async_fn_t`: parameter, result, code or number of rows.
pub type AsyncCallback = unsafe extern "C" fn(*mut c_void, *mut c_void, c_int);
/// `__taos_notify_fn_t`: parameter, what it is about, kind.
pub type NotifyCallback = unsafe extern "C" fn(*mut c_void, *mut c_void, c_int);
/// `__taos_async_whitelist_fn_t`: parameter, code, connection, number of entries, entries.
pub type WhitelistCallback = unsafe extern "C" fn(*mut c_void, c_int, *mut c_void, c_int, *mut u64);
/// The same with entries as texts.
pub type TextWhitelistCallback = unsafe extern "C" fn(*mut c_void, c_int, *mut c_void, c_int, *mut *mut c_char);
/// `tmq_commit_cb`: consumer, code, parameter.
pub type CommitCallback = unsafe extern "C" fn(*mut c_void, i32, *mut c_void);

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    #[test]
    fn layouts_are_those_of_the_interface() {
        assert_eq!((size_of::<Field>(), offset_of!(Field, data_type), offset_of!(Field, bytes)), (72, 65, 68));
        assert_eq!((size_of::<FieldE>(), offset_of!(FieldE, precision), offset_of!(FieldE, scale), offset_of!(FieldE, bytes)), (72, 66, 67, 68));
        assert_eq!((size_of::<FieldAll>(), offset_of!(FieldAll, field_type)), (76, 72));
        assert_eq!((size_of::<MultiBind>(), offset_of!(MultiBind, is_null), offset_of!(MultiBind, num)), (48, 32, 40));
        assert_eq!((size_of::<StatementOptions>(), offset_of!(StatementOptions, single_bind)), (16, 9));
        assert_eq!((size_of::<Statement2Option>(), offset_of!(Statement2Option, callback), offset_of!(Statement2Option, parameter)), (32, 16, 24));
        assert_eq!((size_of::<Bind2>(), offset_of!(Bind2, num)), (40, 32));
        assert_eq!((size_of::<BindTables>(), offset_of!(BindTables, columns)), (32, 24));
        assert_eq!((size_of::<ColumnBind>(), size_of::<ColumnBinds>(), offset_of!(ColumnBinds, columns)), (32, 24, 16));
        assert_eq!((size_of::<TopicAssignment>(), offset_of!(TopicAssignment, current)), (32, 8));
        assert_eq!((size_of::<RawData>(), offset_of!(RawData, kind)), (16, 12));
        assert_eq!(size_of::<ConfigurationResult>(), 1028);
        assert_eq!((size_of::<VgroupRange>(), size_of::<RouteInfo>(), offset_of!(RouteInfo, vgroups)), (12, 24, 12));
        assert_eq!(size_of::<Options>(), 4104);
    }
}
