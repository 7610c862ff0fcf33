//! Options of databases (spec/sql.md 3.1), as written: ranges are the catalogue's to check.

use embudo_types::Duration;

/// One option of CREATE or ALTER DATABASE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseOption {
    /// An option that takes a whole number.
    Integer(IntegerOption, i64),
    /// CACHEMODEL 'none', '`last_row`', '`last_value`', 'both'.
    CacheModel(String),
    /// PRECISION 'ms', 'us', 'ns'.
    Precision(String),
    /// `ENCRYPT_ALGORITHM` 'none', 'sm4'.
    EncryptAlgorithm(String),
    /// DURATION.
    Duration(KeepTime),
    /// KEEP, one to three values.
    Keep(Vec<KeepTime>),
    /// `S3_KEEPLOCAL`.
    S3KeepLocal(KeepTime),
    /// RETENTIONS: `-:keep` (no frequency) or `freq:keep`.
    Retentions(Vec<Retention>),
}

/// A time of KEEP, DURATION and `S3_KEEPLOCAL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepTime {
    /// A bare number: days.
    Days(i64),
    /// With a unit.
    Duration(Duration),
}

/// One level of RETENTIONS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Down-sampling; `-` is none.
    pub frequency: Option<Duration>,
    /// How long the level is kept.
    pub keep: Duration,
}

macro_rules! integer_options {
    ($($variant:ident $keyword:literal $alter:literal;)*) => {
        /// Options whose value is a whole number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum IntegerOption {
            $(#[doc = concat!("`", $keyword, "`")] $variant,)*
        }

        impl IntegerOption {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The keyword in lower case.
            pub fn keyword(self) -> &'static str {
                match self {
                    $(Self::$variant => $keyword,)*
                }
            }

            /// Whether ALTER DATABASE takes it.
            pub fn is_alterable(self) -> bool {
                match self {
                    $(Self::$variant => $alter,)*
                }
            }

            /// The option of a keyword in lower case.
            pub fn from_keyword(keyword: &str) -> Option<Self> {
                Some(match keyword {
                    $($keyword => Self::$variant,)*
                    _ => return None,
                })
            }
        }
    };
}

integer_options! {
    Buffer "buffer" true;
    CacheSize "cachesize" true;
    Compression "comp" false;
    KeepTimeOffset "keep_time_offset" true;
    MaxRows "maxrows" false;
    MinRows "minrows" true;
    Pages "pages" true;
    PageSize "pagesize" false;
    TsdbPageSize "tsdb_pagesize" false;
    Replica "replica" true;
    Vgroups "vgroups" false;
    SingleStable "single_stable" false;
    Schemaless "schemaless" false;
    SttTrigger "stt_trigger" true;
    TablePrefix "table_prefix" false;
    TableSuffix "table_suffix" false;
    WalLevel "wal_level" true;
    WalFsyncPeriod "wal_fsync_period" true;
    WalRetentionPeriod "wal_retention_period" true;
    WalRetentionSize "wal_retention_size" true;
    WalRollPeriod "wal_roll_period" false;
    WalSegmentSize "wal_segment_size" false;
    S3ChunkSize "s3_chunksize" false;
    S3Compact "s3_compact" true;
}
