"""Where consumers connect to: the keys of their configuration that say so, or ``EMBUDO_DSN``."""

from __future__ import annotations

from embudo import _embudo
from embudo.redirect import redirection

#: REST has no subscriptions; a server that has REST has WebSocket at the same address.
_WEBSOCKET = {"taosrest": "taosws", "http": "taosws", "taosrest+https": "taosws+wss", "https": "taosws+wss"}


def open_session(
    what: str, configuration: dict[str, str], dsn: str | None = None, options: dict[str, str] | None = None
) -> _embudo.Session:
    """A session for a consumer: to where ``EMBUDO_DSN`` leads, else to ``dsn``, else as the keys ``td.connect...`` say."""
    host = configuration.get("td.connect.ip") or "localhost"
    redirected = redirection(f"{what}(host={host!r})")
    options = dict(options or {})
    if redirected is not None:
        scheme, _, rest = redirected.partition("://")
        options = {"timezone": options["timezone"]} if "timezone" in options else {}
        return _embudo.connect(f"{_WEBSOCKET[scheme]}://{rest}" if scheme in _WEBSOCKET else redirected, options, "tmq")
    if dsn is None:
        port = configuration.get("td.connect.port") or "6041"
        name, _, given = (host, "", "") if host.count(":") > 1 else host.partition(":")
        # The port of TDengine's native protocol stands for that of its HTTP interface.
        port = given or port
        dsn = f"taos://{f'[{name}]' if ':' in name else name}:{6041 if port == '6030' else port}"
        token = configuration.get("td.connect.token")
        if token:
            options["bearer_token"] = token
        options["user"] = configuration.get("td.connect.user") or "root"
        options["password"] = configuration.get("td.connect.pass") or "taosdata"
    return _embudo.connect(dsn, options, "tmq")
