//! TDengine's error codes and their texts: the only place in the project where a code is written.
//!
//! Each constant is the low 16 bits of the code that a TDengine client sees (`taos_errno` sets the top bit).

/// The low 16 bits of a TDengine error code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u16);

impl Code {
    /// The table's text of this code, or `unknown error`.
    pub fn text(self) -> &'static str {
        TABLE.binary_search_by_key(&self, |entry| entry.0).map_or("unknown error", |at| TABLE[at].2)
    }

    /// The constant's name, such as `SYNTAX_ERROR_NEAR`, or `UNKNOWN`.
    pub fn name(self) -> &'static str {
        TABLE.binary_search_by_key(&self, |entry| entry.0).map_or("UNKNOWN", |at| TABLE[at].1)
    }

    /// What `taos_errno` returns: the code with the top bit set, as a negative number.
    pub fn errno(self) -> i32 {
        (0x8000_0000_u32 | u32::from(self.0)) as i32
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "0x{:04X}", self.0)
    }
}

macro_rules! codes {
    ($($name:ident = $code:literal, $text:literal;)*) => {
        $(
            #[doc = $text]
            #[allow(clippy::doc_markdown, reason = "TDengine's own words")]
            pub const $name: Code = Code($code);
        )*
        /// Every code in ascending order: code, constant's name, text.
        pub const TABLE: &[(Code, &str, &str)] = &[$((Code($code), stringify!($name), $text)),*];
    };
}

