//! The one error of the project: TDengine's code, the message its client would show, and what caused it.

use std::sync::Arc;

use crate::code::{self, Code};

/// Result with the project's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure as a TDengine client sees it.
///
/// ```
/// use embudo_types::{Error, code};
/// let error = Error::new(code::DATABASE_NOT_EXIST);
/// assert_eq!(error.to_string(), "[0x0388]: Database not exist");
/// ```
#[derive(Clone, Debug)]
pub struct Error {
    code: Code,
    message: String,
    position: Option<usize>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with the text that the code table gives.
    pub fn new(code: Code) -> Self {
        Self::with(code, code.text())
    }

    /// An error with a text of its own.
    pub fn with(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), position: None, source: None }
    }

    /// A fault inside Embudo that no input should reach.
    pub fn internal(message: impl std::fmt::Display) -> Self {
        Self::with(code::INTERNAL_ERROR, format!("Internal error: {message}"))
    }

    /// An I/O failure, with what was being done; a full disk keeps TDengine's code for it.
    pub fn io(what: impl std::fmt::Display, source: std::io::Error) -> Self {
        let code = if source.kind() == std::io::ErrorKind::StorageFull { code::OUT_OF_DISK_SPACE } else { code::INTERNAL_ERROR };
        Self::with(code, format!("{what}: {source}")).caused_by(source)
    }

    /// Stored bytes that cannot be what was written; `what` names the place as far as it is known.
    pub fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::with(code::CHECKSUM_ERROR, format!("Checksum error: {what}"))
    }

    /// The same error with its cause.
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The same error with the byte offset in the statement where it was found.
    pub fn at(mut self, position: usize) -> Self {
        self.position.get_or_insert(position);
        self
    }

    /// TDengine's code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The text without the code, as REST's `desc`.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Byte offset in the statement, where one is known.
    pub fn position(&self) -> Option<usize> {
        self.position
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}]: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code && self.message == other.message
    }
}
