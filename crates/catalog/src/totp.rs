//! Second factors: secrets of users, and the codes of six digits that they give every 30 seconds (RFC 6238 over SHA-1).

use std::fmt;
use std::net::IpAddr;

use argon2::password_hash::rand_core::{OsRng, RngCore};
use embudo_types::{Error, Result, code};
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use sha1::Sha1;
use subtle::ConstantTimeEq;

/// Seconds that a code is good for.
const STEP: u64 = 30;
/// Steps that the other clock may be away, in either direction.
const SKEW: u64 = 1;

/// A user's secret. What proves a code must be able to make it, so that this is kept as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(Vec<u8>);

/// A secret stays out of logs.
impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret")
    }
}

impl TotpSecret {
    /// A secret of these bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// One that nobody knows.
    pub fn random() -> Self {
        let mut bytes = vec![0; 32];
        OsRng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// What is kept.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// In base 32 without padding, as programs that make codes take it.
    ///
    /// ```
    /// assert_eq!(embudo_catalog::TotpSecret::new(*b"12345678901234567890").text(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    /// ```
    pub fn text(&self) -> String {
        data_encoding::BASE32_NOPAD.encode(&self.0)
    }

    /// The code at a moment in seconds since 1970.
    pub fn code(&self, seconds: u64) -> Result<String> {
        self.code_of_step(seconds / STEP)
    }

    /// Six digits out of the hash of a step's number (RFC 4226 section 5.3).
    fn code_of_step(&self, step: u64) -> Result<String> {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.0).map_err(|error| Error::internal(format!("keying a hash: {error}")))?;
        mac.update(&step.to_be_bytes());
        let hash = mac.finalize().into_bytes();
        let at = usize::from(hash[hash.len() - 1] & 15);
        let number = hash[at..at + 4].iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) & 0x7FFF_FFFF;
        Ok(format!("{:06}", number % 1_000_000))
    }

    /// The step whose code this is, the newest first, near the step of `now`.
    fn step_of(&self, text: &str, now: u64) -> Result<Option<u64>> {
        let mut found = None;
        for step in (now.saturating_sub(SKEW)..=now + SKEW).rev() {
            let is_code = bool::from(self.code_of_step(step)?.as_bytes().ct_eq(text.trim().as_bytes()));
            found = found.or(is_code.then_some(step));
        }
        Ok(found)
    }
}

/// Codes that were used. A code is good again for who used it, since clients open several connections with one, but for nobody else;
/// older ones are good for nobody.
#[derive(Debug, Default)]
pub(crate) struct UsedCodes(Mutex<FxHashMap<String, (u64, IpAddr)>>);

impl UsedCodes {
    /// Whether `text` is the user's code at `now` (seconds since 1970), for somebody at an address: 0x0357 "Wrong TOTP code" if not.
    pub fn check(&self, user: &str, secret: &TotpSecret, text: &str, now: u64, from: IpAddr) -> Result<()> {
        let wrong = || Error::with(code::AUTHENTICATION_FAILURE, "Wrong TOTP code");
        let step = secret.step_of(text, now / STEP)?.ok_or_else(wrong)?;
        let mut used = self.0.lock();
        match used.get(user) {
            Some((last, address)) if step < *last || (step == *last && from != *address) => Err(wrong()),
            _ => {
                used.insert(user.to_owned(), (step, from));
                Ok(())
            }
        }
    }

    /// Forgets a user, whose secret is another one or gone.
    pub fn forget(&self, user: &str) {
        self.0.lock().remove(user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_rfc_6238() {
        let secret = TotpSecret::new(*b"12345678901234567890");
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")] {
            assert_eq!(secret.code(seconds).unwrap(), code);
        }
        assert_ne!(TotpSecret::random(), TotpSecret::random());
        assert_eq!(format!("{secret:?}"), "TotpSecret");
    }

    #[test]
    fn wrong_old_and_replayed_codes_are_refused() {
        let secret = TotpSecret::new(*b"12345678901234567890");
        let (here, there): (IpAddr, IpAddr) = ([127, 0, 0, 1].into(), [10, 0, 0, 1].into());
        let code = |seconds| secret.code(seconds).unwrap();
        let used = UsedCodes::default();
        let check = |text: &str, now, from| used.check("u", &secret, text, now, from).map_err(|error| error.message().to_owned());
        let wrong = Err("Wrong TOTP code".to_owned());
        for text in ["", "000000x", "12345", "1234567"] {
            assert_eq!(check(text, 3_000, here), wrong, "{text}");
        }
        assert_eq!(check(&code(3_000), 3_000 + 2 * STEP, here), wrong, "two steps old");
        assert_eq!(check(&code(3_000), 3_000 - 2 * STEP, here), wrong, "of the future");
        check(&code(3_000), 3_000 + STEP, here).unwrap();
        // One more connection of the same client, and somebody who has listened.
        check(&code(3_000), 3_000 + STEP, here).unwrap();
        assert_eq!(check(&code(3_000), 3_000 + STEP, there), wrong);
        check(&code(3_000 + STEP), 3_000 + STEP, there).unwrap();
        assert_eq!(check(&code(3_000), 3_000 + STEP, here), wrong, "older than one that was used");
        used.forget("u");
        check(&code(3_000), 3_000 + STEP, here).unwrap();
    }
}
