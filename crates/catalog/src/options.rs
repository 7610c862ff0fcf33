//! Options of a database: defaults, ranges and what ALTER may change (spec/sql.md 3.1).

use embudo_types::{Duration, Error, Precision, Result, code};

/// Minutes of a day.
const DAY: i64 = 1_440;
/// Longest KEEP in minutes.
const MAX_KEEP: i64 = 365_000 * DAY;
/// Longest KEEP of a nanosecond database in minutes: what 64 bits of nanoseconds hold.
const MAX_KEEP_NANO: i64 = 106_752 * DAY;

/// Which last values a database caches; results do not depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheModel {
    /// None.
    #[default]
    None,
    /// `LAST_ROW`.
    LastRow,
    /// LAST.
    LastValue,
    /// `LAST_ROW` and LAST.
    Both,
}

impl CacheModel {
    /// As SQL writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::LastRow => "last_row",
            Self::LastValue => "last_value",
            Self::Both => "both",
        }
    }

    /// From SQL.
    pub fn parse(text: &str) -> Result<Self> {
        [Self::None, Self::LastRow, Self::LastValue, Self::Both]
            .into_iter()
            .find(|model| model.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| invalid(format!("Invalid option cacheModel: {text}")))
    }
}

macro_rules! database_options {
    ($($(#[$doc:meta])* $field:ident $keyword:literal $label:literal = $default:literal $range:expr;)*) => {
        /// Every option of a database. Times are minutes unless said otherwise.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct DatabaseOptions {
            /// PRECISION.
            pub precision: Precision,
            /// CACHEMODEL.
            pub cache_model: CacheModel,
            /// DURATION: the time slice of one set of block files, minutes.
            pub duration: i64,
            /// KEEP in three levels, minutes; rows older than the last are refused and dropped.
            pub keep: [i64; 3],
            /// `S3_KEEPLOCAL`, minutes.
            pub s3_keep_local: i64,
            /// RETENTIONS as written, empty for none.
            pub retentions: String,
            $($(#[$doc])* pub $field: i64,)*
        }

        impl Default for DatabaseOptions {
            fn default() -> Self {
                Self {
                    precision: Precision::Milli,
                    cache_model: CacheModel::None,
                    duration: 10 * DAY,
                    keep: [3_650 * DAY; 3],
                    s3_keep_local: 3_650 * DAY,
                    retentions: String::new(),
                    $($field: $default,)*
                }
            }
        }

        impl DatabaseOptions {
            /// Sets a whole-number option by its SQL keyword in lower case; the value must be in the option's range.
            pub fn set_integer(&mut self, keyword: &str, value: i64) -> Result<()> {
                match keyword {
                    $($keyword => { check($label, value, &$range)?; self.$field = value; })*
                    _ => return Err(Error::internal(format!("no database option {keyword}"))),
                }
                Ok(())
            }

            /// The whole-number options by SQL keyword, as the log keeps them.
            pub fn integers(&self) -> Vec<(&'static str, i64)> {
                vec![$(($keyword, self.$field)),*]
            }

            /// Takes back what [`integers`](Self::integers) gave; a keyword of a later version is passed over.
            pub(crate) fn restore_integer(&mut self, keyword: &str, value: i64) {
                match keyword {
                    $($keyword => self.$field = value,)*
                    _ => {}
                }
            }
        }
    };
}

/// Allowed values of an option.
enum Allowed {
    Range(i64, i64),
    OneOf(&'static [i64]),
    AtLeast(i64),
}

fn check(label: &str, value: i64, allowed: &Allowed) -> Result<()> {
    match *allowed {
        Allowed::Range(low, high) if !(low..=high).contains(&value) => Err(invalid(format!("Invalid option {label}: {value} valid range: [{low}, {high}]"))),
        Allowed::AtLeast(low) if value < low => Err(invalid(format!("Invalid option {label}: {value} valid range: [{low}, {}]", i32::MAX))),
        Allowed::OneOf(values) if !values.contains(&value) => {
            let list = values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Err(invalid(format!("Invalid option {label}: {value}, only {list} allowed")))
        }
        _ => Ok(()),
    }
}

fn invalid(message: String) -> Error {
    Error::with(code::INVALID_DATABASE_OPTION, message)
}

database_options! {
    /// BUFFER in MB: a ceiling of the memory tables, not a reservation.
    buffer "buffer" "buffer" = 256 Allowed::Range(3, 16_384);
    /// CACHESIZE in MB.
    cache_size "cachesize" "cacheSize" = 1 Allowed::Range(1, 65_536);
    /// COMP.
    compression "comp" "compression" = 2 Allowed::Range(0, 2);
    /// `KEEP_TIME_OFFSET` in hours.
    keep_time_offset "keep_time_offset" "keepTimeOffset" = 0 Allowed::Range(0, 23);
    /// MAXROWS.
    max_rows "maxrows" "maxRowsPerBlock" = 4_096 Allowed::Range(200, 10_000_000);
    /// MINROWS.
    min_rows "minrows" "minRowsPerBlock" = 100 Allowed::Range(10, 1_000_000);
    /// PAGES.
    pages "pages" "pages" = 256 Allowed::AtLeast(64);
    /// PAGESIZE in KB.
    page_size "pagesize" "pagesize" = 4 Allowed::Range(1, 16_384);
    /// `TSDB_PAGESIZE` in KB.
    tsdb_page_size "tsdb_pagesize" "tsdbPagesize" = 4 Allowed::Range(1, 16_384);
    /// REPLICA.
    replica "replica" "replications" = 1 Allowed::OneOf(&[1, 2, 3]);
    /// VGROUPS: shards.
    vgroups "vgroups" "vgroups" = 2 Allowed::Range(1, 1_024);
    /// `SINGLE_STABLE`.
    single_stable "single_stable" "singleStable" = 0 Allowed::OneOf(&[0, 1]);
    /// SCHEMALESS.
    schemaless "schemaless" "schemaless" = 0 Allowed::OneOf(&[0, 1]);
    /// `STT_TRIGGER`.
    stt_trigger "stt_trigger" "sttTrigger" = 1 Allowed::Range(1, 16);
    /// `TABLE_PREFIX`.
    table_prefix "table_prefix" "tablePrefix" = 0 Allowed::Range(-191, 191);
    /// `TABLE_SUFFIX`.
    table_suffix "table_suffix" "tableSuffix" = 0 Allowed::Range(-191, 191);
    /// `WAL_LEVEL`.
    wal_level "wal_level" "walLevel" = 1 Allowed::OneOf(&[1, 2]);
    /// `WAL_FSYNC_PERIOD` in ms.
    wal_fsync_period "wal_fsync_period" "fsyncPeriod" = 3_000 Allowed::Range(0, 180_000);
    /// `WAL_RETENTION_PERIOD` in s, -1 without end.
    wal_retention_period "wal_retention_period" "walRetentionPeriod" = 3_600 Allowed::AtLeast(-1);
    /// `WAL_RETENTION_SIZE` in KB, -1 without end.
    wal_retention_size "wal_retention_size" "walRetentionSize" = 0 Allowed::AtLeast(-1);
    /// `WAL_ROLL_PERIOD` in s.
    wal_roll_period "wal_roll_period" "walRollPeriod" = 0 Allowed::AtLeast(0);
    /// `WAL_SEGMENT_SIZE` in KB.
    wal_segment_size "wal_segment_size" "walSegmentSize" = 0 Allowed::AtLeast(0);
    /// `S3_CHUNKSIZE` in pages.
    s3_chunk_size "s3_chunksize" "s3ChunkSize" = 262_144 Allowed::Range(131_072, 1_048_576);
    /// `S3_COMPACT`.
    s3_compact "s3_compact" "s3Compact" = 0 Allowed::OneOf(&[0, 1]);
}

/// A time of DURATION, KEEP or `S3_KEEPLOCAL` as minutes: a bare number counts days.
pub fn minutes_of(days: i64) -> i64 {
    days.saturating_mul(DAY)
}

/// Minutes of a written duration; only whole minutes, hours and days can be.
pub fn minutes_of_duration(label: &str, duration: Duration) -> Result<i64> {
    let factor = match duration.unit.letter() {
        'm' => 1,
        'h' => 60,
        'd' => DAY,
        letter => return Err(invalid(format!("Invalid option {label} unit: {letter}, only m, h, d allowed"))),
    };
    Ok(duration.value.saturating_mul(factor))
}

impl DatabaseOptions {
    /// Sets DURATION in minutes.
    pub fn set_duration(&mut self, minutes: i64) -> Result<()> {
        check_minutes("daysPerFile", minutes, 60, 3_650 * DAY)?;
        self.duration = minutes;
        Ok(())
    }

    /// Sets KEEP from one to three values in minutes.
    pub fn set_keep(&mut self, minutes: &[i64]) -> Result<()> {
        let (Some(first), true) = (minutes.first(), minutes.len() <= 3) else {
            return Err(invalid(format!("Invalid number of keep options: {}", minutes.len())));
        };
        let second = minutes.get(1).unwrap_or(first);
        let third = minutes.get(2).unwrap_or(second);
        for value in [first, second, third] {
            check_minutes("keep", *value, DAY, MAX_KEEP)?;
        }
        self.keep = [*first, *second, *third];
        Ok(())
    }

    /// Sets `S3_KEEPLOCAL` in minutes.
    pub fn set_s3_keep_local(&mut self, minutes: i64) -> Result<()> {
        check_minutes("s3KeepLocal", minutes, DAY, MAX_KEEP)?;
        self.s3_keep_local = minutes;
        Ok(())
    }

    /// Sets PRECISION by name.
    pub fn set_precision(&mut self, name: &str) -> Result<()> {
        self.precision = [Precision::Milli, Precision::Micro, Precision::Nano]
            .into_iter()
            .find(|precision| precision.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| invalid(format!("Invalid option precision: {name}")))?;
        Ok(())
    }

    /// Rules between options, checked once all of a statement's are set.
    pub fn check(&self) -> Result<()> {
        let [keep0, keep1, keep2] = self.keep;
        if keep0 > keep1 || keep1 > keep2 || keep0 < self.duration.saturating_mul(3) {
            return Err(invalid("Invalid duration value, should be keep2 >= keep1 >= keep0 >= 3 * duration".into()));
        }
        if self.precision == Precision::Nano && keep2 > MAX_KEEP_NANO {
            return Err(invalid(format!("Invalid option keep: {keep2}m valid range: [{DAY}m, {MAX_KEEP_NANO}m]")));
        }
        if self.min_rows >= self.max_rows || self.replica == 2 {
            return Err(Error::new(code::INVALID_DATABASE_OPTIONS));
        }
        let (prefix, suffix) = (self.table_prefix, self.table_suffix);
        if (prefix > 0 && suffix < 0) || (prefix < 0 && suffix > 0) || prefix.abs() + suffix.abs() > 191 {
            return Err(invalid(format!("Invalid option tablePrefix: {prefix} and tableSuffix: {suffix}")));
        }
        Ok(())
    }

    /// KEEP in ticks of the database.
    pub fn keep_ticks(&self) -> i64 {
        self.keep[2].saturating_mul(60).saturating_mul(self.precision.ticks_per_second())
    }

    /// DURATION in ticks of the database.
    pub fn duration_ticks(&self) -> i64 {
        self.duration.saturating_mul(60).saturating_mul(self.precision.ticks_per_second())
    }
}

fn check_minutes(label: &str, minutes: i64, low: i64, high: i64) -> Result<()> {
    if (low..=high).contains(&minutes) {
        return Ok(());
    }
    Err(invalid(format!("Invalid option {label}: {minutes}m valid range: [{low}m, {high}m]")))
}
