"""Errors of ``taosws``: a text, ``[0x2603] Internal error: `...` ``, and here an ``errno`` too. They also derive from
:class:`embudo.Error`."""

from __future__ import annotations

from embudo import errors as typed

__all__ = [
    "AlreadyClosedError",
    "ConnectionError",
    "ConsumerException",
    "DataError",
    "DatabaseError",
    "Error",
    "FetchError",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "QueryError",
    "Warning",
]

_NO_CODE = 0xFFFF


class Warning(Exception):
    """PEP 249; never raised."""


class _Shown(typed.Error):
    """An error whose text is whole already."""

    def __init__(self, msg: str | None = None, errno: int = _NO_CODE) -> None:
        super().__init__(msg, errno)

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class InterfaceError(_Shown, typed.InterfaceError):
    """The package was used in a way it does not allow; not an :class:`Error`, as in the official package."""


class Error(_Shown):
    """Base of the package's errors."""


class ConnectionError(Error, typed.OperationalError):
    """No connection: nothing answers, a wrong password, a bad DSN, a connection that was closed."""


class AlreadyClosedError(ConnectionError):
    """A connection or cursor that was closed is used."""


class ConsumerException(Error, typed.OperationalError):
    """A consumer was misused, or a subscription failed."""


class DatabaseError(Error, typed.DatabaseError):
    """Base of errors of the database."""


class DataError(DatabaseError, typed.DataError):
    """A value has the wrong type."""


class OperationalError(DatabaseError, typed.OperationalError):
    """A cursor's statement or a schemaless call failed."""


class IntegrityError(DatabaseError, typed.IntegrityError):
    """PEP 249."""


class InternalError(DatabaseError, typed.InternalError):
    """PEP 249."""


class ProgrammingError(DatabaseError, typed.ProgrammingError):
    """A prepared statement was misused or refused."""


class NotSupportedError(DatabaseError, typed.NotSupportedError):
    """A thing of PEP 249 that is not there."""


class QueryError(DatabaseError, typed.ProgrammingError):
    """A connection's statement failed."""


class FetchError(DatabaseError, typed.OperationalError):
    """Rows could not be fetched."""


def translated(error: typed.Error, kind: type[_Shown] = QueryError) -> _Shown:
    """What the official package raises for this failure."""
    if isinstance(error, _Shown):
        return error
    code = "" if error.errno == _NO_CODE else f"[0x{error.errno & 0xFFFF:04X}] "
    made = kind(f"{code}Internal error: `{error.msg}`", error.errno)
    made.msg, made.code_name, made.position, made.hint = error.msg, error.code_name, error.position, error.hint
    for note in getattr(error, "__notes__", ()):
        made.add_note(note)
    return made
