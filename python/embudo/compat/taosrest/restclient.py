"""The raw client: one statement in, one dictionary out."""

from __future__ import annotations

import datetime
from typing import Any

from embudo import _embudo
from embudo import errors as typed
from embudo.compat.taosrest.errors import HTTP_TEXTS, translated
from embudo.redirect import redirection

__all__ = ["RestClient", "error_msgs"]

#: Texts of HTTP statuses, by status.
error_msgs = HTTP_TEXTS

_TIMESTAMP = 9
_DECIMALS = (17, 21)


class RestClient:
    """Sends statements to ``/rest/sql``.

    Args:
        url: of taosAdapter or ``embudo serve``; without a scheme ``http://``.
        token: of TDengine's cloud, in place of user and password.
        database: that names without one refer to.
        user: name.
        password: of the user.
        timeout: seconds for a request; None waits.
        convert_timestamp: timestamps as datetimes; else RFC 3339 text.
        timezone: None gives naive local datetimes; a zone's name or a tzinfo gives aware ones in it; ``"local"`` gives aware
            ones with the fixed offset of this machine's zone.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        database: str | None = None,
        user: str = "root",
        password: str = "taosdata",
        timeout: float | None = None,
        convert_timestamp: bool = True,
        timezone: str | datetime.tzinfo | None = None,
    ) -> None:
        self._url = _with_scheme(url)
        self._options: dict[str, str] = {}
        if database:
            self._options["database"] = database
        if timeout is not None:
            self._options["timeout"] = str(timeout)
        scheme, _, rest = self._url.partition("://")
        dsn = redirection(self._url)
        if dsn is None:
            dsn = f"{'taosrest+https' if scheme == 'https' else 'taosrest'}://{rest}"
            if token:
                self._options["token"] = token
            else:
                self._options |= {"user": user, "password": password}
        self._dsn = dsn
        self._tzinfo: datetime.tzinfo | None = None
        self._style = self._style_for(convert_timestamp, timezone)
        self._shown = convert_timestamp, timezone
        try:
            self._session = _embudo.connect(self._dsn, self._options, "taosrest")
        except typed.Error as error:
            raise translated(error) from error

    def give_tuples(self) -> None:
        """Makes rows tuples from now on, unless their instants are still to be moved."""
        if self._tzinfo is None:
            self._style = self._style_for(*self._shown, lists=False)

    def _style_for(self, convert: bool, timezone: str | datetime.tzinfo | None, lists: bool = True) -> _embudo.RowStyle:
        instants, zone = "naive", None
        if not convert:
            instants, zone = "text", "UTC"
        elif timezone == "local":
            instants, zone = "offset", "local"
        elif isinstance(timezone, str):
            instants, zone = "aware", _known_zone(timezone)
        elif isinstance(timezone, datetime.tzinfo):
            instants, zone, self._tzinfo = "aware", "UTC", timezone
        elif timezone is not None:
            raise TypeError("timezone argument must be an instance of str or tzinfo")
        return _embudo.RowStyle(
            instants=instants,
            zone=zone,
            nanosecond_ticks=False,
            hex=True,
            decimal_text=True,
            shortest=True,
            lists=lists,
        )

    def sql(self, q: str, req_id: int | None = None) -> dict[str, Any]:
        """Runs a statement.

        Returns:
            ``code`` (0), ``column_meta`` (a list ``[name, type name, bytes]`` for every column), ``data`` (a list of lists)
            and ``rows`` as TDengine 3 gives them, and ``status`` (``"succ"``) and ``head`` (the column names) as version 2 did.

        Raises:
            ConnectError: the server refused the statement; ``errno`` is its code.
            HTTPError: the HTTP status is 400 or above.
        """
        return self._answer(q, None, req_id)

    def _answer(self, sql: str, parameters: Any, req_id: int | None) -> dict[str, Any]:
        """As :meth:`sql`, with values for ``?``."""
        if isinstance(sql, bytes):
            sql = sql.decode()
        try:
            result = self._session_for(sql).run(sql, parameters, None, req_id or None)
            if result.affected is not None:
                meta: list[list[Any]] = [["affected_rows", "INT", 4]]
                data: list[list[Any]] = [[result.affected]]
            else:
                fields = result.fields
                meta = [[field[0], _type_name(field), field[3]] for field in fields]
                data = result.rows(None, self._style)
                self._move(data, [place for place, field in enumerate(fields) if field[1] == _TIMESTAMP])
        except typed.Error as error:
            raise translated(error) from error
        return {
            "status": "succ",
            "head": [column[0] for column in meta],
            "code": 0,
            "column_meta": meta,
            "data": data,
            "rows": len(data),
        }

    def _session_for(self, sql: str) -> _embudo.Session:
        """REST has no session: USE holds for its own request only."""
        if sql.lstrip()[:3].lower() == "use":
            return _embudo.connect(self._dsn, self._options, "taosrest")
        return self._session

    def _move(self, rows: list[list[Any]], places: list[int]) -> None:
        """Shows instants in a tzinfo that only Python knows."""
        if self._tzinfo is None or not places:
            return
        normalize = getattr(self._tzinfo, "normalize", None)  # pytz
        for row in rows:
            for place in places:
                if row[place] is not None:
                    moved = row[place].astimezone(self._tzinfo)
                    row[place] = normalize(moved) if normalize else moved


def _with_scheme(url: str) -> str:
    url = url.strip("/")
    return url if url.startswith(("http://", "https://")) else f"http://{url}"


def _known_zone(name: str) -> str:
    """The zone's name; pytz's error for one that nobody knows, if the program uses pytz."""
    import sys
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name).key
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        pytz: Any = sys.modules.get("pytz")
        unknown = KeyError if pytz is None else pytz.UnknownTimeZoneError
        raise unknown(name) from error


def _type_name(field: tuple[str, int, str, int, int, int]) -> str:
    _, code, name, _, precision, scale = field
    return f"DECIMAL({precision},{scale})" if code in _DECIMALS else name
