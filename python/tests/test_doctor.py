"""What `python -m embudo doctor` finds."""

from __future__ import annotations

import json
import pathlib
import socket
import subprocess
import sys

import pytest

import embudo
from embudo.doctor import examine, main


def found(dsn: str | None) -> dict[str, tuple[str, str]]:
    return {finding.check: (finding.status, finding.detail) for finding in examine(dsn)}


def test_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = found(None)
    assert embudo.__version__ in findings["versions"][1]
    assert findings["module taos"][1].startswith("ours")
    assert findings["module taosws"][1].startswith("ours")
    assert findings["libtaos"][0] in ("ok", "skipped")
    assert findings["EMBUDO_DSN"] == ("ok", "not set")
    monkeypatch.setenv("EMBUDO_DSN", "taosws://root:secret@h")
    assert found(None)["EMBUDO_DSN"] == ("ok", "taos, taosrest and taosws go to taosws://root:***@h:6041")
    monkeypatch.setenv("EMBUDO_DSN", "nonsense://x")
    assert found(None)["EMBUDO_DSN"][0] == "failed"


def test_a_server_step_by_step(server: embudo.Server) -> None:
    for dsn in (server.ws_dsn, server.rest_dsn):
        findings = found(dsn)
        for check in ("DSN", "DNS", "TCP", "HTTP", "WebSocket", "login", "clock"):
            assert findings[check][0] == "ok", (check, findings[check])
        assert findings["TLS"][0] == "skipped"
        assert "taosdata" not in findings["DSN"][1]


def test_where_it_fails(server: embudo.Server, tmp_path: pathlib.Path) -> None:
    assert found("taosws://127.0.0.1:1")["TCP"][0] == "failed"
    assert found("taosws://no-such-host.invalid")["DNS"][0] == "failed"
    assert found(f"taosws://root:wrong@{server.host}:{server.port}")["login"][0] == "failed"
    assert found(f"taosws+wss://{server.host}:{server.port}")["TLS"][0] == "failed"
    assert found("localhost:6041")["DSN"][0] == "failed"
    assert found(str(tmp_path / "missing"))["directory"][0] == "failed"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        import threading

        def rude() -> None:
            for _ in range(3):
                stream, _ = listener.accept()
                with stream:
                    stream.recv(1000)
                    stream.sendall(b"220 mail.example.com\r\n")

        thread = threading.Thread(target=rude, daemon=True)
        thread.start()
        assert found(f"taosrest://127.0.0.1:{listener.getsockname()[1]}")["HTTP"][0] == "failed"


def test_the_command(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    with embudo.connect(tmp_path / "data"):
        pass
    done = subprocess.run(
        [sys.executable, "-m", "embudo", "doctor", str(tmp_path / "data"), "--json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    findings = json.loads(done.stdout)
    assert {"check": "open", "status": "ok"}.items() <= next(finding for finding in findings if finding["check"] == "open").items()
    assert main(["taosws://127.0.0.1:1"]) == 1
    assert "failed   TCP" in capsys.readouterr().out
