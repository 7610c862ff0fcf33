//! Repeated failures to log in cost time: who guesses passwords waits longer each time, holding no thread while he waits. Counted by
//! address and user together, which a success forgives, and by address alone, which only time forgives: else whoever has one password could guess
//! others.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use embudo_types::{Error, Result, code};

/// Failures of one user from one address that cost nothing: people mistype.
const FREE_OF_PAIR: u32 = 5;
/// Failures of one address that cost nothing: many people may share it.
const FREE_OF_ADDRESS: u32 = 50;
/// The first wait; each further failure doubles it.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(10);
/// Guesses that come side by side line up; a line longer than this is refused.
const LONGEST_LINE: Duration = Duration::from_secs(30);
/// After this long without a failure all is forgiven.
const FORGIVEN: Duration = Duration::from_secs(15 * 60);
/// Entries that are kept at most.
const ENTRIES: usize = 16 * 1024;

/// What failed lately.
#[derive(Default)]
pub struct SlowDown {
    failures: Mutex<Failures>,
}

#[derive(Default)]
struct Failures {
    pairs: HashMap<(IpAddr, String), Entry>,
    addresses: HashMap<IpAddr, Entry>,
}

/// The failures of one key.
#[derive(Clone, Copy)]
struct Entry {
    count: u32,
    last: Instant,
    /// When the next attempt may be made.
    next: Instant,
}

impl Entry {
    /// How long each attempt takes now.
    fn pause(self, free: u32) -> Duration {
        match self.count.checked_sub(free) {
            None | Some(0) => Duration::ZERO,
            Some(beyond) => FIRST.saturating_mul(1 << (beyond - 1).min(16)).min(LONGEST),
        }
    }

    /// The wait for this key's next place in line.
    fn wait(&self, now: Instant) -> Duration {
        self.next.saturating_duration_since(now)
    }
}

impl SlowDown {
    /// How long an attempt has to wait before it is made; an error where too many wait already.
    pub fn wait(&self, address: IpAddr, user: &str, now: Instant) -> Result<Duration> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.pairs.is_empty() && failures.addresses.is_empty() {
            return Ok(Duration::ZERO);
        }
        let address = network(address);
        let mut wait = Duration::ZERO;
        let pair = (address, user.to_owned());
        let entries = failures.pairs.get(&pair).into_iter().chain(failures.addresses.get(&address));
        for entry in entries.filter(|entry| now.duration_since(entry.last) < FORGIVEN) {
            wait = wait.max(entry.wait(now));
        }
        if wait > LONGEST_LINE {
            return Err(Error::with(code::AUTHENTICATION_FAILURE, format!("{}: too many failed logins, try again later", code::AUTHENTICATION_FAILURE.text())));
        }
        let start = now + wait;
        if let Some(entry) = failures.pairs.get_mut(&pair) {
            entry.next = entry.next.max(start + entry.pause(FREE_OF_PAIR));
        }
        if let Some(entry) = failures.addresses.get_mut(&address) {
            entry.next = entry.next.max(start + entry.pause(FREE_OF_ADDRESS));
        }
        Ok(wait)
    }

    /// An attempt failed.
    pub fn failed(&self, address: IpAddr, user: &str, now: Instant) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let Failures { pairs, addresses } = &mut *failures;
        let network = network(address);
        count(pairs, (network, user.to_owned()), FREE_OF_PAIR, now);
        // Behind a proxy on this machine that does not tell addresses, everybody has this one.
        if !address.is_loopback() {
            count(addresses, network, FREE_OF_ADDRESS, now);
        }
    }

    /// An attempt was right.
    pub fn succeeded(&self, address: IpAddr, user: &str) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if !failures.pairs.is_empty() {
            failures.pairs.remove(&(network(address), user.to_owned()));
        }
    }
}

/// Counts a failure.
fn count<K: Hash + Eq>(entries: &mut HashMap<K, Entry>, key: K, free: u32, now: Instant) {
    if entries.len() >= ENTRIES {
        entries.retain(|_, entry| now.duration_since(entry.last) < FORGIVEN);
        if entries.len() >= ENTRIES {
            // Who fills the table is one of those in it; the others begin anew.
            entries.clear();
        }
    }
    let entry = entries.entry(key).or_insert(Entry { count: 0, last: now, next: now });
    if now.duration_since(entry.last) >= FORGIVEN {
        entry.count = 0;
    }
    entry.count = entry.count.saturating_add(1);
    entry.last = now;
    entry.next = entry.next.max(now + entry.pause(free));
}

/// What one party is sure to have alone: an IPv4 address, or 64 bits of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn failures_cost_more_each_time_and_a_success_forgives() {
        let (slow_down, mut now) = (SlowDown::default(), Instant::now());
        let mut waited = Vec::new();
        for _ in 0..9 {
            let wait = slow_down.wait(HOME, "root", now).unwrap();
            waited.push(wait.as_millis());
            now += wait;
            slow_down.failed(HOME, "root", now);
        }
        assert_eq!(waited, [0, 0, 0, 0, 0, 0, 100, 200, 400]);
        assert_eq!(slow_down.wait(OTHER, "root", now).unwrap(), Duration::ZERO, "another address");
        assert_eq!(slow_down.wait(HOME, "other", now).unwrap(), Duration::ZERO, "another user");
        slow_down.succeeded(HOME, "root");
        assert_eq!(slow_down.wait(HOME, "root", now).unwrap(), Duration::ZERO);
    }

    #[test]
    fn guesses_side_by_side_line_up_and_a_long_line_is_refused() {
        let (slow_down, now) = (SlowDown::default(), Instant::now());
        (0..20).for_each(|_| slow_down.failed(HOME, "root", now));
        let waits: Vec<_> = (0..10).map(|_| slow_down.wait(HOME, "root", now).ok()).collect();
        assert!(waits.windows(2).all(|pair| pair[1].is_none() || pair[1] > pair[0]), "{waits:?}");
        assert!(waits[2].is_some() && waits[3].is_none(), "{waits:?}");
        let later = now + FORGIVEN;
        assert_eq!(slow_down.wait(HOME, "root", later).unwrap(), Duration::ZERO, "forgiven");
    }

    #[test]
    fn trying_many_users_slows_an_address_down() {
        let (slow_down, now) = (SlowDown::default(), Instant::now());
        for user in 0..60 {
            slow_down.failed(HOME, &format!("user{user}"), now);
            slow_down.succeeded(HOME, "mine");
        }
        assert!(slow_down.wait(HOME, "root", now).unwrap() > Duration::from_secs(1));
        for user in 0..60 {
            slow_down.failed(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), &format!("user{user}"), now);
        }
        assert_eq!(slow_down.wait(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), "root", now).unwrap(), Duration::ZERO);
    }

    #[test]
    fn the_table_is_bounded() {
        let (slow_down, now) = (SlowDown::default(), Instant::now());
        (0..2 * ENTRIES).for_each(|user| slow_down.failed(HOME, &user.to_string(), now));
        assert!(slow_down.failures.lock().unwrap().pairs.len() <= ENTRIES);
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let parse = |text: &str| network(text.parse().unwrap());
        assert_eq!(parse("2001:db8::1"), parse("2001:db8::ffff:1"));
        assert_ne!(parse("2001:db8::1"), parse("2001:db8:0:1::1"));
        assert_eq!(parse("::ffff:192.0.2.1"), parse("192.0.2.1"));
    }
}
