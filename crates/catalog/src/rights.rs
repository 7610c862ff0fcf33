//! What users other than root were granted: rights on everything, on databases, on tables and views, on topics. Whether a statement needs
//! one, and what a condition on tags means, is the engine's business.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::BitOr;

use embudo_types::Result;

use crate::record::{Reader, Writer};

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RightSet(u8);

impl RightSet {
    /// None.
    pub const NONE: Self = Self(0);
    /// Query.
    pub const READ: Self = Self(1);
    /// Write rows, make and drop tables.
    pub const WRITE: Self = Self(2);
    /// Change tables and views.
    pub const ALTER: Self = Self(4);
    /// Every right.
    pub const ALL: Self = Self(7);
    /// The single rights in the order in which lists show them.
    pub const EACH: [Self; 3] = [Self::READ, Self::WRITE, Self::ALTER];

    /// Whether every right of `other` is here.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether a right of `other` is here.
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is left without those of `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The word in lists, for a single right or all.
    pub fn name(self) -> &'static str {
        match self {
            Self::READ => "read",
            Self::WRITE => "write",
            Self::ALTER => "alter",
            _ => "all",
        }
    }
}

impl BitOr for RightSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What a right holds on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RightTarget {
    /// `*.*`.
    Everything,
    /// `database.*`.
    Database(String),
    /// `database.table`, where a condition on tags (as SQL) picks children of a supertable.
    Table {
        /// Database.
        database: String,
        /// Table or view.
        name: String,
        /// WITH.
        condition: Option<String>,
    },
}

/// What a user was granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    granted: BTreeMap<RightTarget, RightSet>,
    topics: BTreeSet<String>,
    /// CREATEDB: databases may be made; whoever makes one has all rights on it.
    pub create_databases: bool,
}

impl Rights {
    /// Adds rights; `false` where all were there already.
    pub fn grant(&mut self, target: RightTarget, rights: RightSet) -> bool {
        let granted = self.granted.entry(target).or_default();
        let before = *granted;
        *granted = before | rights;
        before != *granted
    }

    /// Takes rights away; `false` where none of them was there. Without a condition those with one go too.
    pub fn revoke(&mut self, target: &RightTarget, rights: RightSet) -> bool {
        let covers = |held: &RightTarget| match (target, held) {
            (RightTarget::Table { database, name, condition: None }, RightTarget::Table { database: other_database, name: other_name, .. }) => {
                database == other_database && name == other_name
            }
            _ => target == held,
        };
        let mut any = false;
        for (held, granted) in &mut self.granted {
            if covers(held) && granted.intersects(rights) {
                *granted = granted.without(rights);
                any = true;
            }
        }
        self.granted.retain(|_, granted| !granted.is_empty());
        any
    }

    /// Adds SUBSCRIBE on a topic; `false` where it was there.
    pub fn grant_topic(&mut self, topic: &str) -> bool {
        self.topics.insert(topic.into())
    }

    /// Takes SUBSCRIBE on a topic away; `false` where it was not there.
    pub fn revoke_topic(&mut self, topic: &str) -> bool {
        self.topics.remove(topic)
    }

    /// Whether a topic may be subscribed to.
    pub fn subscribes(&self, topic: &str) -> bool {
        self.topics.contains(topic)
    }

    /// Topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(String::as_str)
    }

    /// Rights that hold in a whole database, views apart.
    pub fn in_database(&self, database: &str) -> RightSet {
        let of = |target: &RightTarget| self.granted.get(target).copied().unwrap_or_default();
        of(&RightTarget::Everything) | of(&RightTarget::Database(database.into()))
    }

    /// Rights granted by a table's or view's name, each with its condition.
    pub fn on_table<'a>(&'a self, database: &'a str, name: &'a str) -> impl Iterator<Item = (Option<&'a str>, RightSet)> {
        let first = RightTarget::Table { database: database.into(), name: name.into(), condition: None };
        self.granted.range(first..).map_while(move |(target, rights)| match target {
            RightTarget::Table { database: of, name: named, condition } if of == database && named == name => Some((condition.as_deref(), *rights)),
            _ => None,
        })
    }

    /// Whether there is any right in a database, be it on one of its tables.
    pub fn touches(&self, database: &str) -> bool {
        let is_there = |target: &RightTarget| match target {
            RightTarget::Everything => true,
            RightTarget::Database(name) | RightTarget::Table { database: name, .. } => name == database,
        };
        self.granted.keys().any(is_there)
    }

    /// Everything granted, the widest first.
    pub fn granted(&self) -> impl Iterator<Item = (&RightTarget, RightSet)> {
        self.granted.iter().map(|(target, rights)| (target, *rights))
    }

    /// Forgets rights on a database that goes; `false` where there were none.
    pub fn forget_database(&mut self, database: &str) -> bool {
        let before = self.granted.len();
        self.granted.retain(|target, _| !matches!(target, RightTarget::Database(name) | RightTarget::Table { database: name, .. } if name == database));
        before != self.granted.len()
    }

    /// Forgets rights on a table or view that goes; `false` where there were none.
    pub fn forget_table(&mut self, database: &str, table: &str) -> bool {
        let before = self.granted.len();
        self.granted.retain(|target, _| !matches!(target, RightTarget::Table { database: of, name, .. } if of == database && name == table));
        before != self.granted.len()
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.byte(u8::from(self.create_databases));
        w.unsigned(self.topics.len() as u64);
        self.topics.iter().for_each(|topic| w.text(topic));
        w.unsigned(self.granted.len() as u64);
        for (target, rights) in &self.granted {
            w.byte(rights.0);
            match target {
                RightTarget::Everything => w.byte(0),
                RightTarget::Database(name) => {
                    w.byte(1);
                    w.text(name);
                }
                RightTarget::Table { database, name, condition } => {
                    w.byte(2);
                    w.text(database);
                    w.text(name);
                    w.optional_text(condition.as_deref());
                }
            }
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self> {
        let create_databases = r.byte()? != 0;
        let topics = (0..r.count()?).map(|_| r.text().map(Into::into)).collect::<Result<_>>()?;
        let mut granted = BTreeMap::new();
        for _ in 0..r.count()? {
            let rights = RightSet(r.byte()? & RightSet::ALL.0);
            let target = match r.byte()? {
                0 => RightTarget::Everything,
                1 => RightTarget::Database(r.text()?.into()),
                _ => RightTarget::Table { database: r.text()?.into(), name: r.text()?.into(), condition: r.optional_text()?.map(Into::into) },
            };
            granted.insert(target, rights);
        }
        Ok(Self { granted, topics, create_databases })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(condition: Option<&str>) -> RightTarget {
        RightTarget::Table { database: "d".into(), name: "t".into(), condition: condition.map(Into::into) }
    }

    #[test]
    fn granted_shown_and_revoked() {
        let mut rights = Rights::default();
        assert!(rights.grant(table(Some("`g` = 1")), RightSet::READ));
        assert!(rights.grant(table(None), RightSet::WRITE));
        assert!(!rights.grant(table(None), RightSet::WRITE));
        assert_eq!(rights.on_table("d", "t").collect::<Vec<_>>(), [(None, RightSet::WRITE), (Some("`g` = 1"), RightSet::READ)]);
        assert_eq!(rights.on_table("d", "other").count(), 0);
        assert!(rights.touches("d") && !rights.touches("e"));
        assert_eq!(rights.in_database("d"), RightSet::NONE);
        assert!(rights.grant(RightTarget::Everything, RightSet::READ));
        assert_eq!(rights.in_database("e"), RightSet::READ);
        assert!(rights.revoke(&table(Some("`g` = 1")), RightSet::ALL));
        assert!(rights.revoke(&table(None), RightSet::WRITE) && !rights.revoke(&table(None), RightSet::WRITE));
        assert_eq!(rights.granted().count(), 1);
    }

    #[test]
    fn revoked_without_a_condition_means_every_condition() {
        let mut rights = Rights::default();
        rights.grant(table(Some("a")), RightSet::READ);
        rights.grant(table(Some("b")), RightSet::ALL);
        assert!(rights.revoke(&table(None), RightSet::READ));
        assert_eq!(rights.on_table("d", "t").collect::<Vec<_>>(), [(Some("b"), RightSet::WRITE | RightSet::ALTER)]);
        assert!(rights.forget_table("d", "t") && !rights.touches("d"));
    }

    #[test]
    fn what_is_written_is_read() {
        let mut rights = Rights { create_databases: true, ..Rights::default() };
        rights.grant(RightTarget::Everything, RightSet::READ);
        rights.grant(RightTarget::Database("涛".into()), RightSet::ALL);
        rights.grant(table(Some("`g` > 3")), RightSet::WRITE);
        rights.grant_topic("news");
        let mut writer = Writer::default();
        rights.write(&mut writer);
        assert_eq!(Rights::read(&mut Reader(&writer.0)).unwrap(), rights);
        for end in 0..writer.0.len() {
            assert!(Rights::read(&mut Reader(&writer.0[..end])).is_err());
        }
    }
}
