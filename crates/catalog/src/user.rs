//! Users: names, password hashes and rights. Who may log in is asked here; what a right allows is the engine's business.

/// A user as SHOW USERS shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name.
    pub name: String,
    /// Argon2id hash in PHC form.
    pub(crate) password: String,
    /// Only root.
    pub superuser: bool,
    /// ENABLE.
    pub enabled: i64,
    /// SYSINFO.
    pub sysinfo: i64,
    /// HOST.
    pub hosts: Vec<String>,
    /// Milliseconds since 1970.
    pub created: i64,
}
