"""Connections of ``taosrest``: a client with PEP 249's methods. No request is made to connect."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from embudo.compat.taosrest.cursor import TaosRestCursor
from embudo.compat.taosrest.errors import ConnectError, NotSupportedError
from embudo.compat.taosrest.restclient import RestClient

__all__ = ["Result", "TaosRestConnection", "connect"]


class Result:
    """A query's answer."""

    def __init__(self, resp: dict[str, Any]) -> None:
        self.status = resp.get("status")
        self.code = resp.get("code")
        self.column_meta: list[list[Any]] = resp["column_meta"]
        self.data: list[list[Any]] = resp["data"]
        self.rows: int = resp["rows"]

    @property
    def field_count(self) -> int:
        """How many columns there are."""
        return len(self.column_meta)

    @property
    def fields(self) -> list[dict[str, Any]]:
        """A dictionary ``name``, ``type``, ``bytes`` for every column."""
        return [{"name": name, "type": kind, "bytes": length} for name, kind, length in self.column_meta]

    def __iter__(self) -> Iterator[list[Any]]:
        return iter(self.data)


class TaosRestConnection:
    """What :func:`connect` gives."""

    default_configs = frozenset({"url", "token", "user", "password", "database", "timeout", "convert_timestamp", "timezone"})

    def __init__(self, **kwargs: Any) -> None:
        for name in kwargs:
            if name not in self.default_configs:
                raise ConnectError(f"Unrecognized configs: {name}")
        self._url: str = kwargs.get("url") or "http://localhost:6041"
        self._c = RestClient(
            self._url,
            token=kwargs.get("token"),
            database=kwargs.get("database"),
            user=kwargs.get("user", "root"),
            password=kwargs.get("password", "taosdata"),
            timeout=kwargs.get("timeout"),
            convert_timestamp=kwargs.get("convert_timestamp", True),
            timezone=kwargs.get("timezone"),
        )

    def close(self) -> None:
        """Does nothing: there is no session to end."""

    def commit(self) -> None:
        """Does nothing: every statement is committed when it returns."""

    def rollback(self) -> None:
        """TDengine has no transactions."""
        raise NotSupportedError()

    def cursor(self) -> TaosRestCursor:
        """A new cursor."""
        return TaosRestCursor(self._c)

    def execute(self, sql: str, req_id: int | None = None) -> int | None:
        """Runs a statement; rows it wrote or removed, or None for a query."""
        answer = self._c.sql(sql, req_id)
        return answer["data"][0][0] if answer["column_meta"][0][0] == "affected_rows" else None

    def query(self, sql: str, req_id: int | None = None) -> Result:
        """Runs a statement and gives its whole answer."""
        return Result(self._c.sql(sql, req_id))

    @property
    def server_info(self) -> str:
        """The server's version."""
        data = self._c.sql("select server_version()")["data"]
        return str(data[0][0]) if data else ""

    def __enter__(self) -> TaosRestConnection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def connect(
    *,
    url: str | None = None,
    token: str | None = None,
    user: str = "root",
    password: str = "taosdata",
    database: str | None = None,
    timeout: float | None = None,
    convert_timestamp: bool = True,
    timezone: str | datetime.tzinfo | None = None,
    **unknown: Any,
) -> TaosRestConnection:
    """Prepares a connection over REST.

    Args:
        url: of taosAdapter or ``embudo serve``, default ``http://localhost:6041``.
        token: of TDengine's cloud, in place of user and password.
        user: name, default ``root``.
        password: of the user, default ``taosdata``.
        database: that names without one refer to.
        timeout: seconds for a request; None waits.
        convert_timestamp: timestamps as datetimes; else RFC 3339 text.
        timezone: see :class:`RestClient`.
        **unknown: any other keyword is an error.
    """
    return TaosRestConnection(
        url=url,
        token=token,
        user=user,
        password=password,
        database=database,
        timeout=timeout,
        convert_timestamp=convert_timestamp,
        timezone=timezone,
        **unknown,
    )
