//! Credentials in HTTP's `Authorization` header (spec/protocols.md 1.2): `Basic`, and TDengine's own `Taosd` token.
//!
//! Whether the user may enter is the engine's business.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use des::{
    Des,
    cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit},
};
use embudo_types::{Error, Result, code};

/// The fixed key of every TDengine; the token hides nothing, it only carries.
const TOKEN_KEY: [u8; 8] = [0x40, 0xB6, 0x7A, 0x30, 0x56, 0x73, 0xFD, 0x44];
/// Bytes of the token's text that hold the user; the password has at least as many.
const USER_BYTES: usize = 24;

/// Who asks to enter.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The password in clear.
    pub password: String,
}

/// The password stays out of logs.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Credentials {
    /// The credentials in the value of an `Authorization` header; schemes are spelled exactly `Basic` and `Taosd`.
    ///
    /// A Taosd token is also taken as `Bearer`, since clients that know tokens only send that word, and `user:password` as `Token`, as clients of
    /// InfluxDB send it.
    pub fn from_header(value: &str) -> Result<Self> {
        let (scheme, credentials) = value.split_once(' ').unwrap_or((value, ""));
        match scheme {
            "Basic" => Self::from_basic(credentials).ok_or_else(|| Error::new(code::INVALID_BASIC_AUTHORIZATION)),
            "Taosd" => Self::from_token(credentials).ok_or_else(|| Error::new(code::INVALID_TAOSD_AUTHORIZATION)),
            "Bearer" => Self::from_token(credentials).ok_or_else(|| Error::new(code::INVALID_AUTHORIZATION_TYPE)),
            "Token" => Self::from_text(credentials.trim()).ok_or_else(|| Error::new(code::INVALID_AUTHORIZATION_TYPE)),
            _ => Err(Error::new(code::INVALID_AUTHORIZATION_TYPE)),
        }
    }

    /// Base64 of `user:password`, neither of them empty; the password may hold colons.
    fn from_basic(text: &str) -> Option<Self> {
        Self::from_text(&String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?)
    }

    fn from_text(text: &str) -> Option<Self> {
        let (user, password) = text.split_once(':')?;
        (!user.is_empty() && !password.is_empty()).then(|| Self { user: user.into(), password: password.into() })
    }

    /// The credentials in a token made by [`Self::token`].
    pub fn from_token(token: &str) -> Option<Self> {
        let mut bytes = STANDARD.decode(token.trim()).ok()?;
        if bytes.len() < 2 * USER_BYTES || bytes.len() % 8 != 0 {
            return None;
        }
        let cipher = Des::new(&TOKEN_KEY.into());
        for block in bytes.chunks_exact_mut(8) {
            cipher.decrypt_block(<&mut Block<Des>>::try_from(block).ok()?);
        }
        let field = |bytes: &[u8]| {
            let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
            (end > 0).then(|| String::from_utf8_lossy(&bytes[..end]).into_owned())
        };
        Some(Self { user: field(&bytes[..USER_BYTES])?, password: field(&bytes[USER_BYTES..])? })
    }

    /// The token that `/rest/login` mints: base64 of DES-ECB over user and password, each padded with zeros. `None` where the user's
    /// name is longer than 24 bytes.
    ///
    /// ```
    /// use embudo_wire::authorization::Credentials;
    /// let root = Credentials { user: "root".into(), password: "taosdata".into() };
    /// assert_eq!(root.token().as_deref(), Some("/KfeAzX/f9na8qdtNZmtONryp201ma04bEl8LcvLUd7a8qdtNZmtONryp201ma04"));
    /// ```
    pub fn token(&self) -> Option<String> {
        if self.user.len() > USER_BYTES {
            return None;
        }
        let mut bytes = vec![0; USER_BYTES + self.password.len().max(USER_BYTES).next_multiple_of(8)];
        bytes[..self.user.len()].copy_from_slice(self.user.as_bytes());
        bytes[USER_BYTES..USER_BYTES + self.password.len()].copy_from_slice(self.password.as_bytes());
        let cipher = Des::new(&TOKEN_KEY.into());
        for block in bytes.chunks_exact_mut(8) {
            cipher.encrypt_block(<&mut Block<Des>>::try_from(block).ok()?);
        }
        Some(STANDARD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers_as_recorded() {
        let root = |user: &str, password: &str| Ok(Credentials { user: user.into(), password: password.into() });
        let refused = |code| Err(Error::new(code));
        for (header, want) in [
            ("Basic cm9vdDp0YW9zZGF0YQ==", root("root", "taosdata")),
            ("Basic cm9vdDo=", refused(code::INVALID_BASIC_AUTHORIZATION)),
            ("Basic Ong=", refused(code::INVALID_BASIC_AUTHORIZATION)),
            ("Basic cm9vdA==", refused(code::INVALID_BASIC_AUTHORIZATION)),
            ("Basic !!!", refused(code::INVALID_BASIC_AUTHORIZATION)),
            ("Basic", refused(code::INVALID_BASIC_AUTHORIZATION)),
            ("Bearer abc", refused(code::INVALID_AUTHORIZATION_TYPE)),
            ("basic cm9vdDp0YW9zZGF0YQ==", refused(code::INVALID_AUTHORIZATION_TYPE)),
            ("Foo x", refused(code::INVALID_AUTHORIZATION_TYPE)),
            ("Taosd abc", refused(code::INVALID_TAOSD_AUTHORIZATION)),
            ("Taosd", refused(code::INVALID_TAOSD_AUTHORIZATION)),
            ("Taosd /KfeAzX/f9na8qdtNZmtONryp201ma04bEl8LcvLUd7a8qdtNZmtONryp201ma04", root("root", "taosdata")),
            ("Bearer /KfeAzX/f9na8qdtNZmtONryp201ma04bEl8LcvLUd7a8qdtNZmtONryp201ma04", root("root", "taosdata")),
            ("Basic YTpiOmM=", root("a", "b:c")),
        ] {
            assert_eq!(Credentials::from_header(header), want, "{header}");
        }
    }

    #[test]
    fn a_token_of_noise_still_names_somebody() {
        let token = "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4";
        assert!(Credentials::from_token(token).is_some());
        assert_eq!(Credentials { user: "a".repeat(25), password: "x".into() }.token(), None);
    }

    proptest! {
        #[test]
        fn tokens_read_back(user in "[a-z0-9_]{1,24}", password in "[ -~]{1,255}") {
            let credentials = Credentials { user, password };
            prop_assert_eq!(Credentials::from_token(&credentials.token().unwrap()), Some(credentials));
        }
    }
}
