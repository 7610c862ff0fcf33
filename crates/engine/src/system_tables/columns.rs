//! Names and types of the columns of every system table, as TDengine 3.3 has them (spec/sql.md 7.2, 7.3).

use embudo_types::DataType;

/// The tables' database.
pub(crate) const INFORMATION: &str = "information_schema";
/// The other one.
pub(crate) const PERFORMANCE: &str = "performance_schema";

/// A system table.
#[derive(Debug)]
pub(crate) struct SystemTable {
    /// Its database.
    pub database: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Whether users with SYSINFO 0 may not see it.
    pub hidden: bool,
    /// Columns in order.
    pub columns: &'static [(&'static str, DataType)],
}

impl SystemTable {
    /// Columns that users with SYSINFO 0 may not see.
    pub fn hidden_columns(&self) -> &'static [&'static str] {
        match self.name {
            "ins_databases" => &[
                "vgroups",
                "replica",
                "strict",
                "duration",
                "keep",
                "buffer",
                "pagesize",
                "pages",
                "minrows",
                "maxrows",
                "comp",
                "retentions",
                "single_stable",
                "cachemodel",
                "cachesize",
                "wal_level",
                "wal_fsync_period",
                "wal_retention_period",
                "wal_retention_size",
                "stt_trigger",
                "table_prefix",
                "table_suffix",
                "tsdb_pagesize",
                "s3_chunksize",
                "s3_keeplocal",
                "s3_compact",
                "with_arbitrator",
                "encrypt_algorithm",
            ],
            "ins_indexes" | "ins_tables" => &["vgroup_id"],
            _ => &[],
        }
    }
}

const fn v(length: u32) -> DataType {
    DataType::Varchar(length)
}

const I: DataType = DataType::Int;
const SI: DataType = DataType::SmallInt;
const TI: DataType = DataType::TinyInt;
const BI: DataType = DataType::BigInt;
const UI: DataType = DataType::UInt;
const UBI: DataType = DataType::UBigInt;
const B: DataType = DataType::Bool;
const TS: DataType = DataType::Timestamp;
/// Names of databases, columns; tables; statements.
const DB: DataType = v(64);
const TB: DataType = v(192);
const SQL: DataType = v(2_048);

macro_rules! tables {
    ($($database:ident $name:ident $hidden:literal { $($column:literal $type:expr),* $(,)? })*) => {
        /// Every system table.
        pub(crate) const TABLES: &[SystemTable] = &[$(SystemTable {
            database: $database,
            name: stringify!($name),
            hidden: $hidden,
            columns: &[$(($column, $type)),*],
        }),*];
    };
}

