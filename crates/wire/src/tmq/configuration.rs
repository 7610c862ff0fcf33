//! The configuration keys of TDengine's consumers, as DSNs, `tmq_conf_set` and the `config` of `subscribe` have them.
//!
//! ```
//! use embudo_types::subscription::SubscribeOptions;
//! let mut options = SubscribeOptions::new("group", ["topic"]);
//! embudo_wire::tmq::configuration::set(&mut options, "session.timeout.ms", "10000")?;
//! assert_eq!(options.session_timeout.as_secs(), 10);
//! # Ok::<(), embudo_types::Error>(())
//! ```

use std::{ops::RangeInclusive, time::Duration};

use embudo_types::{
    Error, Result, code,
    subscription::{OffsetReset, SubscribeOptions},
};

/// Keys that say who connects where; whoever connects knows them already.
const OF_THE_CONNECTION: [&str; 6] = ["td.connect.ip", "td.connect.port", "td.connect.user", "td.connect.pass", "td.connect.db", "td.connect.token"];
/// Keys about what there is not here: replicas of other clusters, messages in the log's own form, waiting for more rows.
const WITHOUT_EFFECT: [&str; 3] = ["msg.consume.excluded", "msg.consume.rawdata", "fetch.max.wait.ms"];

/// Milliseconds that a session may be silent.
const SESSION_TIMEOUT: RangeInclusive<u64> = 6_000..=1_800_000;
/// Milliseconds between polls.
const POLL_INTERVAL: RangeInclusive<u64> = 1_000..=i32::MAX as u64;
/// Milliseconds between commits, and rows of a message.
const POSITIVE: RangeInclusive<u64> = 1..=i32::MAX as u64;

/// Sets what a key says. 0x0118 for a key or a value that is none.
pub fn set(options: &mut SubscribeOptions, key: &str, value: &str) -> Result<()> {
    let refused = || Error::with(code::INVALID_PARAMETERS, format!("invalid value for key '{key}': {value}"));
    let flag = || boolean(value).ok_or_else(refused);
    let number = |range: RangeInclusive<u64>| value.trim().parse().ok().filter(|number| range.contains(number)).ok_or_else(refused);
    let duration = |range| number(range).map(Duration::from_millis);
    match key {
        "group.id" => value.clone_into(&mut options.group),
        "client.id" => value.clone_into(&mut options.client),
        "auto.offset.reset" => options.offset_reset = offset_reset(value).ok_or_else(refused)?,
        "enable.auto.commit" => options.auto_commit = flag()?,
        "auto.commit.interval.ms" => options.auto_commit_interval = duration(POSITIVE)?,
        "session.timeout.ms" => options.session_timeout = duration(SESSION_TIMEOUT)?,
        "max.poll.interval.ms" => options.max_poll_interval = duration(POLL_INTERVAL)?,
        "msg.with.table.name" => options.with_table_name = flag()?,
        "min.poll.rows" => options.poll_rows = usize::try_from(number(POSITIVE)?).map_err(|_| refused())?,
        "msg.enable.batchmeta" => options.batch_meta = flag()?,
        "experimental.snapshot.enable" => options.snapshot = flag()?,
        "enable.replay" => options.replay = flag()?,
        key if OF_THE_CONNECTION.contains(&key) => {}
        "msg.consume.excluded" | "msg.consume.rawdata" => drop(flag()?),
        key if WITHOUT_EFFECT.contains(&key) => drop(number(0..=i32::MAX as u64)?),
        key => return Err(Error::with(code::INVALID_PARAMETERS, format!("unknown configuration key: {key}"))),
    }
    Ok(())
}

/// What options say, as keys and values, without those that are as a new consumer's.
pub fn of(options: &SubscribeOptions) -> Vec<(&'static str, String)> {
    let new = SubscribeOptions::new("", [""; 0]);
    let milliseconds = |duration: Duration| duration.as_millis().to_string();
    let reset = match options.offset_reset {
        OffsetReset::Earliest => "earliest",
        OffsetReset::Latest => "latest",
        OffsetReset::None => "none",
    };
    let mut keys = vec![("group.id", options.group.clone()), ("client.id", options.client.clone()), ("auto.offset.reset", reset.to_owned())];
    let mut differing = |is_other: bool, key, value: String| {
        if is_other {
            keys.push((key, value));
        }
    };
    differing(options.auto_commit != new.auto_commit, "enable.auto.commit", options.auto_commit.to_string());
    differing(options.auto_commit_interval != new.auto_commit_interval, "auto.commit.interval.ms", milliseconds(options.auto_commit_interval));
    differing(options.session_timeout != new.session_timeout, "session.timeout.ms", milliseconds(options.session_timeout));
    differing(options.max_poll_interval != new.max_poll_interval, "max.poll.interval.ms", milliseconds(options.max_poll_interval));
    differing(options.with_table_name != new.with_table_name, "msg.with.table.name", options.with_table_name.to_string());
    differing(options.poll_rows != new.poll_rows, "min.poll.rows", options.poll_rows.to_string());
    differing(options.batch_meta != new.batch_meta, "msg.enable.batchmeta", u8::from(options.batch_meta).to_string());
    differing(options.snapshot != new.snapshot, "experimental.snapshot.enable", options.snapshot.to_string());
    differing(options.replay != new.replay, "enable.replay", options.replay.to_string());
    keys
}

/// A truth as clients of every language spell it.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Some(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn offset_reset(text: &str) -> Option<OffsetReset> {
    match text.to_ascii_lowercase().as_str() {
        "earliest" => Some(OffsetReset::Earliest),
        "latest" => Some(OffsetReset::Latest),
        "none" => Some(OffsetReset::None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_options_say_is_read_again() {
        let options = SubscribeOptions {
            client: "c".into(),
            offset_reset: OffsetReset::None,
            auto_commit: false,
            auto_commit_interval: Duration::from_millis(7),
            session_timeout: Duration::from_secs(9),
            max_poll_interval: Duration::from_secs(8),
            with_table_name: false,
            poll_rows: 5,
            batch_meta: true,
            snapshot: true,
            replay: true,
            ..SubscribeOptions::new("g", ["t"])
        };
        let keys = of(&options);
        assert_eq!(keys.len(), 12);
        let mut again = SubscribeOptions::new("", ["t"]);
        for (key, value) in keys {
            set(&mut again, key, &value).unwrap();
        }
        assert_eq!(again, options);
        assert_eq!(of(&SubscribeOptions::new("g", ["t"])).len(), 3);
    }

    #[test]
    fn refusals_name_key_and_value() {
        let mut options = SubscribeOptions::new("g", ["t"]);
        for (key, value, text) in [
            ("group", "g", "unknown configuration key: group"),
            ("auto.offset.reset", "bogus", "invalid value for key 'auto.offset.reset': bogus"),
            ("session.timeout.ms", "5", "invalid value for key 'session.timeout.ms': 5"),
            ("enable.auto.commit", "yes", "invalid value for key 'enable.auto.commit': yes"),
        ] {
            let error = set(&mut options, key, value).unwrap_err();
            assert_eq!((error.code(), error.message()), (code::INVALID_PARAMETERS, text));
        }
        set(&mut options, "auto.offset.reset", "Earliest").unwrap();
        set(&mut options, "td.connect.ip", "localhost").unwrap();
        assert_eq!(options.offset_reset, OffsetReset::Earliest);
    }
}
