"""SQLAlchemy's dialects, all with the same tests."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import registry

import embudo

for _name, _class in (("embudo", "EmbudoDialect"), ("taosrest", "TaosRestDialect"), ("taos", "TaosDialect")):
    registry.register(_name, "embudo.sqlalchemy", _class)


@pytest.fixture(params=["embudo", "taosrest", "taos"])
def engine(request: pytest.FixtureRequest, server: embudo.Server, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    if request.param == "taosrest":
        url = f"taosrest://root:taosdata@{server.host}:{server.port}/{database}"
    elif request.param == "taos":
        url = f"taos://root:taosdata@{server.host}:{server.port}/{database}?transport=rest"
    else:
        url = f"embudo://?database={database}&timezone=UTC"
    engine = sa.create_engine(url)
    if request.param == "embudo":
        # The fixture's database is in the tests' shared memory.
        sa.event.listen(engine, "do_connect", lambda dialect, record, arguments, options: embudo.connect(":memory:tests", **options))
    yield engine
    engine.dispose()


def meters() -> sa.Table:
    return sa.Table(
        "meters",
        sa.MetaData(),
        sa.Column("ts", sa.DateTime, primary_key=True),
        sa.Column("current", sa.REAL),
        sa.Column("voltage", sa.Integer),
        sa.Column("location", sa.String(64), taos_tag=True),
        sa.Column("groupid", sa.Integer, taos_tag=True),
        taos_supertable=True,
    )


def test_tables_are_made(engine: sa.Engine, database: str) -> None:
    metadata = sa.MetaData()
    table = meters().to_metadata(metadata)
    sa.Table(
        "d1",
        metadata,
        sa.Column("ts", sa.DateTime, primary_key=True),
        sa.Column("current", sa.REAL),
        sa.Column("voltage", sa.Integer),
        taos_using="meters",
        taos_tags={"location": "it's", "groupid": 2},
    )
    sa.Table(
        "plain",
        metadata,
        sa.Column("ts", sa.DateTime, primary_key=True),
        sa.Column("value", sa.Double),
        sa.Column("n", sa.BigInteger),
        sa.Column("b", sa.Boolean),
        sa.Column("text", sa.Unicode(20)),
        sa.Column("d", sa.Numeric(10, 2)),
    )
    # Children need their supertable first.
    metadata.create_all(engine, tables=[table])
    metadata.create_all(engine)
    inspector = sa.inspect(engine)
    assert set(inspector.get_table_names()) == {"meters", "plain"}
    assert inspector.has_table("d1")
    assert not inspector.has_table("nothing")
    columns = {column["name"]: column for column in inspector.get_columns("plain")}
    assert isinstance(columns["value"]["type"], sa.FLOAT)
    assert columns["d"]["type"].scale == 2
    assert columns["text"]["type"].length == 20
    reflected = sa.Table("meters", sa.MetaData(), autoload_with=engine)
    assert reflected.c.groupid.dialect_options["taos"]["tag"]
    assert [column.name for column in reflected.primary_key] == ["ts"]
    with engine.begin() as connection:
        assert connection.execute(sa.text("SELECT location FROM meters")).fetchall() == []
    metadata.drop_all(engine)
    assert sa.inspect(engine).get_table_names() == []
    bad = sa.Table("bad", sa.MetaData(), sa.Column("v", sa.Integer))
    with pytest.raises(sa.exc.CompileError, match="first column"):
        bad.create(engine)


def test_names_of_every_kind(engine: sa.Engine, database: str) -> None:
    inspector = sa.inspect(engine)
    assert database in inspector.get_schema_names()
    assert "information_schema" not in inspector.get_schema_names()
    assert inspector.has_schema(database)
    assert not inspector.has_schema("nothing")
    table = sa.Table(
        "select",
        sa.MetaData(),
        sa.Column("ts", sa.DateTime),
        sa.Column("order", sa.Integer),
        sa.Column("Mixed", sa.Integer),
    )
    table.create(engine)
    with engine.begin() as connection:
        connection.execute(table.insert(), [{"ts": datetime.datetime(2024, 1, 1), "order": 1, "Mixed": 2}])
        assert connection.execute(sa.select(table.c.order, table.c.Mixed)).one() == (1, 2)
    assert inspector.get_pk_constraint("select")["constrained_columns"] == ["ts"]
    assert inspector.get_foreign_keys("select") == []
    assert inspector.get_indexes("select") == []


def test_queries(engine: sa.Engine) -> None:
    table = sa.Table("q", sa.MetaData(), sa.Column("ts", sa.DateTime), sa.Column("v", sa.Integer), sa.Column("s", sa.String(20)))
    table.create(engine)
    start = datetime.datetime(2024, 1, 1)
    with engine.begin() as connection:
        connection.execute(table.insert(), [{"ts": start + datetime.timedelta(seconds=i), "v": i, "s": f"x'{i}"} for i in range(10)])
        connection.execute(table.insert().values(ts=start + datetime.timedelta(seconds=10), v=10, s=None))
        rows = connection.execute(sa.select(table.c.v).where(table.c.v > 6).order_by(table.c.v.desc()).limit(2).offset(1)).scalars().all()
        assert rows == [9, 8]
        assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 11
        assert connection.scalar(sa.select(table.c.v).where(table.c.s == "x'3")) == 3
        assert connection.execute(sa.select(table.c.v).where(table.c.v.in_([1, 2]))).scalars().all() == [1, 2]
        assert connection.execute(sa.select(table.c.v).where(table.c.v.in_([]))).all() == []
        assert connection.scalar(sa.text("SELECT COUNT(*) FROM q WHERE v < :top"), {"top": 4}) == 4
        joined = connection.scalar(sa.select(table.c.s + "!").where(table.c.v == 1))
        assert joined == "x'1!"
        named = connection.execute(sa.select(table.c.v.label("value"))).mappings().first()
        assert named is not None
        assert "value" in named
        connection.rollback()
    with pytest.raises(sa.exc.DBAPIError) as caught, engine.connect() as connection:
        connection.execute(sa.text("SELECT * FROM missing"))
    assert isinstance(caught.value.orig, embudo.Error)


def test_an_orm_class(engine: sa.Engine) -> None:
    class Base(orm.DeclarativeBase):
        pass

    class Reading(Base):
        __tablename__ = "reading"
        ts: orm.Mapped[datetime.datetime] = orm.mapped_column(primary_key=True)
        v: orm.Mapped[int | None]

    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add_all([Reading(ts=datetime.datetime(2024, 1, 1, 0, 0, i), v=i) for i in range(3)])
        session.commit()
        assert [reading.v for reading in session.scalars(sa.select(Reading).order_by(Reading.ts))] == [0, 1, 2]


def test_pandas(engine: sa.Engine) -> None:
    frame = pd.DataFrame(
        {
            "ts": pd.date_range("2024-01-01", periods=5, freq="s", unit="ms"),
            "v": range(5),
            "f": [0.5] * 5,
            "s": list("abcde"),
        }
    )
    assert frame.to_sql("written", engine, index=False) in (5, None)
    read = pd.read_sql("SELECT * FROM written ORDER BY ts", engine)
    assert list(read["v"]) == [0, 1, 2, 3, 4]
    assert list(read["s"]) == list("abcde")
    frame.assign(ts=frame["ts"] + pd.Timedelta(days=1)).to_sql("written", engine, index=False, if_exists="append")
    assert len(pd.read_sql_table("written", engine)) == 10
    frame.to_sql("written", engine, index=False, if_exists="replace")
    found = pd.read_sql(sa.text("SELECT v FROM written WHERE s = :s"), engine, params={"s": "c"})
    assert list(found["v"]) == [2]


def test_urls() -> None:
    from embudo.sqlalchemy import EmbudoDialect, TaosDialect, TaosRestDialect

    rest = TaosRestDialect().create_connect_args(sa.make_url("taosrest://u:p%40@h:1/db?timezone=UTC&timeout=5"))
    assert rest == (
        [],
        {"url": "http://h:1", "user": "u", "password": "p@", "database": "db", "timezone": "UTC", "timeout": 5.0},
    )
    assert TaosRestDialect().create_connect_args(sa.make_url("taosrest://h"))[1]["url"] == "http://h:6041"
    assert TaosDialect().create_connect_args(sa.make_url("taos://u@h/db"))[1] == {
        "host": "h",
        "user": "u",
        "database": "db",
    }
    assert EmbudoDialect().create_connect_args(sa.make_url("embudo:////var/x?database=d")) == (
        ["embudo:////var/x"],
        {"database": "d"},
    )
    one, two = (EmbudoDialect().create_connect_args(sa.make_url("embudo://"))[0][0] for _ in range(2))
    assert one != two


def test_an_engine_in_memory() -> None:
    engine = sa.create_engine("embudo://")
    with engine.connect() as one, engine.connect() as two:
        one.execute(sa.text("CREATE DATABASE d"))
        assert "d" in [row[0] for row in two.execute(sa.text("SHOW DATABASES"))]
    engine.dispose()
