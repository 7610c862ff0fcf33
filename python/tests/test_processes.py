"""Threads, forks, signals, limits, and what happens when a process ends."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import embudo


def _python(code: str, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def test_importing_brings_little() -> None:
    done = _python(
        """
        import sys
        before = set(sys.modules)
        import embudo
        new = {name.partition(".")[0] for name in set(sys.modules) - before}
        assert not new & {"numpy", "pandas", "logging", "threading", "sqlalchemy", "json", "datetime", "asyncio", "typing"}, new
        embudo.connect
        """
    )
    assert done.returncode == 0, done.stderr


def test_one_database_a_directory(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "data"
    with embudo.connect(place) as one, embudo.connect(str(place)) as two:
        one.execute("CREATE DATABASE d KEEP 36500")
        one.execute("CREATE TABLE d.t (ts TIMESTAMP, v INT)")
        two.execute("INSERT INTO d.t VALUES (1, 1)")
        assert one.execute("SELECT COUNT(*) FROM d.t").fetchone() == (1,)
    with embudo.connect(place) as again:
        assert again.execute("SELECT COUNT(*) FROM d.t").fetchone() == (1,)


def test_memory_is_private_or_shared_by_name() -> None:
    with embudo.connect() as private, embudo.connect() as other:
        private.execute("CREATE DATABASE mine")
        assert "mine" not in [row[0] for row in other.execute("SHOW DATABASES").fetchall()]
    with embudo.connect(":memory:shared-a") as one, embudo.connect(":memory:shared-a") as two:
        one.execute("CREATE DATABASE ours")
        assert "ours" in [row[0] for row in two.execute("SHOW DATABASES").fetchall()]


def test_a_second_process_is_told_who_holds_it(tmp_path: pathlib.Path) -> None:
    with embudo.connect(tmp_path / "data"):
        done = _python("import sys, embudo\nembudo.connect(sys.argv[1])", str(tmp_path / "data"))
        assert done.returncode == 1
        assert str(os.getpid()) in done.stderr, done.stderr


def test_wrong_dsns() -> None:
    with pytest.raises(embudo.InterfaceError, match="did you mean"):
        embudo.connect("localhost:6041")
    with pytest.raises(embudo.InterfaceError, match="unknown option 'nonsense'"):
        embudo.connect("taosrest://h", nonsense=1)
    with pytest.raises(embudo.Error):
        embudo.connect(":memory:", timezone="Mars/Olympus")
    with pytest.raises(embudo.OperationalError, match="nothing answers") as caught:
        embudo.connect("taosrest://root:secret@127.0.0.1:1").execute("SELECT 1")
    assert "secret" not in str(caught.value)


def test_threads_share_a_connection(conn: embudo.Connection) -> None:
    conn.execute("CREATE TABLE t (ts TIMESTAMP, v INT)")
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for i in range(20):
                conn.execute("INSERT INTO t VALUES (?, ?)", [number * 1000 + i, i])
                conn.execute("SELECT COUNT(*) FROM t").fetchall()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert conn.execute("SELECT COUNT(*) FROM t").fetchone() == (120,)


def _filled(conn: embudo.Connection, rows: int = 400_000) -> str:
    conn.ingest("big", {"ts": range(rows), "v": [i % 7 for i in range(rows)]})
    return "SELECT v, COUNT(*), STDDEV(v), SPREAD(v) FROM big PARTITION BY v, ts"


def test_the_lock_is_released(dsn: str, database: str) -> None:
    """While one thread waits in a call, another runs: without the call it would never get its turn."""
    interval = sys.getswitchinterval()
    with embudo.connect(dsn, database=database) as conn:
        conn.ingest("big", {"ts": range(20_000), "v": [i % 7 for i in range(20_000)]})
        ticks, inside, done = 0, threading.Event(), threading.Event()

        def call() -> None:
            # No thread is made to give up its turn any more: only what a call releases lets the other one run.
            sys.setswitchinterval(1000)
            inside.set()
            conn.execute("SELECT v, COUNT(*), STDDEV(v) FROM big GROUP BY v").fetchall()
            done.set()

        thread = threading.Thread(target=call)
        try:
            thread.start()
            inside.wait()
            while not done.is_set():
                ticks += 1
                time.sleep(0)
        finally:
            sys.setswitchinterval(interval)
        thread.join()
    assert ticks > 0


def test_timeout(local: embudo.Connection) -> None:
    sql = _filled(local)
    with pytest.raises(embudo.OperationTimeout):
        local.execute(sql, timeout=0.005).table()
    with pytest.raises(TimeoutError):
        local.execute(sql, timeout=0.005).table()
    assert local.execute("SELECT COUNT(*) FROM big", timeout=120).fetchone() == (400_000,)
    with pytest.raises(embudo.InterfaceError):
        local.execute("SELECT 1", timeout=-1)


def test_interrupt_from_another_thread(local: embudo.Connection) -> None:
    sql = _filled(local)
    ended = threading.Event()

    def interrupt() -> None:
        # Between two queries there is nothing to interrupt.
        while not ended.wait(0.05):
            local.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(embudo.OperationalError):
            for _ in range(1000):
                local.execute(sql).table()
    finally:
        ended.set()
        thread.join()


def test_ctrl_c_while_a_server_is_silent() -> None:
    code = """
        import os, signal, socket, threading
        import embudo
        silent = socket.create_server(("127.0.0.1", 0))
        taken = []

        def press():
            taken.append(silent.accept())
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=press, daemon=True).start()
        try:
            embudo.connect(f"taosrest://127.0.0.1:{silent.getsockname()[1]}").execute("SELECT 1")
        except KeyboardInterrupt:
            print("interrupted")
    """
    done = _python(code)
    assert (done.returncode, done.stdout.strip()) == (0, "interrupted"), done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork(tmp_path: pathlib.Path) -> None:
    code = """
        import os, sys
        import embudo
        conn = embudo.connect(sys.argv[1])
        conn.execute("CREATE DATABASE d KEEP 36500")
        conn.execute("CREATE TABLE d.t (ts TIMESTAMP, v INT)")
        conn.execute("INSERT INTO d.t VALUES (1, 1)")
        cursor = conn.execute("SELECT * FROM d.t")
        child = os.fork()
        if child == 0:
            for use in (lambda: conn.execute("SELECT 1"), cursor.fetchall, lambda: conn.transport):
                try:
                    use()
                except embudo.InterfaceError as error:
                    assert "before fork" in str(error), error
                else:
                    os._exit(3)
            conn.close()
            del conn, cursor
            with embudo.connect() as own:
                assert own.execute("SELECT 1").fetchall() == [(1,)]
            try:
                embudo.connect(sys.argv[1])
            except embudo.Error as error:
                assert str(os.getppid()) in str(error), error
            else:
                os._exit(4)
            sys.exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0, status
        conn.execute("INSERT INTO d.t VALUES (2, 2)")
        assert conn.execute("SELECT COUNT(*) FROM d.t").fetchone() == (2,)
    """
    done = _python(code, str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_does_not_hold_its_parents_lock(tmp_path: pathlib.Path) -> None:
    code = """
        import os, sys, time
        import embudo
        conn = embudo.connect(sys.argv[1])
        conn.execute("CREATE DATABASE d")
        if os.fork() == 0:
            os.close(1)
            os.close(2)
            time.sleep(5)
            os._exit(0)
    """
    place = str(tmp_path / "data")
    assert _python(code, place).returncode == 0
    with embudo.connect(place) as conn:  # the child sleeps on
        assert ("d",) in conn.execute("SHOW DATABASES").fetchall()


def test_exit_without_close_and_kill(tmp_path: pathlib.Path) -> None:
    code = """
        import os, signal, sys
        import embudo
        conn = embudo.connect(sys.argv[1])
        conn.execute("CREATE DATABASE IF NOT EXISTS d KEEP 36500")
        conn.execute("CREATE TABLE IF NOT EXISTS d.t (ts TIMESTAMP, v INT)")
        for i in range(int(sys.argv[2]), int(sys.argv[2]) + 100):
            conn.execute("INSERT INTO d.t VALUES (?, ?)", [i, i])
        print("acknowledged", flush=True)
        if sys.argv[3] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
    """
    place = str(tmp_path / "data")
    assert _python(code, place, "0", "exit").returncode == 0
    killed = _python(code, place, "100", "kill")
    assert killed.returncode == -signal.SIGKILL
    assert "acknowledged" in killed.stdout
    with embudo.connect(place) as conn:
        assert conn.execute("SELECT COUNT(*) FROM d.t").fetchone() == (200,)


def test_a_cursor_belongs_to_one_thread(local: embudo.Connection) -> None:
    _filled(local)
    cursor = local.execute("SELECT ts, v FROM big")
    errors: list[str] = []

    def read() -> None:
        try:
            while cursor.fetchmany(1000):
                pass
        except embudo.InterfaceError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("another thread" in error for error in errors)
