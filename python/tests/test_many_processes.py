"""Programs of several processes: every way to start them, servers that fork their workers, and ends without goodbye."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import pytest

import embudo

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def _program(folder: pathlib.Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a program from a file, as `multiprocessing` needs it; the time is that of a machine that does a lot besides."""
    file = folder / "program.py"
    file.write_text(textwrap.dedent(code))
    return subprocess.run([sys.executable, str(file), *arguments], capture_output=True, text=True, timeout=300, check=False)


def _drop_topic(root: embudo.Connection, topic: str, group: str) -> None:
    """Once the server has seen that the consumer's connection is gone."""
    deadline = time.monotonic() + 120
    while True:
        try:
            root.execute(f"DROP CONSUMER GROUP IF EXISTS {group} ON {topic}")
        except embudo.Error as error:
            if "used by some consumer" in str(error) and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            if "not exist" not in str(error):
                raise
        break
    root.execute(f"DROP TOPIC IF EXISTS {topic}")


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"] if hasattr(os, "fork") else ["spawn"])
def test_multiprocessing(server: embudo.Server, database: str, tmp_path: pathlib.Path, method: str) -> None:
    """Workers connect for themselves, whatever the parent had open when they began."""
    code = """
        import multiprocessing, sys
        import embudo

        def work(job):
            dsn, database, number = job
            with embudo.connect(dsn) as conn:
                if database:
                    conn.execute(f"INSERT INTO {database}.jobs VALUES (?, ?)", [number + 1, number])
                return conn.execute("SELECT 2 * ?", [number]).fetchone()[0]

        if __name__ == "__main__":
            method, database, *servers = sys.argv[1:]
            held = [embudo.connect(dsn) for dsn in (":memory:", *servers)]
            for conn in held:
                conn.execute("SELECT 1").fetchall()
            unread = held[0].execute("SELECT 1")
            jobs = [(dsn, database if dsn in servers else "", at) for at, dsn in enumerate([":memory:", *servers] * 3)]
            with multiprocessing.get_context(method).Pool(3) as pool:
                assert pool.map(work, jobs, chunksize=1) == [2 * job[2] for job in jobs]
            # The parent's are as they were.
            assert unread.fetchall() == [(1,)]
            assert [conn.execute("SELECT 1").fetchall() for conn in held] == [[(1,)]] * len(held)
            assert held[1].execute(f"SELECT COUNT(*) FROM {database}.jobs").fetchone() == (6,)
    """
    with embudo.connect(server.dsn) as conn:
        conn.execute(f"CREATE TABLE {database}.jobs (ts TIMESTAMP, v INT)")
    done = _program(tmp_path, code, method, database, server.ws_dsn, server.rest_dsn)
    assert done.returncode == 0, done.stderr


@forks
def test_a_server_that_forks_its_workers(server: embudo.Server, database: str, tmp_path: pathlib.Path) -> None:
    """As gunicorn does: the program is loaded with connections and a pool open, workers are forked, one dies and is replaced."""
    code = """
        import os, signal, sys
        import embudo

        dsn, database = sys.argv[1:]
        conn = embudo.connect(dsn)
        pool = embudo.ConnectionPool(dsn, size=2)
        with pool.connection() as lent:
            lent.execute(f"CREATE TABLE {database}.requests (ts TIMESTAMP, worker INT)")

        def worker(number, requests, answers):
            try:
                conn.execute("SELECT 1")
            except embudo.InterfaceError as error:
                assert "before fork" in str(error)
            else:
                os._exit(9)
            for line in requests:
                at = int(line)
                if at == 13 and number < 3:
                    os.kill(os.getpid(), signal.SIGKILL)
                with pool.connection() as own:
                    own.execute(f"INSERT INTO {database}.requests VALUES (?, ?)", [at + 1, number])
                answers.write(f"{at}\\n")
                answers.flush()
            sys.exit(0)

        def forked(number, others):
            request_out, request_in = os.pipe()
            answer_out, answer_in = os.pipe()
            process = os.fork()
            if process == 0:
                os.close(request_in)
                os.close(answer_out)
                for stream in others:
                    stream.close()
                worker(number, os.fdopen(request_out), os.fdopen(answer_in, "w"))
            os.close(request_out)
            os.close(answer_in)
            return process, os.fdopen(request_in, "w"), os.fdopen(answer_out)

        def ends(workers):
            return [stream for _, requests, answers in workers for stream in (requests, answers)]

        workers = []
        for number in range(3):
            workers.append(forked(number, ends(workers)))
        replaced = 0
        for at in range(30):
            place = at % 3
            while True:
                process, requests, answers = workers[place]
                requests.write(f"{at}\\n")
                requests.flush()
                if answers.readline() == f"{at}\\n":
                    break
                # It is gone: another takes its place and its request.
                assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL
                answers.close()
                try:
                    requests.close()
                except BrokenPipeError:
                    pass
                rest = [other for other in workers if other[0] != process]
                replaced += 1
                workers[place] = forked(3, ends(rest))
        assert replaced == 1, replaced
        for process, requests, answers in workers:
            requests.close()
            assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
        with pool.connection() as lent:
            assert lent.execute(f"SELECT COUNT(*) FROM {database}.requests").fetchone() == (30,)
        assert conn.execute("SELECT 1").fetchall() == [(1,)]
    """
    done = _program(tmp_path, code, server.ws_dsn, database)
    assert done.returncode == 0, done.stderr


