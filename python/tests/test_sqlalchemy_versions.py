"""What every supported version of SQLAlchemy has, 1.4 too: tables, rows, reflection. An environment with 1.4 runs this file alone."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import registry

import embudo


@pytest.fixture(params=["embudo", "embudo+ws", "taosrest", "taosws", "taos"])
def engine(request: pytest.FixtureRequest) -> Iterator[Any]:
    """An engine of each dialect on a database of its own."""
    from embudo import sqlalchemy as dialects

    for cls in (getattr(dialects, name) for name in dialects.__all__ if name.endswith("Dialect")):
        registry.register(cls.name if cls.driver == cls.name else f"{cls.name}.{cls.driver}", "embudo.sqlalchemy", cls.__name__)
    with embudo.connect(":memory:versions") as keeper:
        keeper.execute("CREATE DATABASE IF NOT EXISTS d KEEP 36500")
        with keeper.serve() as server:
            address = f"{request.param}://root:taosdata@{server.host}:{server.port}/d"
            url = {"embudo": "embudo://?database=d", "taos": f"{address}?transport=rest"}.get(request.param, address)
            engine = sa.create_engine(url, future=True)
            if request.param == "embudo":
                sa.event.listen(
                    engine, "do_connect", lambda dialect, record, arguments, options: embudo.connect(":memory:versions", **options)
                )
            yield engine
            engine.dispose()
        keeper.execute("DROP DATABASE d")


def test_tables_rows_and_reflection(engine: Any) -> None:
    metadata = sa.MetaData()
    table = sa.Table(
        "m",
        metadata,
        sa.Column("ts", sa.DateTime, primary_key=True),
        sa.Column("v", sa.Float),
        sa.Column("n", sa.Numeric(10, 2)),
        sa.Column("b", sa.LargeBinary(10)),
        sa.Column("s", sa.Text),
    )
    sa.Table(
        "meters",
        metadata,
        sa.Column("ts", sa.DateTime, primary_key=True),
        sa.Column("v", sa.Integer),
        sa.Column("g", sa.Integer, taos_tag=True),
        taos_supertable=True,
    )
    metadata.create_all(engine)
    start = datetime.datetime(2024, 1, 1)
    with engine.begin() as connection:
        rows = [{"ts": start + datetime.timedelta(seconds=i), "v": i / 2, "n": i, "b": b"\x00x", "s": "it's"} for i in range(10)]
        connection.execute(table.insert(), rows)
        connection.execute(table.insert(), {**rows[0], "ts": start - datetime.timedelta(seconds=1)})
        query = sa.select(table.c.v).where(table.c.s == "it's").order_by(table.c.ts.desc()).limit(2)
        assert connection.execute(query).scalars().all() == [4.5, 4.0]
        first = connection.execute(sa.select(table).order_by(table.c.ts).limit(1)).one()
        assert (first.ts, first.b, first.s) == (start - datetime.timedelta(seconds=1), b"\x00x", "it's")
        assert connection.execute(sa.text("SELECT COUNT(*) FROM m WHERE v > :v"), {"v": 2}).scalar() == 5
        connection.rollback()
    inspector = sa.inspect(engine)
    assert set(inspector.get_table_names()) == {"m", "meters"}
    reflected = sa.Table("meters", sa.MetaData(), autoload_with=engine)
    assert reflected.c.g.dialect_options["taos"]["tag"]
    assert reflected.dialect_options["taos"]["supertable"]
    with pytest.raises(sa.exc.DBAPIError), engine.connect() as connection:
        connection.execute(sa.text("SELECT * FROM missing"))
    metadata.drop_all(engine)
    assert sa.inspect(engine).get_table_names() == []
