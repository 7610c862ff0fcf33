//! What happens to databases and users, as the system log says it.

use std::sync::Arc;

use embudo_types::{Precision, Result};

use crate::catalog::{Cluster, Description};
use crate::record::{Reader, Writer, broken};
use crate::token::TokenKey;
use crate::user::{PasswordCheck, TOKENS};
use crate::{CacheModel, DatabaseOptions, Rights, Stream, StreamProgress, Token, Topic, TotpSecret, User, View, WindowAggregates};

/// First byte of every Meta entry.
const VERSION: u8 = 1;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SystemChange {
    /// A new engine.
    Cluster(Cluster),
    /// CREATE DATABASE, ALTER DATABASE.
    PutDatabase(Description),
    /// DROP DATABASE.
    DropDatabase(u32),
    /// CREATE USER, ALTER USER.
    PutUser(User),
    /// DROP USER.
    DropUser(String),
    /// CREATE TOKEN, ALTER TOKEN.
    PutToken(Token),
    /// DROP TOKEN.
    DropToken(Arc<str>),
    /// What tokens are hashed with.
    PutTokenKey(TokenKey),
    /// Everything that a user is granted, after GRANT, REVOKE and DROP of what it was on.
    PutRights(String, Rights),
    /// CREATE VIEW, in a database by its number.
    PutView(u32, View),
    /// DROP VIEW.
    DropView(u32, Arc<str>),
    /// CREATE TSMA, CREATE SMA INDEX.
    PutAggregates(u32, WindowAggregates),
    /// DROP TSMA, DROP INDEX, DROP TABLE.
    DropAggregates(u32, Arc<str>),
    /// CREATE STREAM, PAUSE STREAM, RESUME STREAM.
    PutStream(Stream),
    /// DROP STREAM.
    DropStream(Arc<str>),
    /// How far a stream has come.
    PutStreamProgress(Arc<str>, StreamProgress),
    /// CREATE TOPIC.
    PutTopic(Topic),
    /// DROP TOPIC.
    DropTopic(Arc<str>),
    /// The number of a database's first vgroup, and how many it has.
    PutVgroups(u32, u32, u32),
    /// Numbers above those of every database, topic and vgroup that there was.
    Numbers(u32, u64, u32),
}

