#!/usr/bin/env python3
"""Kill a writing process with SIGKILL again and again, reopen, and compare with the ledger of what it had acknowledged.

The writer inserts numbered batches (three rows in three child tables, one statement), updates and deletes earlier ones, creates
children on the way and flushes now and then; after each statement returns it writes a line to a pipe. After the kill everything in
the pipe must be there, nothing else but at most the one statement that was under way, and that one whole or not at all.

    crash.py [--kills 200] [--seed N]
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

import embudo

CHILDREN = 9
START = 1_700_000_000_000
# A new database after so many kills keeps the comparison quick.
KILLS_A_FOLDER = 20

Rows = dict[int, tuple[int, int | None]]


def insert(number: int) -> str:
    """The statement of one batch: three rows, tables made on the way."""
    tables = [f"c{(number + step * 3) % CHILDREN}" for step in range(3)]
    time_of_batch = START + number * 1000
    clauses = [f"{name} USING st TAGS ({name[1:]}) VALUES ({time_of_batch}, {number}, NULL)" for name in tables]
    return "INSERT INTO " + " ".join(clauses)


def update(number: int, mark: int) -> str:
    """Upsert one column of a batch's first row, leaving the other as it is."""
    name = f"c{number % CHILDREN}"
    return f"INSERT INTO {name} (ts, mark) VALUES ({START + number * 1000}, {mark})"


def delete(number: int) -> str:
    """Delete a batch from all tables."""
    time_of_batch = START + number * 1000
    return f"DELETE FROM st WHERE ts >= {time_of_batch} AND ts <= {time_of_batch}"


def write(folder: str, first: int, seed: int) -> None:
    """The writer: runs until it is killed."""
    chance = random.Random(seed)
    connection = embudo.connect(folder)
    connection.execute("CREATE DATABASE IF NOT EXISTS crash WAL_LEVEL 1")
    connection.execute("USE crash")
    connection.execute("CREATE STABLE IF NOT EXISTS st (ts TIMESTAMP, n INT, mark INT) TAGS (g INT)")
    number = first
    while True:
        kind, argument = "I", number
        connection_sql = insert(number)
        draw = chance.random()
        if number > 20 and draw < 0.10:
            kind, argument = "U", number - chance.randrange(1, 20)
            connection_sql = update(argument, number)
        elif number > 20 and draw < 0.15:
            kind, argument = "D", number - chance.randrange(1, 20)
            connection_sql = delete(argument)
        os.write(1, f"> {kind} {argument} {number}\n".encode())
        connection.execute(connection_sql)
        os.write(1, b"ok\n")
        if kind == "I":
            number += 1
        if draw > 0.995:
            connection.execute("FLUSH DATABASE crash")


class Ledger:
    """What must be there: batches with their marks, and the one statement that was under way."""

    def __init__(self) -> None:
        self.batches: dict[int, int | None] = {}
        self.next = 0

    def apply(self, kind: str, argument: int, number: int) -> None:
        """Take one statement as done."""
        if kind == "I":
            self.batches[number] = None
            self.next = max(self.next, number + 1)
        elif kind == "D":
            self.batches.pop(argument, None)
        elif argument in self.batches:
            self.batches[argument] = number
        # An update of a deleted batch makes a row without a number, which the comparison leaves out.

    def rows(self) -> Rows:
        """Batch number to (rows, the mark of its first row)."""
        return {number: (3, mark) for number, mark in self.batches.items()}


def stored(folder: str) -> Rows:
    """What a fresh open finds."""
    with embudo.connect(folder) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM information_schema.ins_databases").fetchall()]
        if "crash" not in names:
            return {}
        stables = connection.execute("SELECT stable_name FROM information_schema.ins_stables WHERE db_name = 'crash'").fetchall()
        if not stables:
            return {}
        rows = connection.execute("SELECT n, COUNT(*), MAX(mark) FROM crash.st GROUP BY n").fetchall()
    return {row[0]: (row[1], row[2]) for row in rows if row[0] is not None}


def run_until_killed(folder: str, ledger: Ledger, seed: int, chance: random.Random) -> tuple[str, int, int] | None:
    """Start the writer, kill it at a random moment, take its ledger; the statement under way, if any."""
    command = [sys.executable, __file__, "--write", folder, "--first", str(ledger.next), "--seed", str(seed)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0)
    assert writer.stdout is not None
    lines: list[str] = [writer.stdout.readline().decode()]
    time.sleep(chance.random() ** 2 * 0.25)
    writer.send_signal(signal.SIGKILL)
    lines += writer.stdout.read().decode().splitlines(keepends=True)
    writer.wait()
    under_way: tuple[str, int, int] | None = None
    for line in lines:
        if not line.endswith("\n"):
            break
        if line.startswith(">"):
            _, kind, argument, number = line.split()
            under_way = (kind, int(argument), int(number))
        elif under_way is not None:
            ledger.apply(*under_way)
            under_way = None
    return under_way


def differences(expected: Rows, found: Rows) -> str | None:
    """The first batches that are not as the ledger has them."""
    wrong = {key: (expected.get(key), found.get(key)) for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)}
    return f"batch: (expected, found) {dict(sorted(wrong.items())[:10])}" if wrong else None


def kill_in_folder(folder: str, kills: range, seed: int, chance: random.Random) -> tuple[int, int]:
    """Kill writers of one database one after the other; how many kills went well, and how many batches there are at the end."""
    ledger = Ledger()
    for kill in kills:
        under_way = run_until_killed(folder, ledger, seed + kill, chance)
        found = stored(folder)
        if differences(ledger.rows(), found) and under_way is not None:
            ledger.apply(*under_way)
        wrong = differences(ledger.rows(), found)
        if wrong:
            print(f"kill {kill}, seed {seed}: {wrong}")
            return kill - kills.start, len(ledger.batches)
    return len(kills), len(ledger.batches)


def main() -> int:
    """The loop; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--write", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        write(arguments.write, arguments.first, arguments.seed)
    chance, started, passed, batches = random.Random(arguments.seed), time.monotonic(), 0, 0
    for first in range(0, arguments.kills, KILLS_A_FOLDER):
        kills = range(first, min(first + KILLS_A_FOLDER, arguments.kills))
        with tempfile.TemporaryDirectory() as folder:
            went_well, kept = kill_in_folder(folder, kills, arguments.seed, chance)
        passed, batches = passed + went_well, batches + kept
        if went_well < len(kills):
            break
    failed = 0 if passed == arguments.kills else 1
    print(f"crash: {passed} kills, {batches} batches kept, {time.monotonic() - started:.0f} s, seed {arguments.seed}")
    print(f"{passed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
