"""What ``taosws`` takes for a DSN, as one of ours: its schemes, its keys, its defaults."""

from __future__ import annotations

import urllib.parse
from typing import Any

from embudo.compat.taosws.errors import ConnectionError

__all__ = ["Target", "parse"]

_PLAIN = {"", "ws", "http"}
_ENCRYPTED = {"wss", "https"}
_DRIVERS = {"taosws", "taos", "tmq"}

#: Keys that our DSNs have too; numbers and truths among them fall back to their defaults where they are none.
_KEYS = {
    "token": str,
    "bearer_token": str,
    "totp_code": str,
    "timezone": str,
    "compression": bool,
    "conn_retries": int,
    "retry_backoff_ms": int,
    "retry_backoff_max_ms": int,
    "conn_timeout": float,
    "read_timeout": float,
    "tcp_nodelay": bool,
    "conn_mode": str,
    "user_ip": str,
    "user_app": str,
    "tls_mode": str,
    "tls_ca": str,
    "tls_version": str,
}


class Target:
    """Where and as whom to connect."""

    def __init__(self) -> None:
        self.encrypted = False
        #: ``taos://`` and ``tmq://`` name no protocol; the client library would be loaded.
        self.native = False
        self.user: str | None = None
        self.password: str | None = None
        self.addresses: list[str] = []
        self.database: str | None = None
        self.parameters: dict[str, str] = {}

    def dsn(self) -> tuple[str, dict[str, str]]:
        """Our DSN and its options."""
        options = {"conn_retries": "5"} | {
            key: text for key, text in ((key, _clean(key, text)) for key, text in self.parameters.items()) if text
        }
        for key, value in (("user", self.user), ("password", self.password), ("database", self.database)):
            if value:
                options[key] = value
        scheme = "taosws+wss" if self.encrypted else "taosws"
        return f"{scheme}://{','.join(self.addresses) or 'localhost:6041'}", options

    def __str__(self) -> str:
        return f"taosws://{','.join(self.addresses) or 'localhost:6041'}"


def _clean(key: str, text: str) -> str:
    """The value of one of our keys, empty for anything else."""
    kind = _KEYS.get(key)
    if kind is None:
        return ""
    if kind is bool:
        return {"": "true", "true": "true", "1": "true", "false": "false", "0": "false"}.get(text.lower(), "")
    if kind is not str:
        try:
            kind(text)
        except ValueError:
            return ""
    return text


def parse(dsn: str) -> Target:
    """Parses ``driver[+protocol]://[user[:password]@][addr[,addr...]][/database][?k=v...]``.

    Raises:
        ConnectionError: the text is none, or names a driver that is not there.
    """
    head, colon, rest = dsn.partition("://")
    if not colon:
        raise ConnectionError(f"[0xE000] Internal error: `No `:` found in {dsn!r}`")
    target = Target()
    driver, _, protocol = head.partition("+")
    if driver in ("ws", "http"):
        driver, protocol = "taosws", "ws"
    elif driver in _ENCRYPTED:
        driver, protocol = "taosws", "wss"
    if driver not in _DRIVERS or protocol not in _PLAIN | _ENCRYPTED:
        raise ConnectionError(f"[0xE000] Internal error: `invalid driver {head}`", 0xE000)
    target.native = driver != "taosws" and not protocol
    target.encrypted = protocol in _ENCRYPTED
    before, at, after = rest.rpartition("@")
    if at:
        user, _, password = before.partition(":")
        target.user = urllib.parse.unquote(user) or None
        target.password = urllib.parse.unquote(password) or None
    after, _, query = after.partition("?")
    hosts, _, database = after.partition("/")
    if "(" in hosts and hosts.endswith(")"):
        protocol, _, hosts = hosts[:-1].partition("(")
        target.native = False
        target.encrypted |= protocol in _ENCRYPTED
    target.database = urllib.parse.unquote(database) or None
    target.addresses = [address for address in hosts.split(",") if address]
    for item in query.split("&") if query else ():
        key, _, value = item.partition("=")
        target.parameters[urllib.parse.unquote(key)] = urllib.parse.unquote(value)
    return target


def with_keywords(target: Target, keywords: dict[str, Any]) -> Target:
    """Applies the keywords of ``connect``."""
    host = port = None
    for key, value in keywords.items():
        if key in ("user", "username"):
            target.user = _text(value)
        elif key in ("pass", "password"):
            target.password = _text(value)
        elif key in ("db", "database"):
            target.database = _text(value)
        elif key in ("host", "url", "ip"):
            host = _text(value)
        elif key == "port":
            if not (isinstance(value, int) or (isinstance(value, str) and value.isdigit())):
                raise ConnectionError(f"Invalid port: {value}")
            port = int(value)
        elif key in ("ws", "websocket"):
            if isinstance(value, str):
                target.encrypted = value in _ENCRYPTED
            target.native = False
        elif key == "native":
            continue
        else:
            target.parameters[key] = _text(value)
    if host is not None or port is not None:
        address = host or "localhost"
        address = f"[{address}]" if ":" in address and not address.startswith("[") and address.count(":") > 1 else address
        target.addresses = [*target.addresses, address if port is None else f"{address}:{port}"]
    return target


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"'{type(value).__name__}' object cannot be converted to 'PyString'")
    return value