impl SystemChange {
    fn write(&self, w: &mut Writer) {
        match self {
            Self::Cluster(cluster) => {
                w.byte(1);
                w.signed(cluster.id);
                w.signed(cluster.created);
            }
            Self::PutDatabase(database) => {
                w.byte(2);
                w.unsigned(u64::from(database.id));
                w.text(&database.name);
                w.signed(database.created);
                write_options(w, &database.options);
            }
            Self::DropDatabase(id) => {
                w.byte(3);
                w.unsigned(u64::from(*id));
            }
            Self::PutUser(user) => {
                w.byte(6);
                write_user(w, user);
            }
            Self::DropUser(name) => {
                w.byte(5);
                w.text(name);
            }
            Self::PutToken(token) => {
                w.byte(7);
                write_token(w, token);
            }
            Self::DropToken(name) => {
                w.byte(8);
                w.text(name);
            }
            Self::PutTokenKey(key) => {
                w.byte(9);
                w.bytes(&key.0);
            }
            Self::PutRights(user, rights) => {
                w.byte(20);
                w.text(user);
                rights.write(w);
            }
            Self::PutView(database, view) => {
                w.byte(21);
                w.unsigned(u64::from(*database));
                view.write(w);
            }
            Self::DropView(database, name) => {
                w.byte(22);
                w.unsigned(u64::from(*database));
                w.text(name);
            }
            Self::PutAggregates(database, aggregates) => {
                w.byte(23);
                w.unsigned(u64::from(*database));
                aggregates.write(w);
            }
            Self::DropAggregates(database, name) => {
                w.byte(24);
                w.unsigned(u64::from(*database));
                w.text(name);
            }
            Self::PutStream(stream) => {
                w.byte(40);
                stream.write(w);
            }
            Self::DropStream(name) => {
                w.byte(41);
                w.text(name);
            }
            Self::PutStreamProgress(name, progress) => {
                w.byte(42);
                w.text(name);
                progress.write(w);
            }
            Self::PutTopic(topic) => {
                w.byte(60);
                topic.write(w);
            }
            Self::DropTopic(name) => {
                w.byte(61);
                w.text(name);
            }
            Self::PutVgroups(database, first, count) => {
                w.byte(62);
                for number in [*database, *first, *count] {
                    w.unsigned(u64::from(number));
                }
            }
            Self::Numbers(database, topic, vgroup) => {
                w.byte(80);
                w.unsigned(u64::from(*database));
                w.unsigned(*topic);
                w.unsigned(u64::from(*vgroup));
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self> {
        Ok(match r.byte()? {
            1 => Self::Cluster(Cluster { id: r.signed()?, created: r.signed()? }),
            2 => Self::PutDatabase(Description { id: r.narrow()?, name: r.text()?.into(), created: r.signed()?, options: read_options(r)? }),
            3 => Self::DropDatabase(r.narrow()?),
            4 => Self::PutUser(read_older_user(r)?),
            5 => Self::DropUser(r.text()?.into()),
            6 => Self::PutUser(read_user(r)?),
            7 => Self::PutToken(read_token(r)?),
            8 => Self::DropToken(r.text()?.into()),
            9 => Self::PutTokenKey(TokenKey(r.bytes()?.try_into().map_err(|_| broken())?)),
            20 => Self::PutRights(r.text()?.into(), Rights::read(r)?),
            21 => Self::PutView(r.narrow()?, View::read(r)?),
            22 => Self::DropView(r.narrow()?, r.text()?.into()),
            23 => Self::PutAggregates(r.narrow()?, WindowAggregates::read(r)?),
            24 => Self::DropAggregates(r.narrow()?, r.text()?.into()),
            40 => Self::PutStream(Stream::read(r)?),
            41 => Self::DropStream(r.text()?.into()),
            42 => Self::PutStreamProgress(r.text()?.into(), StreamProgress::read(r)?),
            60 => Self::PutTopic(Topic::read(r)?),
            61 => Self::DropTopic(r.text()?.into()),
            62 => Self::PutVgroups(r.narrow()?, r.narrow()?, r.narrow()?),
            80 => Self::Numbers(r.narrow()?, r.unsigned()?, r.narrow()?),
            _ => return Err(broken()),
        })
    }
}

fn write_user(w: &mut Writer, user: &User) {
    w.text(&user.name);
    w.optional_text(match &user.password {
        PasswordCheck::Default => None,
        PasswordCheck::Hash(hash) => Some(hash),
    });
    w.byte(u8::from(user.superuser));
    w.signed(user.enabled);
    w.signed(user.sysinfo);
    w.unsigned(user.hosts.len() as u64);
    user.hosts.iter().for_each(|host| w.text(host));
    w.signed(user.created);
    w.byte(u8::from(user.keeps_to_hosts));
    w.bytes(user.totp.as_ref().map_or(&[], TotpSecret::bytes));
    w.signed(user.token_limit);
}

fn read_user(r: &mut Reader<'_>) -> Result<User> {
    let older = read_older_user(r)?;
    let keeps_to_hosts = r.byte()? != 0;
    let secret = r.bytes()?;
    Ok(User { keeps_to_hosts, totp: (!secret.is_empty()).then(|| TotpSecret::new(secret)), token_limit: r.signed()?, ..older })
}

/// A user as it was written before there were lists that are kept to, second factors and tokens.
fn read_older_user(r: &mut Reader<'_>) -> Result<User> {
    let name = r.text()?.into();
    let password = r.optional_text()?.map_or(PasswordCheck::Default, |hash| PasswordCheck::Hash(hash.into()));
    let superuser = r.byte()? != 0;
    let (enabled, sysinfo) = (r.signed()?, r.signed()?);
    let count = r.count()?;
    let hosts = (0..count).map(|_| r.text().map(Into::into)).collect::<Result<Vec<_>>>()?;
    Ok(User { name, password, superuser, enabled, sysinfo, keeps_to_hosts: hosts.len() > 1, hosts, created: r.signed()?, totp: None, token_limit: TOKENS })
}

fn write_token(w: &mut Writer, token: &Token) {
    w.text(&token.name);
    w.text(&token.user);
    w.text(&token.provider);
    w.byte(u8::from(token.enabled));
    w.text(&token.extra);
    w.signed(token.created);
    w.signed(token.expires);
    w.bytes(&token.hash);
}

fn read_token(r: &mut Reader<'_>) -> Result<Token> {
    Ok(Token {
        name: r.text()?.into(),
        user: r.text()?.into(),
        provider: r.text()?.into(),
        enabled: r.byte()? != 0,
        extra: r.text()?.into(),
        created: r.signed()?,
        expires: r.signed()?,
        hash: r.bytes()?.try_into().map_err(|_| broken())?,
    })
}

/// Options by their SQL keywords, so that versions with other options understand each other.
fn write_options(w: &mut Writer, options: &DatabaseOptions) {
    w.byte(options.precision.id());
    w.text(options.cache_model.name());
    for minutes in [options.duration, options.keep[0], options.keep[1], options.keep[2], options.s3_keep_local] {
        w.signed(minutes);
    }
    w.text(&options.retentions);
    let integers = options.integers();
    w.unsigned(integers.len() as u64);
    for (keyword, value) in integers {
        w.text(keyword);
        w.signed(value);
    }
}

fn read_options(r: &mut Reader<'_>) -> Result<DatabaseOptions> {
    let precision = Precision::from_id(r.byte()?).map_err(|_| broken())?;
    let cache_model = CacheModel::parse(r.text()?).map_err(|_| broken())?;
    let mut options = DatabaseOptions { precision, cache_model, ..DatabaseOptions::default() };
    options.duration = r.signed()?;
    options.keep = [r.signed()?, r.signed()?, r.signed()?];
    options.s3_keep_local = r.signed()?;
    options.retentions = r.text()?.into();
    let count = r.count()?;
    for _ in 0..count {
        let keyword = r.text()?;
        let value = r.signed()?;
        options.restore_integer(keyword, value);
    }
    Ok(options)
}

/// The bytes of a Meta entry.
pub(crate) fn encode(changes: &[SystemChange]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.byte(VERSION);
    for change in changes {
        change.write(&mut writer);
    }
    writer.0
}

/// The changes of a Meta entry.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<SystemChange>> {
    let mut reader = Reader(bytes);
    if reader.byte()? != VERSION {
        return Err(broken());
    }
    let mut changes = Vec::new();
    while !reader.is_empty() {
        changes.push(SystemChange::read(&mut reader)?);
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TopicMeta, TopicSource};

    fn topic(source: TopicSource) -> Topic {
        Topic {
            name: "涛".into(),
            id: 900,
            database: "d".into(),
            statement: "CREATE TOPIC".into(),
            text: "create topic".into(),
            current_database: Some("d".into()),
            zone: "UTC".into(),
            user: "root".into(),
            source,
            schema: "[]".into(),
            created: -5,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut options = DatabaseOptions { precision: Precision::Nano, cache_model: CacheModel::Both, ..DatabaseOptions::default() };
        options.set_integer("vgroups", 7).unwrap();
        options.set_keep(&[50_000, 60_000]).unwrap();
        let user = User {
            name: "涛".into(),
            password: PasswordCheck::Hash("$argon2id$".into()),
            superuser: false,
            enabled: 1,
            sysinfo: 0,
            hosts: vec!["127.0.0.1".into(), "10.0.0.0/8".into()],
            created: -5,
            keeps_to_hosts: true,
            totp: Some(TotpSecret::new(*b"secret")),
            token_limit: -1,
        };
        let token =
            Token { name: "t".into(), user: "涛".into(), provider: "p".into(), enabled: true, extra: "e".into(), created: 6, expires: -7, hash: [9; 32] };
        let view = View { name: "v".into(), query: "SELECT 1".into(), database: Some("d".into()), effective_user: "涛".into(), created: 7 };
        let aggregates = WindowAggregates {
            name: "a".into(),
            kind: crate::AggregateKind::SmaIndex,
            table: "t".into(),
            base: None,
            interval: "5m".into(),
            functions: "max(v)".into(),
            statement: "CREATE SMA INDEX".into(),
            created: 8,
        };
        let stream = Stream {
            name: "s".into(),
            id: 9,
            statement: "CREATE STREAM".into(),
            database: None,
            zone: "UTC".into(),
            user: "root".into(),
            source_database: "d".into(),
            target_database: "e".into(),
            target: "t".into(),
            paused: true,
            created: 10,
        };
        let group = crate::GroupProgress {
            table: 4,
            pending: vec![crate::PendingWindows { first: -1, last: 2, since: 3, emptied: true }],
            written: vec![crate::WrittenWindow { start: -5, end: 6, output: 7 }],
            last: Some(-8),
        };
        let progress = StreamProgress { next: 11, seen: Some((-3, 4)), groups: vec![group] };
        let changes = vec![
            SystemChange::Cluster(Cluster { id: 77, created: 5 }),
            SystemChange::PutDatabase(Description { id: 3, name: "d".into(), created: 9, options }),
            SystemChange::DropDatabase(3),
            SystemChange::PutUser(user),
            SystemChange::DropUser("x".into()),
            SystemChange::PutTokenKey(TokenKey([7; 32])),
            SystemChange::PutToken(token),
            SystemChange::DropToken("t".into()),
            SystemChange::PutRights("涛".into(), Rights::default()),
            SystemChange::PutView(3, view),
            SystemChange::DropView(3, "v".into()),
            SystemChange::PutAggregates(3, aggregates),
            SystemChange::DropAggregates(3, "a".into()),
            SystemChange::PutStream(stream),
            SystemChange::PutStreamProgress("s".into(), progress),
            SystemChange::DropStream("s".into()),
            SystemChange::PutTopic(topic(TopicSource::Query { table: 9, columns: vec![1, 700] })),
            SystemChange::PutTopic(topic(TopicSource::Supertable { table: 9, meta: TopicMeta::Only })),
            SystemChange::PutTopic(topic(TopicSource::Database { meta: TopicMeta::With })),
            SystemChange::DropTopic("涛".into()),
            SystemChange::PutVgroups(3, 2, 7),
            SystemChange::Numbers(4, 901, 9),
        ];
        let bytes = encode(&changes);
        assert_eq!(decode(&bytes).unwrap(), changes);
        for end in 0..bytes.len() {
            let _ = decode(&bytes[..end]);
        }
    }

    #[test]
    fn users_of_older_catalogues_are_read() {
        for (hosts, keeps_to_hosts) in [(&["127.0.0.1"][..], false), (&["127.0.0.1", "10.0.0.0/8"], true)] {
            let mut writer = Writer(vec![VERSION, 4]);
            writer.text("u");
            writer.optional_text(None);
            for byte in [0, 2, 2, hosts.len() as u8] {
                writer.byte(byte);
            }
            for host in hosts {
                writer.text(host);
            }
            writer.signed(-5);
            let [SystemChange::PutUser(user)] = &decode(&writer.0).unwrap()[..] else { panic!("no user") };
            assert_eq!((user.enabled, user.sysinfo, user.created, user.token_limit, user.keeps_to_hosts), (1, 1, -5, TOKENS, keeps_to_hosts));
        }
    }
}
