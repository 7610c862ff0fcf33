//! Users: names, password hashes and settings, and the question whether a password is right. What a right allows is the engine's
//! business.

use std::net::IpAddr;
use std::time::Duration;

use argon2::password_hash::rand_core::{OsRng, RngCore};
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Argon2, Params};
use blake2::digest::{FixedOutput, KeyInit, Update};
use embudo_types::{Error, Result, code};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::{HostRange, TotpSecret};

/// The superuser.
pub const ROOT: &str = "root";
/// Its password until it is changed.
pub const DEFAULT_PASSWORD: &str = "taosdata";
/// `ALLOW_TOKEN_NUM` where nothing is said.
pub const TOKENS: i64 = 3;
/// The host that is on every list.
pub(crate) const THIS_MACHINE: &str = "127.0.0.1";
/// How long a verified password is not hashed again.
const VERIFIED_FOR: Duration = Duration::from_secs(30 * 60);
/// Verified passwords that are remembered at most.
const VERIFIED_LIMIT: usize = 10_000;

/// A user as SHOW USERS shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name.
    pub name: String,
    /// What its password is checked against.
    pub password: PasswordCheck,
    /// Only root.
    pub superuser: bool,
    /// ENABLE.
    pub enabled: i64,
    /// SYSINFO.
    pub sysinfo: i64,
    /// HOST, this machine first.
    pub hosts: Vec<String>,
    /// Whether there ever was a HOST list: then the user is kept to what is left of it.
    pub keeps_to_hosts: bool,
    /// The second factor.
    pub totp: Option<TotpSecret>,
    /// `ALLOW_TOKEN_NUM`: tokens at most; less than 0 for any number.
    pub token_limit: i64,
    /// Milliseconds since 1970.
    pub created: i64,
}

impl User {
    /// The superuser of a new engine.
    pub(crate) fn root(created: i64) -> Self {
        Self {
            name: ROOT.into(),
            password: PasswordCheck::Default,
            superuser: true,
            enabled: 1,
            sysinfo: 1,
            hosts: vec![THIS_MACHINE.into()],
            keeps_to_hosts: false,
            totp: None,
            token_limit: TOKENS,
            created,
        }
    }

    /// Whether the user may come from an address: always from this machine.
    pub fn may_come_from(&self, address: IpAddr) -> bool {
        let listed = || self.hosts.iter().filter_map(|host| host.parse::<HostRange>().ok()).any(|range| range.contains(address));
        !self.keeps_to_hosts || address.to_canonical().is_loopback() || listed()
    }

    /// ADD HOST: 0x035A for one that is on the list.
    pub fn add_hosts(&mut self, hosts: &[String]) -> Result<()> {
        for host in hosts {
            if self.hosts.contains(host) {
                return Err(Error::new(code::HOST_ALREADY_EXIST_IN_IP_WHITE));
            }
            self.hosts.push(host.clone());
        }
        self.keeps_to_hosts = true;
        Ok(())
    }

    /// DROP HOST: 0x035B for one that is not on the list, 0x035D for this machine. Without any the user may come from this machine only.
    pub fn drop_hosts(&mut self, hosts: &[String]) -> Result<()> {
        for host in hosts {
            if host == THIS_MACHINE {
                return Err(Error::new(code::HOST_CAN_NOT_BE_DROPPED));
            }
            let at = self.hosts.iter().position(|known| known == host).ok_or_else(|| Error::new(code::HOST_NOT_EXIST_IN_IP_WHITE))?;
            self.hosts.remove(at);
        }
        Ok(())
    }
}

/// What is kept of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordCheck {
    /// [`DEFAULT_PASSWORD`], which is no secret to hash.
    Default,
    /// Argon2id in PHC form.
    Hash(String),
}

impl PasswordCheck {
    /// Hashes a password.
    pub fn new(password: &str) -> Result<Self> {
        let salt = SaltString::generate(&mut OsRng);
        let hash = argon2().hash_password(password.as_bytes(), &salt).map_err(|error| Error::internal(format!("hashing a password: {error}")))?;
        Ok(Self::Hash(hash.to_string()))
    }