tables! {
    INFORMATION ins_dnodes true { "id" I, "endpoint" v(134), "vnodes" SI, "support_vnodes" SI, "status" v(10), "create_time" TS, "reboot_time" TS, "note" v(256) }
    INFORMATION ins_mnodes true { "id" I, "endpoint" v(134), "role" v(12), "status" v(9), "create_time" TS, "role_time" TS }
    INFORMATION ins_qnodes true { "id" I, "endpoint" v(134), "create_time" TS }
    INFORMATION ins_snodes true { "id" I, "endpoint" v(134), "create_time" TS }
    INFORMATION ins_cluster true { "id" BI, "name" v(40), "uptime" I, "create_time" TS, "version" v(10), "expire_time" TS }
    INFORMATION ins_databases false {
        "name" DB, "create_time" TS, "vgroups" I, "ntables" BI, "replica" TI, "strict" v(4), "duration" v(10), "keep" v(32), "buffer" I, "pagesize" I,
        "pages" I, "minrows" I, "maxrows" I, "comp" TI, "precision" v(2), "status" v(10), "retentions" v(60), "single_stable" B, "cachemodel" v(11),
        "cachesize" I, "wal_level" TI, "wal_fsync_period" I, "wal_retention_period" I, "wal_retention_size" BI, "stt_trigger" SI, "table_prefix" SI,
        "table_suffix" SI, "tsdb_pagesize" I, "keep_time_offset" I, "s3_chunksize" I, "s3_keeplocal" v(10), "s3_compact" TI, "with_arbitrator" TI,
        "encrypt_algorithm" v(16),
    }
    INFORMATION ins_functions false {
        "name" DB, "comment" v(255), "aggregate" I, "output_type" v(31), "create_time" TS, "code_len" I, "bufsize" I, "func_language" v(31),
        "func_body" v(65_517), "func_version" I,
    }
    INFORMATION ins_indexes false {
        "index_name" TB, "db_name" DB, "table_name" TB, "vgroup_id" I, "create_time" TS, "column_name" TB, "index_type" TB,
    }
    INFORMATION ins_stables false {
        "stable_name" TB, "db_name" DB, "create_time" TS, "columns" I, "tags" I, "last_update" TS, "table_comment" v(1_024), "watermark" v(64),
        "max_delay" v(64), "rollup" v(128),
    }
    INFORMATION ins_tables false {
        "table_name" TB, "db_name" DB, "create_time" TS, "columns" I, "stable_name" TB, "uid" BI, "vgroup_id" I, "ttl" I, "table_comment" v(1_024),
        "type" v(21),
    }
    INFORMATION ins_tags false { "table_name" TB, "db_name" DB, "stable_name" TB, "tag_name" DB, "tag_type" v(32), "tag_value" v(16_384) }
    INFORMATION ins_columns false {
        "table_name" TB, "db_name" DB, "table_type" v(21), "col_name" DB, "col_type" v(32), "col_length" I, "col_precision" I, "col_scale" I,
        "col_nullable" I,
    }
    INFORMATION ins_users true { "name" v(24), "super" TI, "enable" TI, "sysinfo" TI, "create_time" TS, "allowed_host" v(49_152), "totp" TI }
    INFORMATION ins_tokens false {
        "name" v(32), "user" v(24), "provider" v(64), "enable" TI, "create_time" TS, "expire_time" TS, "extra_info" v(1_024),
    }
    INFORMATION ins_grants true {
        "version" v(9), "expire_time" v(19), "service_time" v(19), "expired" v(5), "state" v(9), "timeseries" v(21), "dnodes" v(10), "cpu_cores" v(13),
    }
    INFORMATION ins_vgroups true {
        "vgroup_id" I, "db_name" DB, "tables" I, "v1_dnode" SI, "v1_status" v(9), "v2_dnode" SI, "v2_status" v(9), "v3_dnode" SI, "v3_status" v(9),
        "v4_dnode" SI, "v4_status" v(9), "cacheload" I, "cacheelements" I, "tsma" TI,
    }
    INFORMATION ins_configs false { "name" v(32), "value" v(64) }
    INFORMATION ins_dnode_variables true { "dnode_id" I, "name" v(32), "value" v(64), "scope" v(8) }
    INFORMATION ins_topics false { "topic_name" TB, "db_name" DB, "create_time" TS, "sql" SQL, "schema" v(65_517), "meta" v(4), "type" v(8) }
    INFORMATION ins_subscriptions false {
        "topic_name" v(205), "consumer_group" v(193), "vgroup_id" I, "consumer_id" v(30), "offset" v(64), "rows" BI,
    }
    INFORMATION ins_streams false {
        "stream_name" TB, "create_time" TS, "stream_id" v(16), "history_id" v(16), "sql" SQL, "status" v(20), "source_db" DB, "target_db" DB,
        "target_table" TB, "watermark" BI, "trigger" v(20), "sink_quota" v(20), "checkpoint_interval" v(20), "checkpoint_backup" v(20),
        "history_scan_idle" v(20),
    }
    INFORMATION ins_stream_tasks false {
        "stream_name" DB, "task_id" v(16), "node_type" v(10), "node_id" I, "level" v(10), "status" v(12), "stage" BI, "in_queue" v(20), "info" v(35),
        "start_time" TS, "start_id" BI, "start_ver" BI, "checkpoint_time" TS, "checkpoint_id" BI, "checkpoint_version" BI, "checkpoint_backup" v(15),
        "ds_err_info" v(25), "history_task_id" v(16), "history_task_status" v(12),
    }
    INFORMATION ins_vnodes true { "dnode_id" I, "vgroup_id" I, "db_name" DB, "status" v(9), "role_time" TS, "start_time" TS, "restored" B }
    INFORMATION ins_user_privileges true {
        "user_name" v(24), "privilege" v(10), "db_name" v(65), "table_name" v(193), "condition" v(49_152), "notes" v(64),
    }
    INFORMATION ins_views false {
        "view_name" TB, "db_name" DB, "effective_user" v(24), "create_time" TS, "type" v(128), "query_sql" SQL, "parameters" SQL, "default_values" SQL,
        "target_table" TB,
    }
    INFORMATION ins_compacts false { "compact_id" I, "db_name" DB, "start_time" TS }
    INFORMATION ins_compact_details false { "compact_id" I, "vgroup_id" I, "dnode_id" I, "number_fileset" I, "finished" I, "start_time" TS }
    INFORMATION ins_grants_full true { "grant_name" v(32), "display_name" v(256), "expire" v(32), "limits" v(512) }
    INFORMATION ins_grants_logs true { "state" v(1_536), "active" v(512), "machine" v(9_088) }
    INFORMATION ins_machines true { "id" v(41), "dnode_num" I, "machine" v(7_552) }
    INFORMATION ins_arbgroups true {
        "db_name" DB, "vgroup_id" I, "v1_dnode" SI, "v2_dnode" SI, "is_sync" SI, "assigned_dnode" SI, "assigned_token" v(64),
    }
    INFORMATION ins_encryptions true { "dnode_id" I, "key_status" v(12) }
    INFORMATION ins_tsmas false {
        "tsma_name" TB, "db_name" DB, "table_name" TB, "target_db" DB, "target_stb" TB, "stream_name" DB, "create_time" TS, "interval" v(64),
        "create_sql" SQL, "func_list" SQL,
    }
    PERFORMANCE perf_connections false {
        "conn_id" UI, "user" v(24), "app" v(24), "pid" UI, "end_point" v(134), "login_time" TS, "last_access" TS,
        "user_app" v(24), "user_ip" v(64),
    }
    PERFORMANCE perf_queries false {
        "kill_id" v(26), "query_id" UBI, "conn_id" UI, "app" v(24), "pid" I, "user" v(24), "end_point" v(22), "create_time" TS, "exec_usec" BI,
        "stable_query" B, "sub_query" B, "sub_num" I, "sub_status" v(1_000), "sql" SQL,
    }
    PERFORMANCE perf_consumers false {
        "consumer_id" v(30), "consumer_group" v(192), "client_id" v(192), "status" v(20), "topics" v(205), "up_time" TS, "subscribe_time" TS,
        "rebalance_time" TS, "parameters" v(128),
    }
    PERFORMANCE perf_trans false {
        "id" I, "create_time" TS, "stage" v(12), "oper" v(14), "db" DB, "stable" TB, "failed_times" I, "last_exec_time" TS, "last_action_info" v(511),
    }
    PERFORMANCE perf_apps false {
        "app_id" UBI, "ip" v(16), "pid" I, "name" v(24), "start_time" TS, "insert_req" UBI, "insert_row" UBI, "insert_time" UBI, "insert_bytes" UBI,
        "fetch_bytes" UBI, "query_time" UBI, "slow_query" UBI, "total_req" UBI, "current_req" UBI, "last_access" TS,
    }
}

/// A table by names.
pub(crate) fn find(database: &str, name: &str) -> Option<&'static SystemTable> {
    TABLES.iter().find(|table| table.database == database && table.name == name)
}
