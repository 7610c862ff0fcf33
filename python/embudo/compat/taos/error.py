"""Errors of ``taos``; ``errno`` is the signed number of TDengine's C interface. They also derive from :class:`embudo.Error`."""

from __future__ import annotations

from embudo import errors as typed

__all__ = [
    "ConnectionError",
    "DataError",
    "DataTypeAndRangeError",
    "DatabaseError",
    "ErrMsg",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "LinesError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "ResultError",
    "SchemalessError",
    "StatementError",
    "TmqError",
    "Warning",
]


class ErrMsg:
    """Texts of errors of statements."""

    STMT2_NULL = "stmt2 object is null"
    STMT2_COUNT_NOTMATCH = "count is not match"


class Warning(Exception):
    """PEP 249; never raised."""


class Error(typed.Error):
    """Base of the package's errors."""

    def __init__(self, msg: str | None = None, errno: int = 0xFFFF) -> None:
        super().__init__(msg, errno)

    def __str__(self) -> str:
        return f"[0x{self.errno & 0xFFFF:04x}]: {self.msg}"


class InterfaceError(Error, typed.InterfaceError):
    """The package was used in a way it does not allow."""


class ConnectionError(Error, typed.OperationalError):
    """No connection: nothing answers, a wrong password, a database that does not exist."""


class DataTypeAndRangeError(Error, typed.DataError):
    """A bound value has the wrong type or lies out of range."""


class DatabaseError(Error, typed.DatabaseError):
    """Base of errors of the database."""


class DataError(DatabaseError, typed.DataError):
    """PEP 249."""


class OperationalError(DatabaseError, typed.OperationalError):
    """A result was asked for where there is none."""


class IntegrityError(DatabaseError, typed.IntegrityError):
    """PEP 249."""


class InternalError(DatabaseError, typed.InternalError):
    """PEP 249."""


class ProgrammingError(DatabaseError, typed.ProgrammingError):
    """A statement failed."""


class NotSupportedError(DatabaseError, typed.NotSupportedError):
    """PEP 249."""


class StatementError(DatabaseError):
    """A prepared statement was misused or failed."""


class ResultError(DatabaseError):
    """A result was used that is no longer there."""


class LinesError(DatabaseError):
    """Schemaless lines, in old versions."""


class TmqError(DatabaseError):
    """A subscription failed."""


class SchemalessError(DatabaseError):
    """Schemaless lines were refused."""

    def __init__(self, msg: str | None = None, errno: int = 0xFFFF, affected_rows: int = 0) -> None:
        super().__init__(msg, errno)
        self.affected_rows = affected_rows

    def __str__(self) -> str:
        return f"{super().__str__()}(affected rows: {self.affected_rows})"


def translated(error: typed.Error, kind: type[Error] = ProgrammingError) -> Error:
    """What the official package raises for this failure."""
    if isinstance(error, Error):
        return error
    if isinstance(error, typed.InterfaceError):
        kind = InterfaceError
    # 0x8000xxxx as the C interface's int.
    errno = error.errno if error.errno == 0xFFFF else error.errno - 0x8000_0000
    made = kind(error.msg, errno)
    made.code_name, made.position, made.hint = error.code_name, error.position, error.hint
    for note in getattr(error, "__notes__", ()):
        made.add_note(note)
    return made