    /// Whether this is the password.
    fn matches(&self, password: &str) -> bool {
        match self {
            Self::Default => password == DEFAULT_PASSWORD,
            Self::Hash(hash) => PasswordHash::new(hash).is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok()),
        }
    }
}

/// OWASP's second choice of parameters: 19 MiB, 2 passes, 1 lane.
fn argon2() -> Argon2<'static> {
    Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, Params::DEFAULT)
}

/// Passwords that were right lately, as hashes under a key of this process, so that only misses pay Argon2.
pub(crate) struct Verified {
    key: [u8; 32],
    until: Mutex<FxHashMap<[u8; 32], Duration>>,
}

impl std::fmt::Debug for Verified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verified")
    }
}

impl Verified {
    pub fn new() -> Self {
        let mut key = [0; 32];
        OsRng.fill_bytes(&mut key);
        Self { key, until: Mutex::default() }
    }

    /// Whether `password` is the user's; `now` is time that never goes back.
    pub fn check(&self, user: &User, password: &str, now: Duration) -> Result<()> {
        let hash = self.hash(&user.name, password)?;
        if self.until.lock().get(&hash).is_some_and(|until| *until > now) {
            return Ok(());
        }
        if !user.password.matches(password) {
            return Err(Error::new(code::AUTHENTICATION_FAILURE));
        }
        let mut until = self.until.lock();
        if until.len() >= VERIFIED_LIMIT {
            until.clear();
        }
        until.insert(hash, now + VERIFIED_FOR);
        Ok(())
    }

    /// Forgets everything, after a change of users.
    pub fn clear(&self) {
        self.until.lock().clear();
    }

    fn hash(&self, user: &str, password: &str) -> Result<[u8; 32]> {
        let mut mac = blake2::Blake2sMac256::new_from_slice(&self.key).map_err(|error| Error::internal(format!("keying a hash: {error}")))?;
        mac.update(&(user.len() as u64).to_le_bytes());
        mac.update(user.as_bytes());
        mac.update(password.as_bytes());
        Ok(mac.finalize_fixed().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_verified_once_and_forgotten() {
        let mut user = User { name: "u".into(), password: PasswordCheck::new("secret").unwrap(), superuser: false, ..User::root(0) };
        let verified = Verified::new();
        assert!(verified.check(&user, "wrong", Duration::ZERO).is_err());
        verified.check(&user, "secret", Duration::ZERO).unwrap();
        // Within the time the hash is not asked.
        user.password = PasswordCheck::Hash("broken".into());
        verified.check(&user, "secret", VERIFIED_FOR / 2).unwrap();
        assert!(verified.check(&user, "secret", VERIFIED_FOR).is_err());
        verified.check(&User { password: PasswordCheck::Default, ..user.clone() }, DEFAULT_PASSWORD, Duration::ZERO).unwrap();
        verified.clear();
        assert!(verified.check(&user, "secret", Duration::ZERO).is_err());
    }

    #[test]
    fn lists_of_hosts_keep_others_out_once_there_is_one() {
        let mut user = User { superuser: false, ..User::root(0) };
        let (here, inside, outside): (IpAddr, IpAddr, IpAddr) = ([127, 0, 0, 7].into(), [10, 1, 2, 3].into(), [11, 0, 0, 1].into());
        let admitted = |user: &User| [here, inside, outside].map(|address| user.may_come_from(address));
        assert_eq!(admitted(&user), [true; 3]);
        user.add_hosts(&["10.0.0.0/8".into()]).unwrap();
        assert_eq!(admitted(&user), [true, true, false]);
        assert!(user.may_come_from("::1".parse().unwrap()) && user.may_come_from("::ffff:10.0.0.1".parse().unwrap()));
        assert_eq!(user.add_hosts(&["10.0.0.0/8".into()]).unwrap_err().code(), code::HOST_ALREADY_EXIST_IN_IP_WHITE);
        assert_eq!(user.drop_hosts(&["127.0.0.1".into()]).unwrap_err().code(), code::HOST_CAN_NOT_BE_DROPPED);
        user.drop_hosts(&["10.0.0.0/8".into()]).unwrap();
        assert_eq!(admitted(&user), [true, false, false], "what is left of a list is kept to");
    }
}
