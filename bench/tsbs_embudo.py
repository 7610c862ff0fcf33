"""Adds Embudo to the TSBS-shaped benchmark: `tsbs.py --plugin tsbs_embudo --engines duckdb,embudo`.

Rows go in by `Connection.ingest`, the fastest documented way from Python, and are flushed to files before any query is timed."""

import time

import tsbs

import embudo


class Embudo(tsbs.Taos):
    """The embedded engine on a directory of its own."""

    name = "embudo"

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.con = embudo.connect(self.dir)

    def load(self, data: tsbs.Data) -> None:
        """All rows by columns, in the same chunks of time as the other engines take."""
        self.ddl()
        execute = self.con.execute
        for host in range(data.hosts):
            execute(f"CREATE TABLE tsbs.h{host} USING tsbs.cpu TAGS ('host_{host}', 'r{host % 9}')")
        execute("USE tsbs")
        self.own_time = 0.0
        for chunk in data.by_time(200_000):
            table = {"ts": chunk["ts"], "tbname": [name.replace("host_", "h") for name in chunk["host"].tolist()]}
            table.update({metric: chunk[metric] for metric in tsbs.METRICS})
            started = time.perf_counter()
            self.con.ingest("cpu", table, table="tbname", create=False)
            self.own_time += time.perf_counter() - started
        started = time.perf_counter()
        execute("FLUSH DATABASE tsbs")
        self.own_time += time.perf_counter() - started

    def close(self) -> None:
        """Close the database."""
        self.con.close()


tsbs.ENGINES["embudo"] = Embudo
