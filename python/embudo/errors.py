"""Errors of PEP 249, chosen from TDengine's codes. Every other part of the packages raises these or classes that derive from them."""

from __future__ import annotations

__all__ = [
    "DataError",
    "DatabaseError",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationTimeout",
    "OperationalError",
    "ProgrammingError",
    "Warning",
]


class Warning(Exception):
    """Something worth knowing that is no error (PEP 249); never raised by this package."""


class Error(Exception):
    """Any failure of this package.

    Attributes:
        msg: the text without the code, as TDengine's clients show it.
        errno: TDengine's code, such as ``0x2603``; ``0xFFFF`` where there is none.
        code_name: the code's name, such as ``TABLE_DOES_NOT_EXIST``.
        position: character offset in the statement where the fault was found, or None.
        http_status: status of the HTTP answer that carried no result, or None.
        hint: what may help, or None; also one of the exception's notes.
    """

    def __init__(
        self,
        msg: str | None = None,
        errno: int = 0xFFFF,
        *,
        code_name: str | None = None,
        position: int | None = None,
        http_status: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(msg)
        self.msg = msg or ""
        self.errno = errno
        self.code_name = code_name
        self.position = position
        self.http_status = http_status
        self.hint = hint
        if hint:
            self.add_note(hint)

    def __str__(self) -> str:
        return self.msg if self.errno == 0xFFFF else f"[0x{self.errno & 0xFFFF:04X}]: {self.msg}"

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self.msg, dict(self.__dict__))


def _restore(cls: type[Error], msg: str, state: dict[str, object]) -> Error:
    error = cls.__new__(cls, msg)
    error.args = (msg,)
    error.__dict__.update(state)
    return error


class InterfaceError(Error):
    """The package was used in a way it does not allow: a closed connection, an unknown option."""


class DatabaseError(Error):
    """The database refused or failed."""


class DataError(DatabaseError):
    """A value does not fit: out of range, too long, of the wrong type."""


class OperationalError(DatabaseError):
    """What went wrong is not the statement: a connection, a disk, a limit, an interruption."""


class OperationTimeout(OperationalError, TimeoutError):  # type: ignore[misc] # both have errno
    """A statement was not done within its time limit."""


class IntegrityError(DatabaseError):
    """Stored data are not what was written."""


class InternalError(DatabaseError):
    """A fault inside Embudo or the server."""


class ProgrammingError(DatabaseError):
    """The statement is wrong: its syntax, a table that does not exist, a wrong count of parameters."""


class NotSupportedError(DatabaseError):
    """A thing that this database or this transport does not have."""


_BY_NAME: dict[str, type[Error]] = {
    "OPERATION_NOT_SUPPORTED": NotSupportedError,
    "INTERNAL_ERROR": InternalError,
    "INVALID_CONFIG_OPTION": InterfaceError,
    "INVALID_OPTION": InterfaceError,
    "CONN_READ_TIMEOUT": OperationTimeout,
    "OPERATION_TIMEOUT": OperationTimeout,
    "CHECKSUM_ERROR": IntegrityError,
    "QUERY_TERMINATED": OperationalError,
    "QUERY_KILLED": OperationalError,
    "INVALID_CONNECTION": OperationalError,
    "DISCONNECTED_FROM_SERVICE": OperationalError,
    "CONNECTION_KILLED": OperationalError,
    "AUTHENTICATION_FAILURE": OperationalError,
    "USER_IS_DISABLED": OperationalError,
    "INVALID_VALUE_TYPE": DataError,
    "INVALID_TIMESTAMP_FORMAT": DataError,
    "TSDB_INVALID_TAG_VALUE": DataError,
    "INVALID_PARAMETERS": ProgrammingError,
    "TABLE_NOT_EXISTS": ProgrammingError,
    "TABLE_ALREADY_EXISTS": ProgrammingError,
}

# What may help, where the text alone leaves a reader at a loss.
_HINTS: dict[str, str] = {
    "DATABASE_NOT_SPECIFIED": "name the database in the DSN or with database=, run USE, or write database.table",
    "DATABASE_NOT_EXIST": "SHOW DATABASES lists what there is; CREATE DATABASE IF NOT EXISTS makes one",
    "AUTHENTICATION_FAILURE": "user and password belong into the DSN or the keywords user= and password=; the default is root/taosdata",
    "TABLE_DOES_NOT_EXIST": "SHOW TABLES and SHOW STABLES list what there is; names are lower case unless quoted by backticks",
    "FAIL_TO_GET_TABLE_INFO_ERROR": "SHOW TABLES and SHOW STABLES list what there is; names are lower case unless quoted by backticks",
    "INVALID_COLUMN_NAME": "DESCRIBE lists the columns; names are lower case unless quoted by backticks, texts stand in single quotes",
    "FUNC_NOT_EXISTS": "the documentation lists the functions that there are, by family",
    "VALUE_TOO_LONG_FOR_COLUMN_TAG": "ALTER TABLE ... MODIFY COLUMN lengthens a column; ingest() does it too, or cuts with truncate=True",
    "TIMESTAMP_DATA_OUT_OF_RANGE": "rows older than the database's KEEP are refused; integers are ticks in the database's PRECISION",
}


def point(error: Error, sql: str) -> None:
    """Adds a note that shows where in the statement the fault was found, where that is known."""
    if error.position is None or error.position > len(sql):
        return
    start = sql.rfind("\n", 0, error.position) + 1
    end = sql.find("\n", error.position)
    line = sql[start : len(sql) if end < 0 else end]
    at = error.position - start
    if len(line) > 100:
        cut = max(0, at - 50)
        line, at = line[cut : cut + 100], at - cut
    error.add_note(f"  {line}\n  {' ' * at}^")


def _class_of(code: int, name: str) -> type[Error]:
    known = _BY_NAME.get(name)
    if known is not None:
        return known
    if "OUT_OF_RANGE" in name or "VALUE_TOO_LONG" in name:
        return DataError
    family = code >> 8
    if family in (0x02, 0x03, 0x26, 0x28) or name.startswith(("TABLE_", "STABLE_")):
        return ProgrammingError
    return OperationalError


def exception(code: int, name: str, message: str, *, position: int | None = None, status: int | None = None, system: bool = False) -> Error:
    """The exception of a TDengine code; the extension calls this for every failure. ``system`` tells one of files or sockets."""
    # Codes that stand twice in TDengine's table end in their number.
    plain = name.removesuffix(f"_{code:04X}")
    kind = OperationalError if system and plain == "INTERNAL_ERROR" else _class_of(code, plain)
    return kind(message, code, code_name=plain, position=position, http_status=status, hint=_HINTS.get(plain))
