"""Errors of ``taosrest``. Every SQL error is a ConnectError with the server's code, as in the official package; all but
HTTPError also derive from :class:`embudo.Error`."""

from __future__ import annotations

import sys
from typing import Any

from embudo import errors as typed

__all__ = [
    "ConnectError",
    "DataError",
    "DatabaseError",
    "Error",
    "ExecutionError",
    "HTTPError",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
]

#: What the official package says of an HTTP status.
HTTP_TEXTS = {
    400: "parameter error",
    401: "authorization error",
    404: "api not found",
    500: "internal error",
    503: "system resources is not sufficient. It is may be caused by a huge query.",
}


class HTTPError(Exception):
    """An answer whose HTTP status is 400 or above."""

    def __init__(self, status_code: int, msg: str | None = None) -> None:
        super().__init__(status_code, msg)
        self.status_code = status_code
        self.msg = msg

    def __str__(self) -> str:
        return f"HTTP response code {self.status_code}.{self.msg}"


class Error(typed.Error):
    """Base of the package's errors."""

    def __init__(self, msg: str | None = None, errno: int = 0xFFFF, status: str = "") -> None:
        super().__init__(msg, errno)
        self.status = status

    def __str__(self) -> str:
        return f"[{self.status}]: {self.msg}" if self.status else f"[0x{self.errno & 0xFFFF:04x}]: {self.msg}"


class ExecutionError(Error):
    """A statement failed (never raised; here for those who catch it)."""


class ConnectError(Error, typed.DatabaseError):
    """The server refused a statement, or could not be reached."""


class InterfaceError(Error, typed.InterfaceError):
    """The package was used in a way it does not allow."""


class DatabaseError(Error, typed.DatabaseError):
    """Base of errors of the database."""


class InternalError(DatabaseError, typed.InternalError):
    """PEP 249."""


class OperationalError(DatabaseError, typed.OperationalError):
    """A result was asked for where there is none."""


class ProgrammingError(DatabaseError, typed.ProgrammingError):
    """PEP 249."""


class IntegrityError(DatabaseError, typed.IntegrityError):
    """PEP 249."""


class DataError(DatabaseError, typed.DataError):
    """PEP 249."""


class NotSupportedError(DatabaseError, typed.NotSupportedError):
    """A thing of PEP 249 that REST has not."""


def translated(error: typed.Error) -> Exception:
    """What the official package raises for this failure."""
    if isinstance(error, Error):
        return error
    if error.http_status is not None and error.http_status >= 400:
        return HTTPError(error.http_status, HTTP_TEXTS.get(error.http_status, "unknown error"))
    kind: type[Error] = InterfaceError if isinstance(error, typed.InterfaceError) else ConnectError
    if isinstance(error, typed.OperationTimeout):
        kind = _also("Timeout")
    elif error.code_name in ("UNABLE_TO_ESTABLISH_CONNECTION", "UNABLE_TO_RESOLVE_FQDN", "CONN_IS_BROKEN"):
        kind = _also("ConnectionError")
    made = kind(error.msg, error.errno)
    made.code_name, made.position, made.hint = error.code_name, error.position, error.hint
    for note in getattr(error, "__notes__", ()):
        made.add_note(note)
    return made


_with_requests: dict[str, type[Error]] = {}


def _also(name: str) -> type[Error]:
    """ConnectError that programs also catch as ``requests.exceptions.<name>``, if they use ``requests``."""
    requests: Any = sys.modules.get("requests")
    if requests is None:
        return ConnectError
    if name not in _with_requests:
        _with_requests[name] = type("ConnectError", (ConnectError, getattr(requests.exceptions, name)), {"__module__": __name__})
    return _with_requests[name]
