//! The version that clients are told, and what it says they may ask for: below the version that brought an action the server answers as if
//! there were no such action, so that a client of any age finds the server it expects.

use std::{fmt, str::FromStr};

use embudo_types::{Error, SERVER_VERSION, code};

/// A version of TDengine: four numbers, and perhaps a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvertisedVersion {
    text: String,
    numbers: [u32; 4],
}

/// Since which version there is something (spec/protocols.md 3.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since([u32; 4]);

impl Since {
    /// `binary_query`, `fetch_raw_block`, the version in the reply to `conn`.
    pub const BINARY_QUERY: Self = Self([3, 3, 2, 0]);
    /// Statements of the second kind.
    pub const STATEMENT2: Self = Self([3, 3, 3, 0]);
    /// What a field of such a statement is for.
    pub const BIND_TYPE: Self = Self([3, 3, 4, 3]);
    /// `options_connection`, and the zone in `conn`.
    pub const CONNECTION_OPTIONS: Self = Self([3, 3, 5, 0]);
    /// Decimals in the description of fields, `validate_sql`, `check_server_status`, `table_name_key`; also `get_connection_info`, which came with the
    /// tokens of 3.4, since tokens are taken whatever is advertised.
    pub const DECIMAL: Self = Self([3, 3, 6, 0]);
    /// `list_instances`.
    pub const INSTANCES: Self = Self([3, 4, 1, 10]);
    /// `stmt2_bind_exec`.
    pub const BIND_AND_EXECUTE: Self = Self([3, 4, 1, 13]);
}

impl AdvertisedVersion {
    /// Whether it is the one that this server stands for, and not one that it passes for on request.
    pub fn is_our_own(&self) -> bool {
        self.text == SERVER_VERSION
    }

    /// Whether this version has what came then.
    pub fn has(&self, since: Since) -> bool {
        self.numbers >= since.0
    }
}

impl Default for AdvertisedVersion {
    fn default() -> Self {
        Self { text: SERVER_VERSION.to_owned(), numbers: numbers(SERVER_VERSION).unwrap_or_default() }
    }
}

/// At least four numbers, because the Go driver takes no less; a word may follow.
fn numbers(text: &str) -> Option<[u32; 4]> {
    let mut parts = text.split('.').map(|part| part.parse::<u32>().ok());
    Some([parts.next()??, parts.next()??, parts.next()??, parts.next()??])
}

impl FromStr for AdvertisedVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let numbers = numbers(text).filter(|numbers| (3..10).contains(&numbers[0]));
        let wrong = || Error::with(code::INVALID_CONFIG_OPTION, format!("{text:?} is no version to advertise; give four numbers such as {SERVER_VERSION}"));
        Ok(Self { text: text.to_owned(), numbers: numbers.ok_or_else(wrong)? })
    }
}

impl fmt::Display for AdvertisedVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let old: AdvertisedVersion = "3.3.1.0.alpha".parse().unwrap();
        assert!(!old.has(Since::BINARY_QUERY));
        assert_eq!(old.to_string(), "3.3.1.0.alpha");
        assert!(AdvertisedVersion::default().has(Since::DECIMAL));
        assert!(!AdvertisedVersion::default().has(Since::BIND_AND_EXECUTE));
        assert!("3.4.1.13".parse::<AdvertisedVersion>().unwrap().has(Since::BIND_AND_EXECUTE));
        assert!("3.10.0.0".parse::<AdvertisedVersion>().unwrap().has(Since::BIND_AND_EXECUTE));
        for text in ["", "3", "3.3.6", "3.3.x.1", "2.6.0.1", "30.0.0.0"] {
            assert!(text.parse::<AdvertisedVersion>().is_err(), "{text}");
        }
    }
}