@forks
def test_a_pool_after_fork(dsn: str, database: str, tmp_path: pathlib.Path) -> None:
    code = """
        import os, sys
        import embudo

        with embudo.connect(":memory:pool") as keeper:
            dsn = sys.argv[1] if "://" in sys.argv[1] else ":memory:pool"
            pool = embudo.ConnectionPool(dsn, size=1)
            with pool.connection() as lent:
                child = os.fork()
                if child == 0:
                    # The parent's is lent, and the pool full; here it has not begun.
                    with pool.connection() as own:
                        assert own.execute("SELECT 1").fetchall() == [(1,)]
                    assert (pool.open, pool.idle) == (1, 1)
                    pool.close()
                    os._exit(0)
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
                assert lent.execute("SELECT 1").fetchall() == [(1,)]
            assert (pool.open, pool.idle) == (1, 1)
    """
    done = _program(tmp_path, code, dsn)
    assert done.returncode == 0, done.stderr


def test_ends_without_goodbye(dsn: str, database: str, root: embudo.Connection, tmp_path: pathlib.Path) -> None:
    """A program ends with everything open: results half read, threads that wait, a pool, an event loop. It is quiet and says success."""
    code = """
        import asyncio, sys, threading
        import embudo, embudo.aio

        dsn, database = sys.argv[1:]
        keeper = embudo.connect(":memory:tests")
        options = {"database": database}
        if "://" not in dsn:
            keeper.execute(f"CREATE DATABASE IF NOT EXISTS {database} KEEP 36500")
        conn = embudo.connect(dsn, **options)
        conn.execute("CREATE TABLE IF NOT EXISTS t (ts TIMESTAMP, v INT)")
        conn.ingest("t", {"ts": range(100_000), "v": range(100_000)})
        half = conn.execute("SELECT * FROM t")
        half.fetchone()
        batches = conn.execute("SELECT * FROM t").batches(10)
        next(batches)
        pool = embudo.ConnectionPool(dsn, **options)
        lent = pool.connection()
        lent.__enter__().execute("SELECT * FROM t")

        def wait():
            with embudo.connect(dsn, **options) as own:
                while True:
                    own.execute("SELECT v, COUNT(*) FROM t GROUP BY v").fetchall()

        for _ in range(2):
            threading.Thread(target=wait, daemon=True).start()
        if not dsn.startswith("taosrest"):
            conn.execute(f"CREATE TOPIC IF NOT EXISTS {database}_end AS SELECT ts, v FROM t")
            subscription = conn.subscribe(f"{database}_end", group="g")
            threading.Thread(target=subscription.poll, daemon=True).start()

        loop = asyncio.new_event_loop()

        async def begin():
            connection = await embudo.aio.connect(dsn, **options)
            cursor = await connection.execute("SELECT * FROM t")
            await cursor.fetchone()
            waiting = asyncio.ensure_future(connection.execute("SELECT v, COUNT(*) FROM t GROUP BY v"))
            await asyncio.sleep(0)
            return connection, cursor, waiting

        left = loop.run_until_complete(begin())
        print("done", flush=True)
    """
    try:
        done = _program(tmp_path, code, dsn, database)
        assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
        quiet = [
            line for line in done.stderr.splitlines() if "Task was destroyed" not in line and not line.startswith(("task:", "coroutine"))
        ]
        assert quiet == [], done.stderr
    finally:
        _drop_topic(root, f"{database}_end", "g")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("what", ["query", "subscription", "asyncio"])
def test_ctrl_c(dsn: str, database: str, root: embudo.Connection, tmp_path: pathlib.Path, what: str) -> None:
    """Ctrl-C ends what the main thread waits for, whatever that is; the connection works on."""
    if what == "subscription" and dsn.startswith("taosrest"):
        pytest.skip("subscriptions over REST go by WebSocket")
    code = """
        import asyncio, sys, threading
        import embudo, embudo.aio

        dsn, database, what = sys.argv[1:]
        conn = embudo.connect(dsn)
        conn.execute(f"CREATE DATABASE IF NOT EXISTS {database} KEEP 36500")
        conn.execute(f"USE {database}")
        conn.execute("CREATE TABLE IF NOT EXISTS t (ts TIMESTAMP, v INT)")
        conn.ingest("t", {"ts": range(20_000), "v": range(20_000)})

        def query():
            while True:
                conn.execute("SELECT v, COUNT(*) FROM t GROUP BY v").fetchall()

        def subscription():
            conn.execute(f"CREATE TOPIC IF NOT EXISTS {database}_c AS SELECT ts, v FROM t")
            with conn.subscribe(f"{database}_c", group="c") as topic:
                print("waiting", flush=True)
                topic.poll()

        async def asynchronous():
            async with embudo.aio.connect(dsn, database=database) as own:
                print("waiting", flush=True)
                while True:
                    await (await own.execute("SELECT v, COUNT(*) FROM t GROUP BY v")).fetchall()

        try:
            if what == "query":
                print("waiting", flush=True)
                query()
            elif what == "subscription":
                subscription()
            else:
                asyncio.run(asynchronous())
        except KeyboardInterrupt:
            print("interrupted", conn.execute("SELECT COUNT(*) FROM t").fetchone())
    """
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(code))
    process = subprocess.Popen([sys.executable, str(file), dsn, database, what], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n", process.communicate()[1]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, "interrupted (20000,)\n"), err
    finally:
        process.kill()
        _drop_topic(root, f"{database}_c", "c")
