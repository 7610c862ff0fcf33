//! Databases, tables, tags and users: what names mean. Rows are the store's; what a statement may do is the engine's.
//!
//! Every change is a Meta entry of a log before it is in memory: tables and tags in their database's log, databases and users in
//! the system log. A database's catalogue file is a checkpoint of its log, nothing more.

mod alter;
mod catalog;
mod change;
mod changing;
mod checkpoint;
mod children;
mod database;
mod expiry;
mod host_range;
mod logged;
mod namespace;
mod offsets;
mod options;
mod past;
mod postings;
mod record;
mod rights;
mod rules;
mod schema;
mod stream;
mod system_change;
mod table;
mod tag_column;
mod token;
mod topic;
mod totp;
mod user;
mod view;

pub use alter::Alteration;
pub use catalog::{Catalog, CatalogOptions, Cluster, LogWatcher, Login, NewUser, Proof};
pub use changing::{Changing, NewChild};
pub use children::Children;
pub use database::{Database, Writing};
pub use host_range::{HostRange, NotAHostRange};
pub use logged::{LoggedEvent, LoggedTable};
pub use offsets::{GroupOffsets, Offsets};
pub use options::{CacheModel, DatabaseOptions, minutes_of, minutes_of_duration};
pub use rights::{RightSet, RightTarget, Rights};
pub use rules::{MAX_COMMENT, MAX_NAME, MAX_TABLE_NAME};
pub use schema::{Column, Compression, Encoding, Level, Schema};
pub use stream::{GroupProgress, PendingWindows, Stream, StreamProgress, WrittenWindow};
pub use table::{Child, NormalTable, Supertable, Table, TableOptions, TagIndex};
pub use token::Token;
pub use topic::{Topic, TopicMeta, TopicSource};
pub use totp::TotpSecret;
pub use user::{DEFAULT_PASSWORD, PasswordCheck, ROOT, TOKENS, User};
pub use view::{AggregateKind, View, WindowAggregates};
