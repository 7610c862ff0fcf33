"""``python -m embudo doctor [DSN]``: what is installed, who owns ``taos``, and where a connection fails, step by step.

Every check gives a line with what was found and, where something is wrong, what helps. ``--json`` gives the same to programs. The exit
code is 1 if a check failed.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from embudo import ownership
from embudo.ownership import OFFICIAL, owner, repair, requirers

__all__ = ["Finding", "examine", "main"]

Status = Literal["ok", "warning", "failed", "skipped"]

_OPTIONAL = ("numpy", "pandas", "polars", "pyarrow", "sqlalchemy", "adbc-driver-manager", "pytest", "matplotlib", "tzdata")
_PATIENCE = 5.0
#: Seconds by which clocks may differ before it matters.
_CLOCK = 2.0

_LOAD = """
import ctypes, ctypes.util, sys
name = sys.argv[1] or ctypes.util.find_library("taos") or {"darwin": "libtaos.dylib", "win32": "taos.dll"}.get(sys.platform, "libtaos.so")
library = ctypes.CDLL(name)
library.taos_get_client_info.restype = ctypes.c_char_p
print(name, library.taos_get_client_info().decode())
"""


class Finding(NamedTuple):
    """What one check found."""

    check: str
    status: Status
    detail: str
    advice: str | None = None


def examine(dsn: str | None = None) -> list[Finding]:
    """All checks; those of a connection only with a DSN."""
    findings = [_versions(), _packages()]
    findings += [_owner(module) for module in OFFICIAL]
    findings += [_dialects(), _libtaos(), _redirection()]
    if dsn is not None:
        findings += _connection(dsn)
    return findings


def _versions() -> Finding:
    from embudo import __version__

    python = f"Python {sys.version.split()[0]} on {sys.platform}"
    return Finding("versions", "ok", f"embudo {__version__}, {python}, {sys.executable}")


def _packages() -> Finding:
    found = [f"{name} {version}" for name in _OPTIONAL if (version := ownership.version(name)) is not None]
    return Finding("packages", "ok", ", ".join(found) or "none of the optional ones")


def _owner(module: str) -> Finding:
    """Whether the package that an import gives is ours."""
    check, official = f"module {module}", OFFICIAL[module]
    kind, place = owner(module)
    version = ownership.version(official)
    theirs = f"{official} {version}" if version is not None else official
    if kind == "missing":
        return Finding(check, "failed", "there is no such module: uninstalling an official package takes shared files away", repair())
    if kind == "ours":
        if version is None:
            return Finding(check, "ok", f"ours, {place}")
        needed = requirers(official)
        if needed:
            return Finding(check, "ok", f"ours, {place}; {theirs} stays installed since {', '.join(needed)} requires it")
        advice = f"uninstalling or upgrading {official} would take shared files away; to settle it: {repair()}"
        return Finding(check, "warning", f"ours, {place}; {theirs} is installed too", advice)
    if kind == "official":
        return Finding(check, "warning", f"that of {theirs}, {place}", f"to have this package's: {repair()}")
    if kind == "mixed":
        return Finding(check, "failed", f"some of our files are changed or missing: {place}", repair())
    advice = "a file or folder of your own of this name comes first on the path"
    return Finding(check, "warning", f"neither ours nor of {official}: {place}", advice)


def _dialects() -> Finding:
    """Whom SQLAlchemy asks for our dialects."""
    found: dict[str, list[str]] = {}
    others = False
    for entry in importlib.metadata.entry_points(group="sqlalchemy.dialects"):
        if entry.name.split(".")[0] in ("embudo", "taos", "taosrest", "taosws"):
            distribution = entry.dist.name if entry.dist is not None else "?"
            found.setdefault(entry.name, []).append(distribution)
            # An entry of theirs that leads to a file of ours gives our dialect.
            module = entry.module.partition(".")[0]
            others |= distribution != "embudo" and (module not in OFFICIAL or owner(module).kind != "ours")
    if not found:
        advice = "the package is not installed, only on the path: pip install it"
        return Finding("SQLAlchemy dialects", "warning", "none are registered", advice)
    detail = ", ".join(f"{name}: {' and '.join(owners)}" for name, owners in sorted(found.items()))
    if others:
        return Finding("SQLAlchemy dialects", "warning", detail, f"SQLAlchemy takes the first that it finds; to have only ours: {repair()}")
    return Finding("SQLAlchemy dialects", "ok", detail)


def _libtaos() -> Finding:
    """Whether a client library loads, tried in another process: it may end the one that loads it."""
    tried = subprocess.run([sys.executable, "-c", _LOAD, ""], capture_output=True, text=True, timeout=30, check=False)
    if tried.returncode == 0:
        name, _, version = tried.stdout.strip().partition(" ")
        return Finding("libtaos", "ok", f"{name}, version {version}")
    reason = (tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"])[-1]
    return Finding("libtaos", "skipped", f"not found: {reason}", "it is not needed: without it taos.connect() goes over WebSocket")


def _redirection() -> Finding:
    dsn = os.environ.get("EMBUDO_DSN")
    if not dsn:
        return Finding("EMBUDO_DSN", "ok", "not set")
    from embudo import _embudo, errors

    try:
        return Finding("EMBUDO_DSN", "ok", f"taos, taosrest and taosws go to {_embudo.masked(dsn)}")
    except errors.Error as error:
        return Finding("EMBUDO_DSN", "failed", str(error), "it is a DSN, a directory or :memory:")


def _connection(dsn: str) -> list[Finding]:
    from embudo import _embudo, errors
    from embudo.connection import resolved

    try:
        text, options = resolved(dsn, {})
        said = _embudo.described(text, options)
    except errors.Error as error:
        return [Finding("DSN", "failed", str(error))]
    findings = [Finding("DSN", "ok", f"{said['dsn']}, transport {said['transport']}")]
    for host, port in said["hosts"]:
        for step in (_resolve, _reach, _encrypt, _ask, _upgrade):
            finding = step(host, port, said)
            findings.append(finding)
            if finding.status == "failed":
                break
    return findings + _login(text, options, said)


def _resolve(host: str, port: int, said: dict[str, Any]) -> Finding:
    try:
        addresses = sorted({str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    except OSError as error:
        return Finding("DNS", "failed", f"{host}: {error}", "the name is wrong, or this machine's resolver or /etc/hosts does not know it")
    return Finding("DNS", "ok", f"{host} is {', '.join(addresses)}")


def _reach(host: str, port: int, said: dict[str, Any]) -> Finding:
    started = time.perf_counter()
    try:
        socket.create_connection((host, port), _PATIENCE).close()
    except OSError as error:
        advice = f"start `embudo serve` or taosadapter there, open port {port} in firewalls, publish it from containers"
        if port == 6030:
            advice = "6030 is the port of TDengine's own protocol; REST and WebSocket are on 6041"
        return Finding("TCP", "failed", f"{host}:{port}: {error}", advice)
    return Finding("TCP", "ok", f"{host}:{port} in {(time.perf_counter() - started) * 1e3:.1f} ms")


def _stream(host: str, port: int, said: dict[str, Any]) -> socket.socket:
    stream = socket.create_connection((host, port), _PATIENCE)
    return _trust(said).wrap_socket(stream, server_hostname=host) if said["tls"] else stream


def _trust(said: dict[str, Any]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=said["tls_ca"])


def _encrypt(host: str, port: int, said: dict[str, Any]) -> Finding:
    if not said["tls"]:
        return Finding("TLS", "skipped", "the DSN does not ask for it")
    try:
        with socket.create_connection((host, port), _PATIENCE) as stream, _trust(said).wrap_socket(stream, server_hostname=host) as secured:
            until = str((secured.getpeercert() or {}).get("notAfter", "?"))
            return Finding("TLS", "ok", f"{secured.version()}, the certificate is valid until {until}")
    except ssl.SSLCertVerificationError as error:
        return Finding("TLS", "failed", f"{error.verify_message}", "name the authority that signed it with tls_ca=FILE in the DSN")
    except OSError as error:
        return Finding("TLS", "failed", str(error), "the server may not speak TLS on this port: try the DSN without +https or +wss")


def _exchange(host: str, port: int, said: dict[str, Any], request: str) -> str:
    """The first line of the answer to a request."""
    with _stream(host, port, said) as stream:
        stream.settimeout(_PATIENCE)
        stream.sendall(request.encode())
        return stream.recv(4096).decode("latin-1").split("\r\n")[0]


def _ask(host: str, port: int, said: dict[str, Any]) -> Finding:
    try:
        answer = _exchange(host, port, said, f"GET /-/ping HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n")
    except OSError as error:
        return Finding("HTTP", "failed", str(error), "what listens there does not answer HTTP; it should be taosadapter or `embudo serve`")
    if answer.startswith("HTTP/"):
        return Finding("HTTP", "ok", answer)
    return Finding("HTTP", "failed", f"the answer begins with {answer[:40]!r}", "what listens there does not speak HTTP")


def _upgrade(host: str, port: int, said: dict[str, Any]) -> Finding:
    request = (
        f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ZW1idWRvIGRvY3RvciAhIQ==\r\n\r\n"
    )
    needed = said["transport"] != "rest"
    try:
        answer = _exchange(host, port, said, request)
    except OSError as error:
        return Finding("WebSocket", "failed" if needed else "warning", str(error), "a proxy between may refuse it: try taosrest://")
    if " 101 " in f"{answer} ":
        return Finding("WebSocket", "ok", answer)
    return Finding("WebSocket", "failed" if needed else "warning", answer, "a proxy between may not pass upgrades on: try taosrest://")


def _login(dsn: str, options: dict[str, str], said: dict[str, Any]) -> list[Finding]:
    from embudo import _embudo, errors

    embedded = said["transport"] == "embedded"
    directory = said["directory"]
    if embedded and directory is not None and not pathlib.Path(directory).exists():
        return [Finding("directory", "failed", f"{directory} does not exist", "connecting makes it; this check does not")]
    check = "open" if embedded else "login"
    started = time.perf_counter()
    try:
        session = _embudo.connect(dsn, {"connect_timeout": str(_PATIENCE), **options} if not embedded else options, "doctor")
        version = session.server_version()
    except errors.Error as error:
        return [Finding(check, "failed", str(error), error.hint)]
    findings = [Finding(check, "ok", f"version {version} in {(time.perf_counter() - started) * 1e3:.1f} ms")]
    if not embedded:
        findings += [_clock(session), _zone(session)]
    session.close()
    return findings


def _clock(session: Any) -> Finding:
    before = time.time()
    instant = session.run("SELECT NOW()").rows()[0][0]
    after = time.time()
    ahead = instant.timestamp() - (before + after) / 2
    detail = f"the server's is {abs(ahead):.3f} s {'ahead' if ahead > 0 else 'behind'}"
    if abs(ahead) > _CLOCK + (after - before):
        return Finding("clock", "warning", detail, "NOW() and KEEP go by the server's clock: set both by NTP")
    return Finding("clock", "ok", detail)


def _zone(session: Any) -> Finding:
    server = str(session.run("SELECT TIMEZONE()").rows()[0][0])
    import datetime

    local = datetime.datetime.now().astimezone()
    detail = f"the session's is {session.zone}, the server says {server}, this process is at {local:%Z (%z)}"
    offset = local.strftime("%z")
    if offset not in server and session.zone not in server:
        return Finding("time zone", "warning", detail, "give timezone= in the DSN, so that both read times without a zone alike")
    return Finding("time zone", "ok", detail)


def main(arguments: Sequence[str]) -> int:
    """Runs the command with its arguments and gives its exit code."""
    import argparse

    parser = argparse.ArgumentParser(prog="embudo doctor", description="Says what is installed and where a connection fails.")
    parser.add_argument("dsn", nargs="?", help="a DSN, a directory or @NAME to try")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    findings = examine(given.dsn)
    write: Callable[[str], object] = print
    if given.json:
        write(json.dumps([finding._asdict() for finding in findings], indent=2))
    else:
        for finding in findings:
            write(f"{finding.status:8} {finding.check}: {finding.detail}")
            if finding.advice is not None:
                write(f"         -> {finding.advice}")
    return 1 if any(finding.status == "failed" for finding in findings) else 0
