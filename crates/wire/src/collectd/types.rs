//! What the values of collectd's types are called. Most types have one value, called `value`; those with several are listed here, or in a
//! file in the form of collectd's own `types.db`.

use std::{borrow::Cow, collections::HashMap};

use embudo_types::{Error, Result, code};

/// Types with several values.
const STANDARD: [(&str, &[&str]); 28] = [
    ("compression", &["uncompressed", "compressed"]),
    ("df", &["used", "free"]),
    ("disk_io_time", &["io_time", "weighted_io_time"]),
    ("disk_latency", &["read", "write"]),
    ("disk_merged", &["read", "write"]),
    ("disk_octets", &["read", "write"]),
    ("disk_ops", &["read", "write"]),
    ("disk_time", &["read", "write"]),
    ("dns_octets", &["queries", "responses"]),
    ("if_dropped", &["rx", "tx"]),
    ("if_errors", &["rx", "tx"]),
    ("if_octets", &["rx", "tx"]),
    ("if_packets", &["rx", "tx"]),
    ("io_octets", &["rx", "tx"]),
    ("io_ops", &["read", "write"]),
    ("io_packets", &["rx", "tx"]),
    ("load", &["shortterm", "midterm", "longterm"]),
    ("memcached_octets", &["rx", "tx"]),
    ("mysql_octets", &["rx", "tx"]),
    ("node_octets", &["rx", "tx"]),
    ("ps_count", &["processes", "threads"]),
    ("ps_cputime", &["user", "syst"]),
    ("ps_disk_octets", &["read", "write"]),
    ("ps_disk_ops", &["read", "write"]),
    ("ps_pagefaults", &["minflt", "majflt"]),
    ("serial_octets", &["rx", "tx"]),
    ("vmpage_faults", &["minflt", "majflt"]),
    ("vmpage_io", &["in", "out"]),
];

/// The names of values by type.
#[derive(Debug)]
pub struct TypeSet {
    names: HashMap<String, Vec<String>>,
}

impl TypeSet {
    /// Those that collectd comes with.
    pub fn standard() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self { names: STANDARD.iter().map(|(kind, names)| ((*kind).to_owned(), owned(names))).collect() }
    }

    /// The standard ones, and those of a `types.db`: lines of a type and its values, `name:KIND:minimum:maximum`, separated by commas and blanks.
    pub fn with_file(text: &str) -> Result<Self> {
        let mut types = Self::standard();
        for (at, line) in text.lines().enumerate() {
            let mut words = line.split([' ', '\t', ',']).filter(|word| !word.is_empty());
            let Some(kind) = words.next().filter(|kind| !kind.starts_with('#')) else { continue };
            let names: Option<Vec<String>> = words.map(|word| word.split_once(':').map(|(name, _)| name.to_owned())).collect();
            let wrong = || Error::with(code::INVALID_CONFIG_OPTION, format!("collectd types, line {}: not a type and its values", at + 1));
            types.names.insert(kind.to_owned(), names.filter(|names| !names.is_empty()).ok_or_else(wrong)?);
        }
        Ok(types)
    }

    /// What the value at this place is called, of a list of so many.
    pub fn name(&self, kind: &str, at: usize, count: usize) -> Cow<'_, str> {
        match self.names.get(kind).filter(|names| names.len() == count).and_then(|names| names.get(at)) {
            Some(name) => Cow::Borrowed(name),
            None if count == 1 => Cow::Borrowed("value"),
            None => Cow::Owned(format!("value{at}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_names() {
        let types = TypeSet::with_file("# comment\n\nflow   left:GAUGE:0:U, right:DERIVE:U:U\nload only:GAUGE:0:5000\n").unwrap();
        assert_eq!((types.name("flow", 1, 2), types.name("load", 0, 1)), ("right".into(), "only".into()));
        assert_eq!((types.name("if_octets", 0, 2), types.name("unknown", 0, 1)), ("rx".into(), "value".into()));
        assert_eq!(types.name("if_octets", 2, 3), "value2");
        for text in ["load", "load x"] {
            assert!(TypeSet::with_file(text).is_err(), "{text}");
        }
    }
}