codes! {
    LOGIN_FAILED = 0x0003, "Authentication failure";
    UNABLE_TO_ESTABLISH_CONNECTION = 0x000B, "Unable to establish connection";
    CLIENT_AND_SERVER_S_TIME_IS = 0x0013, "Client and server's time is not synchronized";
    UNABLE_TO_RESOLVE_FQDN = 0x0015, "Unable to resolve FQDN";
    CONN_IS_BROKEN = 0x0018, "Conn is broken";
    CONN_READ_TIMEOUT = 0x0019, "Conn read timeout";
    SOME_VNODE_QNODE_MNODE_S_OUT = 0x0020, "some vnode/qnode/mnode(s) out of service";
    RPC_OPEN_TOO_MANY_SESSION = 0x0022, "rpc open too many session";
    RPC_NETWORK_ERROR = 0x0023, "rpc network error";
    RPC_NETWORK_BUSY = 0x0024, "rpc network busy";
    OPERATION_NOT_SUPPORTED = 0x0100, "Operation not supported";
    OUT_OF_MEMORY = 0x0102, "Out of Memory";
    UNEXPECTED_GENERIC_ERROR = 0x0110, "Unexpected generic error";
    ACTION_IN_PROGRESS = 0x0111, "Action in progress";
    OUT_OF_RANGE = 0x0112, "Out of range";
    INVALID_MESSAGE = 0x0115, "Invalid message";
    INVALID_PARAMETERS = 0x0118, "Invalid parameters";
    INVALID_CONFIG_OPTION = 0x0119, "Invalid config option";
    INVALID_OPTION = 0x011A, "Invalid option";
    INVALID_JSON_FORMAT = 0x011B, "Invalid json format";
    VERSION_NOT_COMPATIBLE = 0x011E, "Version not compatible";
    CHECKSUM_ERROR = 0x011F, "Checksum error";
    CONFIG_NOT_FOUND = 0x0122, "Config not found";
    INVALID_TIMESTAMP_FORMAT = 0x0127, "Invalid timestamp format";
    NO_AVAILABLE_DISK = 0x0129, "No available disk";
    NOT_FOUND = 0x012A, "Not found";
    OUT_OF_DISK_SPACE = 0x012B, "Out of disk space";
    OPERATION_TIMEOUT = 0x012C, "Operation timeout";
    DATABASE_IS_STARTING_UP = 0x0130, "Database is starting up";
    DATABASE_IS_CLOSING_DOWN = 0x0131, "Database is closing down";
    INVALID_CONFIGURATION_VALUE = 0x0133, "Invalid configuration value";
    NOT_ALLOWED_TO_CONNECT = 0x0134, "Not allowed to connect";
    DECIMAL_VALUE_OVERFLOW = 0x013D, "Decimal value overflow";
    DIVISION_BY_ZERO_ERROR = 0x013E, "Division by zero error";
    INVALID_OPERATION = 0x0200, "Invalid operation";
    INVALID_QHANDLE = 0x0201, "Invalid qhandle";
    INVALID_VALUE_IN_CLIENT = 0x0203, "Invalid value in client";
    INVALID_USER_NAME = 0x0207, "Invalid user name";
    INVALID_PASSWORD = 0x0208, "Invalid password";
    DATABASE_NAME_TOO_LONG = 0x0209, "Database name too long";
    TABLE_NAME_TOO_LONG = 0x020A, "Table name too long";
    INVALID_CONNECTION = 0x020B, "Invalid connection";
    QUERY_TERMINATED = 0x020F, "Query terminated";
    DISCONNECTED_FROM_SERVICE = 0x0213, "Disconnected from service";
    CONNECTION_KILLED = 0x0215, "Connection killed";
    SYNTAX_ERROR_IN_SQL = 0x0216, "Syntax error in SQL";
    DATABASE_NOT_SPECIFIED_OR_AVAILABLE = 0x0217, "Database not specified or available";
    TABLE_DOES_NOT_EXIST = 0x0218, "Table does not exist";
    SQL_STATEMENT_TOO_LONG = 0x0219, "SQL statement too long";
    FILE_IS_EMPTY = 0x021A, "File is empty";
    SYNTAX_ERROR_IN_LINE = 0x021B, "Syntax error in Line";
    DUPLICATED_COLUMN_NAMES = 0x021D, "duplicated column names";
    INVALID_TAG_LENGTH = 0x021E, "Invalid tag length";
    INVALID_COLUMN_LENGTH = 0x021F, "Invalid column length";
    DUPLICATED_NAMES = 0x0220, "duplicated names";
    INVALID_JSON_FORMAT_0221 = 0x0221, "Invalid JSON format";
    INVALID_JSON_DATA_TYPE = 0x0222, "Invalid JSON data type";
    VALUE_OUT_OF_RANGE = 0x0224, "Value out of range";
    INVALID_TSC_INPUT = 0x0229, "Invalid tsc input";
    STMT_API_USAGE_ERROR = 0x022A, "Stmt API usage error";
    STMT_TABLE_NAME_NOT_SET = 0x022B, "Stmt table name not set";
    NOT_SUPPORTED_STMT_CLAUSE = 0x022C, "not supported stmt clause";
    QUERY_KILLED = 0x022D, "Query killed";
    NO_AVAILABLE_EXECUTION_NODE_IN_CURRENT = 0x022E, "No available execution node in current query policy configuration";
    TABLE_IS_NOT_A_SUPER_TABLE = 0x022F, "Table is not a super table";
    STMT_CACHE_ERROR = 0x0230, "Stmt cache error";
    INVALID_ENCODE_PARAM = 0x0231, "Invalid encode param";
    NOT_FOUND_COMPRESS_PARAM = 0x0232, "Not found compress param";
    INVALID_COMPRESS_PARAM = 0x0233, "Invalid compress param";
    INVALID_COMPRESS_LEVEL_PARAM = 0x0234, "Invalid compress level param";
    INTERNAL_ERROR = 0x02FF, "Internal error";
    INSUFFICIENT_PRIVILEGE_FOR_OPERATION = 0x0303, "Insufficient privilege for operation";
    DATA_EXPIRED = 0x030B, "Data expired";
    INVALID_QUERY_ID = 0x030C, "Invalid query id";
    INVALID_CONNECTION_ID = 0x030E, "Invalid connection id";
    USER_IS_DISABLED = 0x0315, "User is disabled";
    DNODE_ALREADY_EXISTS = 0x0330, "Dnode already exists";
    DNODE_DOES_NOT_EXIST = 0x0331, "Dnode does not exist";
    VGROUP_DOES_NOT_EXIST = 0x0332, "Vgroup does not exist";
    CANNOT_DROP_MNODE_WHICH_IS_LEADER = 0x0333, "Cannot drop mnode which is leader";
    OUT_OF_DNODES = 0x0334, "Out of dnodes";
    USER_ALREADY_EXISTS = 0x0350, "User already exists";
    INVALID_USER = 0x0351, "Invalid user";
    INVALID_USER_FORMAT = 0x0352, "Invalid user format";
    INVALID_PASSWORD_FORMAT = 0x0353, "Invalid password format";
    INVALID_ALTER_OPERATION = 0x0356, "Invalid alter operation";
    AUTHENTICATION_FAILURE = 0x0357, "Authentication failure";
    USER_ALREADY_HAVE_THIS_PRIVILEDGE = 0x0359, "User already have this priviledge";
    HOST_ALREADY_EXIST_IN_IP_WHITE = 0x035A, "Host already exist in ip white list";
    HOST_NOT_EXIST_IN_IP_WHITE = 0x035B, "Host not exist in ip white list";
    TOO_MANY_HOST_IN_IP_WHITE = 0x035C, "Too many host in ip white list";
    HOST_CAN_NOT_BE_DROPPED = 0x035D, "Host can not be dropped";
    STABLE_ALREADY_EXISTS = 0x0360, "STable already exists";
    STABLE_NOT_EXIST = 0x0362, "STable not exist";
    TOO_MANY_TAGS = 0x0364, "Too many tags";
    TOO_MANY_COLUMNS = 0x0365, "Too many columns";
    TAG_ALREADY_EXISTS = 0x0369, "Tag already exists";
    TAG_DOES_NOT_EXIST = 0x036A, "Tag does not exist";
    COLUMN_ALREADY_EXISTS = 0x036B, "Column already exists";
    COLUMN_DOES_NOT_EXIST = 0x036C, "Column does not exist";
    INVALID_STABLE_OPTIONS = 0x036E, "Invalid stable options";
    INVALID_ROW_BYTES = 0x036F, "Invalid row bytes";
    INVALID_FUNC_NAME = 0x0370, "Invalid func name";
    FUNC_ALREADY_EXISTS = 0x0373, "Func already exists";
    FUNC_NOT_EXISTS = 0x0374, "Func not exists";
    DATABASE_NOT_SPECIFIED_OR_AVAILABLE_0380 = 0x0380, "Database not specified or available";
    DATABASE_ALREADY_EXISTS = 0x0381, "Database already exists";
    INVALID_DATABASE_OPTIONS = 0x0382, "Invalid database options";
    INVALID_DATABASE_NAME = 0x0383, "Invalid database name";
    TOO_MANY_DATABASES_FOR_ACCOUNT = 0x0385, "Too many databases for account";
    DATABASE_IN_DROPPING_STATUS = 0x0386, "Database in dropping status";
    DATABASE_NOT_EXIST = 0x0388, "Database not exist";
    DATABASE_OPTIONS_NOT_CHANGED = 0x038A, "Database options not changed";
    INDEX_NOT_EXIST = 0x038B, "Index not exist";
    WAL_RETENTION_PERIOD_IS_ZERO = 0x038C, "WAL retention period is zero";
    DATABASE_IN_CREATING_STATUS = 0x0396, "Database in creating status";
    INVALID_SYSTEM_TABLE_NAME = 0x039A, "Invalid system table name";
    ENCRYPTION_IS_NOT_ALLOWED_TO_BE = 0x039B, "Encryption is not allowed to be changed after database is created";
    SNODE_ALREADY_EXISTS = 0x03A4, "Snode already exists";
    SNODE_NOT_THERE = 0x03A5, "Snode not there";
    REPLICA_OF_MNODE_CANNOT_LESS_THAN = 0x03A8, "replica of mnode cannot less than 1";
    EXCEED_3 = 0x03A9, "exceed 3";
    INVALID_DNODE_CFG = 0x03B2, "Invalid dnode cfg";
    INVALID_DNODE_END_POINT = 0x03B3, "Invalid dnode end point";
    INVALID_DNODE_ID = 0x03B4, "Invalid dnode id";
    INVALID_VGROUP_REPLICA = 0x03B7, "Invalid vgroup replica";
    VNODES_EXHAUSTED = 0x03BA, "Vnodes exhausted";
    STABLE_CONFILCT_WITH_TOPIC = 0x03C0, "STable confilct with topic";
    INVALID_STABLE_ALTER_OPTIONS = 0x03C2, "Invalid stable alter options";
    STABLE_OPTION_UNCHANGED = 0x03C3, "STable option unchanged";
    FIELD_USED_BY_TOPIC = 0x03C4, "Field used by topic";
    DATABASE_IS_SINGLE_STABLE_MODE = 0x03C5, "Database is single stable mode";
    FIELD_USED_BY_TSMA = 0x03C8, "Field used by tsma";
    TRANSACTION_NOT_EXISTS = 0x03D1, "Transaction not exists";
    CONFLICT_TRANSACTION_NOT_COMPLETED = 0x03D3, "Conflict transaction not completed";
    TOPIC_ALREADY_EXISTS = 0x03E0, "Topic already exists";
    TOPIC_NOT_EXIST = 0x03E1, "Topic not exist";
    TOO_MANY_TOPICS = 0x03E2, "Too many Topics";
    TOPIC_WITH_INVALID_QUERY = 0x03E4, "Topic with invalid query";
    TOPIC_WITH_INVALID_OPTION = 0x03E5, "Topic with invalid option";
    CONSUMER_NOT_EXIST = 0x03E6, "Consumer not exist";
    SUBCRIBE_NOT_EXIST = 0x03E8, "Subcribe not exist";
    CONSUMER_NOT_READY = 0x03EA, "Consumer not ready";
    TOPIC_SUBSCRIBED_CANNOT_BE_DROPPED = 0x03EB, "Topic subscribed cannot be dropped";
    CONSUMER_GROUP_BEING_USED_BY_SOME = 0x03EC, "Consumer group being used by some consumer";
    TOPIC_MUST_BE_DROPPED_FIRST = 0x03ED, "Topic must be dropped first";
    TOPIC_BEING_REBALANCED = 0x03EF, "Topic being rebalanced";
    STREAM_ALREADY_EXISTS = 0x03F0, "Stream already exists";
    STREAM_NOT_EXIST = 0x03F1, "Stream not exist";
    INVALID_STREAM_OPTION = 0x03F2, "Invalid stream option";
    STREAM_MUST_BE_DROPPED_FIRST = 0x03F3, "Stream must be dropped first";
    TOO_MANY_STREAMS = 0x03F6, "Too many streams";
    CANNOT_WRITE_THE_SAME_STABLE_AS = 0x03F7, "Cannot write the same stable as other stream";
    SAME_WITH_OLD_PARAM = 0x03F8, "Same with old param";
    DNODE_IS_OFFLINE = 0x0408, "Dnode is offline";
    MNODE_NOT_FOUND = 0x040A, "Mnode not found";
    SMA_ALREADY_EXISTS = 0x0480, "SMA already exists";
    SMA_NOT_EXIST = 0x0481, "sma not exist";
    INVALID_SMA_OPTION = 0x0482, "Invalid sma option";
    INDEX_ALREADY_EXISTS_IN_DB = 0x0483, "index already exists in db";
    INDEX_NOT_EXIST_0484 = 0x0484, "index not exist";
    INVALID_DROP_BASE_TSMA_DROP_RECURSIVE = 0x0485, "Invalid drop base tsma, drop recursive tsma first";
    MAX_TSMA_NUM_EXCEEDED = 0x0486, "Max tsma num exceeded";
    VIEW_ALREADY_EXISTS_IN_DB = 0x04A0, "view already exists in db";
    VIEW_NOT_EXISTS_IN_DB = 0x04A1, "view not exists in db";
    VNODE_IS_CLOSED_OR_REMOVED = 0x0503, "Vnode is closed or removed";
    DATABASE_WRITE_OPERATION_DENIED = 0x0512, "Database write operation denied";
    VNODE_NOT_EXIST = 0x0520, "Vnode not exist";
    INVALID_TABLE_ACTION = 0x0524, "Invalid table action";
    TABLE_COLUMN_ALREADY_EXISTS = 0x0525, "Table column already exists";
    TABLE_COLUMN_NOT_EXISTS = 0x0526, "Table column not exists";
    TABLE_COLUMN_IS_SUBSCRIBED = 0x0527, "Table column is subscribed";
    SAME_WITH_OLD_PARAM_0536 = 0x0536, "Same with old param";
    INVALID_TABLE_ID = 0x0600, "Invalid table ID";
    INVALID_TABLE_TYPE = 0x0601, "Invalid table type";
    INVALID_TABLE_SCHEMA_VERSION = 0x0602, "Invalid table schema version";
    TABLE_ALREADY_EXISTS = 0x0603, "Table already exists";
    TIMESTAMP_DATA_OUT_OF_RANGE = 0x060B, "Timestamp data out of range";
    TSDB_INVALID_TAG_VALUE = 0x0615, "TSDB invalid tag value";
    TABLE_NOT_EXISTS = 0x0618, "Table not exists";
    STABLE_ALREADY_EXISTS_0619 = 0x0619, "Stable already exists";
    STABLE_NOT_EXISTS = 0x061A, "Stable not exists";
    TABLE_SCHEMA_IS_OLD = 0x061B, "Table schema is old";
    TABLE_ALREADY_EXISTS_IN_OTHER_STABLES = 0x061D, "Table already exists in other stables";
    INVALID_HANDLE = 0x0700, "Invalid handle";
    INVALID_MESSAGE_0701 = 0x0701, "Invalid message";
    DUPLICATED_JOIN_KEY = 0x0705, "Duplicated join key";
    TOO_MANY_GROUPS_TIME_WINDOW_IN = 0x070A, "Too many groups/time window in query";
    QUERY_BUFFER_LIMIT_HAS_REACHED = 0x070B, "Query buffer limit has reached";
    ONE_VALID_TIME_RANGE_CONDITION_EXPECTED = 0x070E, "One valid time range condition expected";
    INVALID_INPUT = 0x070F, "invalid input";
    THE_TIME_PSEUDO_COLUMN_IS_ILLEGALLY = 0x0712, "The time pseudo column is illegally used in the condition of the event window.";
    TASK_CANCELLED = 0x0724, "Task cancelled";
    JSON_NOT_SUPPORT_IN_IN_NOTIN = 0x072C, "Json not support in in/notin operator";
    JSON_NOT_SUPPORT_IN_THIS_PLACE = 0x072D, "Json not support in this place";
    JSON_NOT_SUPPORT_IN_GROUP_PARTITION = 0x072E, "Json not support in group/partition by";
    GEOMETRY_NOT_SUPPORT_IN_THIS_OPERATOR = 0x0731, "Geometry not support in this operator";
    NOT_SUPPORTED_JOIN_ON_CONDITION = 0x0733, "Not supported join on condition";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS = 0x0800, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0801 = 0x0801, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0802 = 0x0802, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0803 = 0x0803, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0804 = 0x0804, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0805 = 0x0805, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0806 = 0x0806, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0807 = 0x0807, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0808 = 0x0808, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0809 = 0x0809, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_080A = 0x080A, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_080B = 0x080B, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_080C = 0x080C, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_080D = 0x080D, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_080E = 0x080E, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_080F = 0x080F, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0810 = 0x0810, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0811 = 0x0811, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0812 = 0x0812, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0813 = 0x0813, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0814 = 0x0814, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0815 = 0x0815, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0816 = 0x0816, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0817 = 0x0817, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0818 = 0x0818, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0819 = 0x0819, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_081A = 0x081A, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_081B = 0x081B, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_081C = 0x081C, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_081D = 0x081D, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_081E = 0x081E, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_081F = 0x081F, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0820 = 0x0820, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0821 = 0x0821, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0822 = 0x0822, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    LICENCE_LIMITS_ENT_EXPIRED_DNODES_ACCOUNTS_0823 = 0x0823, "licence limits (ENT): expired, dnodes, accounts, time series, DBs, users, connections, streams, speed, storage, subscriptions, cpu, stables, tables, views";
    REQUEST_TOO_BIG = 0x1104, "request too big";
    NO_AUTHORIZATION = 0x1105, "no auth info input";
    REQUEST_EMPTY = 0x1106, "request is empty";
    NO_SQL = 0x1107, "no sql input";
    TOKEN_NOT_GENERATED = 0x110A, "generate taosd token error";
    INVALID_CONTENT_LENGTH = 0x1121, "invalid content length";
    INVALID_AUTHORIZATION_TYPE = 0x1122, "invalid type of Authorization";
    INVALID_BASIC_AUTHORIZATION = 0x1124, "invalid basic Authorization";
    INVALID_TAOSD_AUTHORIZATION = 0x1125, "invalid taosd Authorization";
    SYNTAX_ERROR_NEAR = 0x2600, "syntax error near \"`text`\"";
    INCOMPLETE_SQL_STATEMENT = 0x2601, "Incomplete SQL statement";
    INVALID_COLUMN_NAME = 0x2602, "Invalid column name: `c`";
    TABLE_DOES_NOT_EXIST_2603 = 0x2603, "Table does not exist: `t`";
    COLUMN_AMBIGUOUSLY_DEFINED = 0x2604, "Column ambiguously defined: `c`";
    INVALID_VALUE_TYPE = 0x2605, "Invalid value type: `v`";
    THERE_MUSTN_T_BE_AGGREGATION = 0x2608, "There mustn't be aggregation";
    ORDER_BY_ITEM_MUST_BE_THE = 0x2609, "ORDER BY item must be the number of a SELECT-list expression";
    NOT_A_GROUP_BY_EXPRESSION = 0x260A, "Not a GROUP BY expression";
    NOT_SELECTED_EXPRESSION = 0x260B, "Not SELECTed expression";
    NOT_A_SINGLE_GROUP_GROUP_FUNCTION = 0x260C, "Not a single-group group function";
    TAGS_NUMBER_NOT_MATCHED = 0x260D, "Tags number not matched";
    INVALID_TAG_NAME = 0x260E, "Invalid tag name: `t`";
    NAME_OR_PASSWORD_TOO_LONG = 0x2610, "Name or password too long";
    PASSWORD_CAN_NOT_BE_EMPTY = 0x2611, "Password can not be empty";
    PORT_SHOULD_BE_AN_INTEGER_THAT = 0x2612, "Port should be an integer that is less than 65535 and greater than 0";
    ENDPOINT_SHOULD_BE_IN_THE_FORMAT = 0x2613, "Endpoint should be in the format of 'fqdn:port'";
    THIS_STATEMENT_IS_NO_LONGER_SUPPORTED = 0x2614, "This statement is no longer supported";
    INTERVAL_CANNOT_BE_LESS_THAN = 0x2615, "Interval cannot be less than `n` `unit`";
    DATABASE_NOT_SPECIFIED = 0x2616, "Database not specified";
    INVALID_IDENTIFIER_NAME = 0x2617, "Invalid identifier name: `n`";
    CORRESPONDING_SUPER_TABLE_NOT_IN_THIS = 0x2618, "Corresponding super table not in this db";
    INVALID_DATABASE_OPTION = 0x2619, "Invalid database option";
    INVALID_TABLE_OPTION = 0x261A, "Invalid table option";
    INTERVAL_CANNOT_BE_MORE_THAN = 0x261B, "Interval cannot be more than `n` `unit`";
    GROUP_BY_AND_WINDOW_CLAUSE_CAN = 0x2624, "GROUP BY and WINDOW-clause can't be used together";
    AGGREGATE_FUNCTIONS_DO_NOT_SUPPORT_NESTING = 0x2627, "Aggregate functions do not support nesting";
    ONLY_SUPPORT_STATE_WINDOW_ON_INTEGER = 0x2628, "Only support STATE_WINDOW on integer/bool/varchar column";
    NOT_SUPPORT_STATE_WINDOW_ON_TAG = 0x2629, "Not support STATE_WINDOW on tag column";
    STATE_WINDOW_NOT_SUPPORT_FOR_SUPER = 0x262A, "STATE_WINDOW not support for super table query";
    SESSION_GAP_SHOULD_BE_FIXED_TIME = 0x262B, "SESSION gap should be fixed time window, and greater than 0";
    ONLY_SUPPORT_SESSION_ON_PRIMARY_TIMESTAMP = 0x262C, "Only support SESSION on primary timestamp column";
    INTERVAL_OFFSET_CANNOT_BE_NEGATIVE = 0x262D, "Interval offset cannot be negative";
    CANNOT_USE_YEAR_AS_OFFSET_WHEN = 0x262E, "Cannot use 'year' as offset when interval is 'month'";
    INTERVAL_OFFSET_SHOULD_BE_SHORTER_THAN = 0x262F, "Interval offset should be shorter than interval";
    DOES_NOT_SUPPORT_SLIDING_WHEN_INTERVAL = 0x2630, "Does not support sliding when interval is natural month/year";
    SLIDING_VALUE_NO_LARGER_THAN_THE = 0x2631, "sliding value no larger than the interval value";
    SLIDING_VALUE_CAN_NOT_LESS_THAN = 0x2632, "sliding value can not less than 1% of interval value";
    ONLY_ONE_TAG_IF_THERE_IS = 0x2633, "Only one tag if there is a json tag";
    QUERY_BLOCK_HAS_INCORRECT_NUMBER_OF = 0x2634, "Query block has incorrect number of result columns";
    INCORRECT_TIMESTAMP_VALUE = 0x2635, "Incorrect TIMESTAMP value: `v`";
    SOFFSET_OFFSET_CAN_NOT_BE_LESS = 0x2637, "soffset/offset can not be less than 0";
    SLIMIT_SOFFSET_ONLY_AVAILABLE_FOR_PARTITION = 0x2638, "slimit/soffset only available for PARTITION/GROUP BY query";
    INVALID_TOPIC_QUERY = 0x2639, "Invalid topic query";
    CANNOT_DROP_SUPER_TABLE_IN_BATCH = 0x263A, "Cannot drop super table in batch";
    START_END_TIME_OF_QUERY_RANGE = 0x263B, "Start(end) time of query range required or time range too large";
    DUPLICATED_COLUMN_NAMES_263C = 0x263C, "Duplicated column names";
    TAGS_LENGTH_EXCEEDS_MAX_LENGTH = 0x263D, "Tags length exceeds max length `n`";
    ROW_LENGTH_EXCEEDS_MAX_LENGTH = 0x263E, "Row length exceeds max length `n`";
    ILLEGAL_NUMBER_OF_COLUMNS = 0x263F, "Illegal number of columns";
    TOO_MANY_COLUMNS_2640 = 0x2640, "Too many columns";
    FIRST_COLUMN_MUST_BE_TIMESTAMP = 0x2641, "First column must be timestamp";
    INVALID_COLUMN_LENGTH_FOR_VAR_LENGTH = 0x2642, "Invalid column length for var length type";
    INVALID_NUMBER_OF_TAG_COLUMNS = 0x2643, "Invalid number of tag columns";
    PERMISSION_DENIED_OR_TARGET_OBJECT_NOT = 0x2644, "Permission denied or target object not exist";
    INVALID_STREAM_QUERY = 0x2645, "Invalid stream query";
    INVALID_C0_OR_ROWTS_EXPRESSION = 0x2646, "Invalid _c0 or _rowts expression";
    INVALID_TIMELINE_FUNCTION = 0x2647, "Invalid timeline function";
    INVALID_PASSWORD_2648 = 0x2648, "Invalid password";
    INVALID_ALTER_TABLE_STATEMENT = 0x2649, "Invalid alter table statement";
    PRIMARY_TIMESTAMP_COLUMN_CANNOT_BE_DROPPED = 0x264A, "Primary timestamp column cannot be dropped";
    ONLY_VARBINARY_BINARY_NCHAR_GEOMETRY_COLUMN = 0x264B, "Only varbinary/binary/nchar/geometry column length could be modified, and the length can only be increased, not decreased";
    INVALID_TBNAME_PSEUDO_COLUMN = 0x264C, "Invalid tbname pseudo column";
    INVALID_FUNCTION_NAME = 0x264D, "Invalid function name";
    COMMENT_TOO_LONG = 0x264E, "Comment too long";
    SOME_FUNCTIONS_ARE_ALLOWED_ONLY_IN = 0x264F, "Some functions are allowed only in the SELECT list of a query. And, cannot be mixed with other non scalar functions or columns.";
    WINDOW_QUERY_NOT_SUPPORTED_SINCE_NOT = 0x2650, "Window query not supported, since not valid primary timestamp column as input";
    NO_COLUMNS_CAN_BE_DROPPED = 0x2651, "No columns can be dropped";
    ONLY_TAG_CAN_BE_JSON_TYPE = 0x2652, "Only tag can be json type";
    VALUE_TOO_LONG_FOR_COLUMN_TAG = 0x2653, "Value too long for column/tag: `c`";
    THE_DELETE_STATEMENT_MUST_ONLY_HAVE = 0x2655, "The DELETE statement must only have a definite time window range";
    THE_REDISTRIBUTE_VGROUP_STATEMENT_ONLY_SUPPORT = 0x2656, "The REDISTRIBUTE VGROUP statement only support 1 to 3 dnodes";
    FUNCTION_IS_NOT_SUPPORTED_IN_FILL = 0x2657, "`f` function is not supported in fill query";
    WSTART_WEND_AND_WDURATION_CAN_ONLY = 0x2658, "_WSTART, _WEND and _WDURATION can only be used in window query";
    FUNCTION_IS_NOT_SUPPORTED_IN_TIME = 0x2659, "`f` function is not supported in time window query";
    STREAM_QUERY = 0x265A, "… stream query";
    GROUP_QUERY = 0x265B, "… group query";
    INVALID_USAGE_OF_RANGE_CLAUSE_EVERY = 0x265D, "Invalid usage of RANGE clause, EVERY clause or FILL clause";
    NO_VALID_FUNCTION_IN_WINDOW_QUERY = 0x265E, "No valid function in window query";
    IS_ONLY_SUPPORTED_IN_SINGLE_TABLE = 0x265F, "`f` is only supported in single table query";
    INVALID_SMA_INDEX = 0x2660, "Invalid sma index";
    INVALID_SELECTED_EXPRESSION = 0x2661, "Invalid SELECTed expression";
    FAIL_TO_GET_TABLE_INFO_ERROR = 0x2662, "Fail to get table info, error: `e`";
    NOT_UNIQUE_TABLE_ALIAS = 0x2663, "Not unique table/alias: '`a`'";
    NOT_SUPPORTED_JOIN_TYPE = 0x2664, "not supported join type";
    TAGS_CAN_ONLY_APPLIED_TO_SUPER = 0x2665, "Tags can only applied to super table and child table";
    REQUIRES_VALID_TIME_SERIES_INPUT = 0x2666, "`f` requires valid time series input";
    INVALID_USAGE_OF_EXPR = 0x2667, "Invalid usage of expr: `e`";
    FUNCTION_IS_NOT_SUPPORTED_IN_SYSTEM = 0x2668, "`f` function is not supported in system table query";
    IS_NOT_SUPPORTED_IN_SYSTEM_TABLE = 0x2669, "`x` is not supported in system table query";
    INVALID_VARBINARY_VALUE = 0x266A, "Invalid varbinary value: `v`";
    INVALID_IP_RANGE = 0x266B, "invalid ip range";
    COLUMNS_NUMBER_MISMATCH_WITH_QUERY_RESULT = 0x266D, "Columns number mismatch with query result";
    VIEW_NAME_IS_CONFLICT_WITH_TABLE = 0x266E, "View name is conflict with table";
    ORDER_BY_IS_AMBIGUOUS = 0x266F, "ORDER BY \"`x`\" is ambiguous";
    OPERATOR_NOT_SUPPORTED_MULTI_RESULT = 0x2670, "Operator not supported multi result: `e`";
    NO_WINDOW_GROUP_BY_PARTITION_BY = 0x2671, "No WINDOW/GROUP BY/PARTITION BY allowed in WINDOW join";
    NOT_SUPPORTED_WINDOW_JOIN_HAVING_EXPR = 0x2672, "Not supported window join having expr";
    INVALID_WINDOW_OFFSET_UNIT = 0x2673, "Invalid WINDOW_OFFSET unit \"`c`\"";
    VALID_PRIMARY_TIMESTAMP_REQUIRED = 0x2674, "Valid primary timestamp required";
    INVALID_EXPR_IN_ORDER_BY_CLAUSE = 0x2675, "Invalid expr in order by clause";
    COLUMN_EXISTS_FOR_WINDOW_JOIN_WITH = 0x2676, "Column exists for window join with aggregation functions";
    TAG_CAN_NOT_BE_PRIMARY_KEY = 0x2677, "tag `t` can not be primary key";
    PRIMARY_KEY_COLUMN_MUST_BE_SECOND = 0x2678, "primary key column must be second column";
    PRIMARY_KEY_COLUMN_MUST_BE_OF = 0x2679, "primary key column must be of type int, uint, bigint, ubigint, and varchar";
    PRIMARY_KEY_COLUMN_CAN_NOT_BE = 0x267A, "primary key column can not be added, modified, and dropped";
    PRIMARY_KEY_COLUMN_SHOULD_NOT_BE = 0x267B, "Primary key column should not be null";
    SHOULD_NOT_BE_NONE = 0x267C, "… should not be none";
    TRUE_FOR_DURATION_CANNOT_BE_NEGATIVE = 0x2687, "True_for duration cannot be negative";
    CANNOT_USE_YEAR_OR_MONTH_AS_TRUE_FOR = 0x2688, "Cannot use 'year' or 'month' as true_for duration";
    INVALID_USING_COLS_FUNCTION = 0x2689, "Invalid using cols function";
    COLS_FUNCTION_S_FIRST_PARAM_MUST = 0x268A, "Cols function's first param must be a select function that output a single row";
    INVALID_USING_ALIAS_FOR_COLS_FUNCTION = 0x268B, "Invalid using alias for cols function";
    PARSER_INTERNAL_ERROR = 0x26FF, "Parser internal error";
    EXPECT_TS_EQUAL = 0x2701, "Expect ts equal";
    CROSS_JOIN_NOT_SUPPORT = 0x2702, "Cross join not support";
    NOT_SUPPORTED_JOIN_CONDITIONS = 0x2703, "Not supported join conditions";
    FUNCTION_SPECIFIC_TEXT = 0x2800, "(function specific text)";
    INVALID_NUMBER_OF_PARAMETERS = 0x2801, "Invalid number of parameters : `f`";
    INVALID_PARAMETER_DATA_TYPE = 0x2802, "Invalid parameter data type : `f`";
    INVALID_PARAMETER_VALUE = 0x2803, "Invalid parameter value : `f`";
    NOT_BUILDIN_FUNCTION = 0x2804, "Not buildin function";
    DUPLICATE_TIMESTAMPS_NOT_ALLOWED_IN_FUNCTION = 0x2805, "Duplicate timestamps not allowed in function";
    FUNC_TO_TIMESTAMP_FAILED_FOR_FORMAT = 0x2806, "Func to_timestamp failed for format mismatch";
    WRONG_TIMESTAMP = 0x2807, "wrong timestamp";
    UNSUPPORTED_TIMESTAMP_FORMAT = 0x2808, "unsupported timestamp format";
    FUNC_TO_CHAR_FAILED_FOR_UNSUPPORTED = 0x2809, "Func to_char failed for unsupported format";
    UDF_STOPPING_PIPE_READ_CONNECT_NOT = 0x2901, "UDF: stopping, pipe read/connect/not exist, load failure, invalid input, invalid bufsize, invalid output type, language not supported, execution failure";
    UDF_STOPPING_PIPE_READ_CONNECT_NOT_2902 = 0x2902, "UDF: stopping, pipe read/connect/not exist, load failure, invalid input, invalid bufsize, invalid output type, language not supported, execution failure";
    UDF_STOPPING_PIPE_READ_CONNECT_NOT_2903 = 0x2903, "UDF: stopping, pipe read/connect/not exist, load failure, invalid input, invalid bufsize, invalid output type, language not supported, execution failure";
    UDF_STOPPING_PIPE_READ_CONNECT_NOT_2904 = 0x2904, "UDF: stopping, pipe read/connect/not exist, load failure, invalid input, invalid bufsize, invalid output type, language not supported, execution failure";
    UDF_STOPPING_PIPE_READ_CONNECT_NOT_2905 = 0x2905, "UDF: stopping, pipe read/connect/not exist, load failure, invalid input, invalid bufsize, invalid output type, language not supported, execution failure";
    UDF_STOPPING_PIPE_READ_CONNECT_NOT_2906 = 0x2906, "UDF: stopping, pipe read/connect/not exist, load failure, invalid input, invalid bufsize, invalid output type, language not supported, execution failure";
    UDF_STOPPING_PIPE_READ_CONNECT_NOT_2907 = 0x2907, "UDF: stopping, pipe read/connect/not exist, load failure, invalid input, invalid bufsize, invalid output type, language not supported, execution failure";
    UDF_STOPPING_PIPE_READ_CONNECT_NOT_2908 = 0x2908, "UDF: stopping, pipe read/connect/not exist, load failure, invalid input, invalid bufsize, invalid output type, language not supported, execution failure";
    UDF_STOPPING_PIPE_READ_CONNECT_NOT_2909 = 0x2909, "UDF: stopping, pipe read/connect/not exist, load failure, invalid input, invalid bufsize, invalid output type, language not supported, execution failure";
    UDF_STOPPING_PIPE_READ_CONNECT_NOT_290A = 0x290A, "UDF: stopping, pipe read/connect/not exist, load failure, invalid input, invalid bufsize, invalid output type, language not supported, execution failure";
    INVALID_LINE_PROTOCOL_TYPE = 0x3000, "Invalid line protocol type";
    INVALID_TIMESTAMP_PRECISION_TYPE = 0x3001, "Invalid timestamp precision type";
    INVALID_DATA_FORMAT = 0x3002, "Invalid data format";
    INVALID_SCHEMALESS_DB_CONFIG = 0x3003, "Invalid schemaless db config";
    NOT_THE_SAME_TYPE_LIKE_BEFORE = 0x3004, "Not the same type like before";
    CAN_NOT_INSERT_DATA_INTO_TABLE = 0x3006, "Can not insert data into table with primary key";
    TSMA_INTERNAL_INIT_FAILED_ALREADY_EXISTS = 0x3100, "TSMA internal: init failed, already exists, invalid env/state/pointer/parameters";
    TSMA_INTERNAL_INIT_FAILED_ALREADY_EXISTS_3101 = 0x3101, "TSMA internal: init failed, already exists, invalid env/state/pointer/parameters";
    TSMA_INTERNAL_INIT_FAILED_ALREADY_EXISTS_3102 = 0x3102, "TSMA internal: init failed, already exists, invalid env/state/pointer/parameters";
    TSMA_INTERNAL_INIT_FAILED_ALREADY_EXISTS_3103 = 0x3103, "TSMA internal: init failed, already exists, invalid env/state/pointer/parameters";
    TSMA_INTERNAL_INIT_FAILED_ALREADY_EXISTS_3104 = 0x3104, "TSMA internal: init failed, already exists, invalid env/state/pointer/parameters";
    TSMA_INTERNAL_INIT_FAILED_ALREADY_EXISTS_3105 = 0x3105, "TSMA internal: init failed, already exists, invalid env/state/pointer/parameters";
    TSMA_TABLE = 0x3106, "TSMA table";
    INTERVAL_1M_1H = 0x3107, "interval 1m ~ 1h";
    FUNC_PARAM = 0x3108, "func param";
    UNSUPPORTED_FUNC = 0x3109, "unsupported func";
    MUST_BE_DROPPED_FIRST = 0x310A, "must be dropped first";
    NAME_TOO_LONG = 0x310B, "name too long";
    NAME_TOO_LONG_310C = 0x310C, "name too long";
    NAME_TOO_LONG_310D = 0x310D, "name too long";
    NAME_TOO_LONG_310E = 0x310E, "name too long";
    NAME_TOO_LONG_310F = 0x310F, "name too long";
    TSMA_MUST_BE_DROPPED_FIRST = 0x3110, "Tsma must be dropped first";
    NAME_TOO_LONG_3111 = 0x3111, "name too long";
    CANNOT_CONVERT_TO_SPECIFIC_TYPE = 0x3250, "Cannot convert to specific type";
    INVALID_MESSAGE_4000 = 0x4000, "Invalid message";
    CONSUMER_MISMATCH = 0x4001, "Consumer mismatch";
    CONSUMER_CLOSED = 0x4002, "Consumer closed";
    CONSUMER_ERROR_TO_SEE_LOG = 0x4003, "Consumer error, to see log";
    TOPIC_NUM_OUT_OF_RANGE = 0x4004, "Topic num out of range";
    GROUP_NUM_OUT_OF_RANGE_100 = 0x4005, "Group num out of range 100";
    CAN_NOT_OPERATE_IN_SNAPSHOT_MODE = 0x4006, "Can not operate in snapshot mode";
    OFFSET_OUT_OF_RANGE = 0x4007, "Offset out of range";
    VGID_DOES_NOT_BELONG_TO_THIS = 0x4008, "VgId does not belong to this consumer";
    TOPIC_DOES_NOT_BELONG_TO_THIS = 0x4009, "Topic does not belong to this consumer";
    ASSIGNMENT_OR_POLL_INTERFACE_NEED_TO = 0x4010, "Assignment or poll interface need to be called first";
    NO_COMMITTED_INFO = 0x4011, "No committed info";
    REPLAY_NEED_ONLY_ONE_VGROUP_IF = 0x4013, "Replay need only one vgroup if subscribe super table";
    REPLAY_IS_DISABLED_IF_SUBSCRIBE_DB = 0x4014, "Replay is disabled if subscribe db or stable";
    TOO_MANY_REQUESTS = 0xFFFE, "too many requests, try again later";
    UNCLASSIFIED = 0xFFFF, "unknown error";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_so_that_lookups_find_every_code() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(DATABASE_NOT_EXIST.text(), "Database not exist");
        assert_eq!(SYNTAX_ERROR_NEAR.errno(), -2_147_473_920);
    }
}
