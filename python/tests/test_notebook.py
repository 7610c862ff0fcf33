"""Notebook magics, plots and the progress bar."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import embudo
from embudo.progress import Bar

DAY = "2024-01-01 00:00:"


@pytest.fixture
def shell() -> Any:
    """A notebook's shell with the extension."""
    ipython = pytest.importorskip("IPython.testing.globalipapp")
    shell = ipython.start_ipython() or ipython.get_ipython()
    shell.run_line_magic("load_ext", "embudo")
    shell.run_line_magic("taos", ":memory:notebook-test")
    return shell


def test_magics(shell: Any) -> None:
    shell.run_line_magic("taos", "CREATE DATABASE IF NOT EXISTS d KEEP 36500")
    shell.run_line_magic("taos", "CREATE TABLE IF NOT EXISTS d.t (ts TIMESTAMP, v INT, s VARCHAR(20))")
    with embudo.connect(":memory:notebook-test") as conn:
        conn.executemany("INSERT INTO d.t VALUES (?, ?, ?)", [(i, i, "<b>") for i in range(120)])
    shell.user_ns["most"] = 100
    view = shell.run_cell_magic("taos", "--var kept", "SELECT * FROM d.t WHERE v < :most ORDER BY ts;")
    assert shell.user_ns["kept"] is view
    assert len(view) == 100
    html = view._repr_html_()
    assert html.count("<tr>") == 51
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert "100 rows, the first 50 shown" in html
    assert "100 rows, the first 50 shown" in repr(view)
    assert (view.columns, len(view.rows()), len(view.df()), view.pl().height, view.arrow().num_rows) == (
        ["ts", "v", "s"],
        100,
        100,
        100,
        100,
    )
    assert "rows affected" in shell.run_line_magic("taos", "INSERT INTO d.t VALUES (1000, 1, NULL)")
    null = shell.run_line_magic("taos", "SELECT s FROM d.t WHERE ts = 1000")
    assert "<i>NULL</i>" in null._repr_html_()
    assert "NULL" in repr(null)
    with pytest.raises(embudo.InterfaceError, match=":missing"):
        shell.run_cell_magic("taos", "", "SELECT :missing")
    with pytest.raises(embudo.InterfaceError, match="--var"):
        shell.run_cell_magic("taos", "--var", "SELECT 1")


def test_plots(local: embudo.Connection) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    local.ingest("m", {"ts": [1, 2, 3, 4], "v": [1.0, 2.0, 3.0, 4.0], "n": [1, None, 3, 4], "s": ["a", "a", "b", "b"]})
    axes = embudo.plot(local.execute("SELECT ts, v, n FROM m ORDER BY ts"))
    assert [line.get_label() for line in axes.get_lines()] == ["v", "n"]
    assert axes.get_xlabel() == "ts"
    axes = embudo.plot(local.execute("SELECT ts, s, v FROM m ORDER BY ts").table(), y="v")
    assert [line.get_label() for line in axes.get_lines()] == ["v a", "v b"]
    with pytest.raises(embudo.InterfaceError, match="no column w"):
        embudo.plot(local.execute("SELECT ts, v FROM m"), y="w")
    with pytest.raises(embudo.InterfaceError, match="numbers"):
        embudo.plot(local.execute("SELECT ts, s FROM m"))


def test_the_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], local: embudo.Connection) -> None:
    silent = Bar("t")
    silent(1, 2)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    local.ingest("p", {"ts": range(10), "v": 1}, progress=True)
    shown = capsys.readouterr().err
    assert shown.startswith("\rp [")
    assert "100% 10/10" in shown
    assert shown.endswith("\n")


def test_tables_tell_what_they_are(local: embudo.Connection) -> None:
    table = local.execute("SELECT 1 AS one, 'x' AS two").table()
    assert repr(table) == "<embudo.Table 1 rows: one BIGINT, two VARCHAR>"
    assert table.head(0).rows() == []
