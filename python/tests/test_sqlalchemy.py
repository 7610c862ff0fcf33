"""SQLAlchemy's dialects, all with the same tests."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import gc
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import registry

import embudo

DIALECTS = ["embudo", "embudo+ws", "embudo+http", "taosrest", "taosws", "taos"]


@pytest.fixture(scope="session", autouse=True)
def registered() -> None:
    """The dialects, whether or not the package is installed."""
    from embudo import sqlalchemy as dialects

    for cls in (getattr(dialects, name) for name in dialects.__all__ if name.endswith("Dialect")):
        name = cls.name if cls.driver == cls.name else f"{cls.name}.{cls.driver}"
        registry.register(name, "embudo.sqlalchemy", cls.__name__)


@pytest.fixture(params=DIALECTS)
def engine(request: pytest.FixtureRequest, server: embudo.Server, database: str) -> Iterator[sa.Engine]:
    """An engine of each dialect on a database of the test's own."""
    name = request.param
    options = {"taos": "?transport=rest", "embudo": "?timezone=UTC"}.get(name, "")
    if name == "embudo":
        url = f"embudo://?database={database}&timezone=UTC"
    else:
        url = f"{name}://root:taosdata@{server.host}:{server.port}/{database}{options}"
    engine = sa.create_engine(url)
    if name == "embudo":
        # The fixture's database is in the tests' shared memory.
        sa.event.listen(engine, "do_connect", lambda dialect, record, arguments, options: embudo.connect(":memory:tests", **options))
    yield engine
    engine.dispose()


class _Watched(sa.TypeDecorator[int]):
    """Notes whether the collector works while rows are made; two is no value."""

    impl = sa.Integer
    cache_ok = True
    seen: list[bool] = []  # noqa: RUF012

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        self.seen.append(gc.isenabled())
        if value == 2:
            raise ArithmeticError
        return value


def test_the_collector_rests_while_rows_are_taken_and_no_longer(engine: sa.Engine) -> None:
    _Watched.seen.clear()
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.literal_column("1", _Watched()))).fetchall() == [(1,)]
        assert gc.isenabled()
        assert connection.execute(sa.select(sa.literal_column("1", _Watched()))).all() == [(1,)]
        with pytest.raises(ArithmeticError):
            connection.execute(sa.select(sa.literal_column("2", _Watched()))).fetchall()
        assert gc.isenabled()
        gc.disable()
        try:
            assert connection.execute(sa.select(sa.literal_column("1", _Watched()))).fetchall() == [(1,)]
            assert not gc.isenabled()
        finally:
            gc.enable()
    assert not any(_Watched.seen)


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
    with pytest.raises(sa.exc.CompileError, match="DateTime"):
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


TYPES: list[tuple[sa.types.TypeEngine[Any], list[Any]]] = [
    (sa.Boolean(), [True, False, None]),
    (sa.SmallInteger(), [-32768, 32767, None]),
    (sa.Integer(), [-(2**31), 2**31 - 1, None]),
    (sa.BigInteger(), [-(2**63) + 1, 2**63 - 1, None]),
    (sa.REAL(), [0.5, -2.25, None]),
    (sa.Float(), [0.1, -1e300, None]),
    (sa.Double(), [0.1, 1e-300, None]),
    (sa.Numeric(10, 2), [decimal.Decimal("12345678.90"), decimal.Decimal("-0.01"), None]),
    (sa.Numeric(10, 2, asdecimal=False), [1.25, None]),
    (sa.String(20), ["", "it's", 'a "b" \\ c', None]),
    (sa.Unicode(20), ["é ✓", "", None]),
    (sa.Text(), ["x" * 1000, None]),
    (sa.UnicodeText(), ["✓" * 100, None]),
    (sa.Enum("red", "green", name="colour"), ["red", "green", None]),
    (sa.LargeBinary(20), [b"\x00\xff'", b"", None]),
    (sa.DateTime(), [datetime.datetime(2024, 2, 29, 12, 30, 15, 123000), datetime.datetime(1969, 12, 31), None]),
    (sa.Date(), [datetime.date(2024, 2, 29), None]),
    (sa.Time(), [datetime.time(1, 2, 3, 456000), None]),
    (sa.Interval(), [datetime.timedelta(days=1, seconds=2, milliseconds=3), None]),
    (sa.JSON(), [{"a": [1, "é", None]}, [1, 2]]),
    (sa.Uuid(), [uuid.UUID(int=5), None]),
    (sa.PickleType(), [{"a": 1}]),
]


@pytest.mark.parametrize(
    ("kind", "values"), TYPES, ids=lambda value: type(value).__name__ if isinstance(value, sa.types.TypeEngine) else ""
)
def test_values_of_every_type(engine: sa.Engine, kind: sa.types.TypeEngine[Any], values: list[Any]) -> None:
    table = sa.Table("v", sa.MetaData(), sa.Column("ts", sa.DateTime, primary_key=True), sa.Column("value", kind))
    table.create(engine)
    with engine.begin() as connection:
        rows = [{"ts": datetime.datetime(2024, 1, 1, 0, 0, second), "value": value} for second, value in enumerate(values)]
        connection.execute(table.insert(), rows[0])
        if rows[1:]:
            connection.execute(table.insert(), rows[1:])
        assert connection.execute(sa.select(table.c.value).order_by(table.c.ts)).scalars().all() == values


def test_reflected_options(engine: sa.Engine) -> None:
    table = meters()
    table.create(engine)
    child = sa.Table(
        "d1",
        table.metadata,
        sa.Column("ts", sa.DateTime, primary_key=True),
        sa.Column("current", sa.REAL),
        sa.Column("voltage", sa.Integer),
        taos_using="meters",
        taos_tags={"location": "it's", "groupid": 2},
    )
    child.create(engine)
    metadata = sa.MetaData()
    supertable = sa.Table("meters", metadata, autoload_with=engine)
    assert supertable.dialect_options["taos"]["supertable"]
    assert [column.name for column in supertable.columns if column.dialect_options["taos"]["tag"]] == ["location", "groupid"]
    reflected = sa.Table("d1", metadata, autoload_with=engine)
    assert reflected.dialect_options["taos"]["using"] == "meters"
    assert reflected.dialect_options["taos"]["tags"] == {"location": "it's", "groupid": 2}
    # What was reflected makes the same again.
    child.drop(engine)
    reflected.create(engine)
    assert sa.inspect(engine).get_table_options("d1")["taos_tags"] == {"location": "it's", "groupid": 2}
    with pytest.raises(sa.exc.NoSuchTableError):
        sa.Table("nothing", metadata, autoload_with=engine)


def test_writing_a_supertable(engine: sa.Engine) -> None:
    table = meters()
    table.append_column(sa.Column("tbname", sa.String(64), taos_tag=True, info={"virtual": True}))
    plain = meters()
    plain.create(engine)
    statement = sa.text("INSERT INTO meters (tbname, ts, current, voltage, location, groupid) VALUES (:t, :ts, :c, :v, :l, :g)")
    start = datetime.datetime(2024, 1, 1)
    with engine.begin() as connection:
        connection.execute(
            statement,
            [
                {"t": f"d{i % 3}", "ts": start + datetime.timedelta(seconds=i), "c": i / 2, "v": i, "l": f"l{i % 3}", "g": i % 3}
                for i in range(30)
            ],
        )
        groups = connection.execute(
            sa.select(plain.c.groupid, sa.func.count(), sa.func.avg(plain.c.current)).group_by(plain.c.groupid).order_by(plain.c.groupid)
        ).all()
    assert [(group, count) for group, count, _ in groups] == [(0, 10), (1, 10), (2, 10)]


def test_expressions(engine: sa.Engine) -> None:
    table = sa.Table("e", sa.MetaData(), sa.Column("ts", sa.DateTime), sa.Column("a", sa.Integer), sa.Column("s", sa.String(20)))
    table.create(engine)
    with engine.begin() as connection:
        rows = [(0, 1, "abc"), (1, 2, "Abd"), (2, None, None), (3, 7, "x%y")]
        connection.execute(table.insert(), [{"ts": datetime.datetime(2024, 1, 1, 0, 0, s), "a": a, "s": text} for s, a, text in rows])

        def chosen(condition: Any) -> list[Any]:
            return list(connection.execute(sa.select(table.c.a).where(condition).order_by(table.c.ts)).scalars())

        assert chosen(table.c.a.is_(None)) == [None]
        assert chosen(table.c.a.is_not(None)) == [1, 2, 7]
        assert chosen(table.c.s.like("ab%")) == [1]
        assert chosen(table.c.s.contains("%", autoescape=True)) == [7]
        assert chosen(table.c.s.regexp_match("^[aA]b")) == [1, 2]
        assert chosen(~table.c.s.regexp_match("^[aA]b")) in ([7], [None, 7])
        assert chosen(table.c.a.between(2, 7)) == [2, 7]
        assert chosen(sa.or_(table.c.a == 1, sa.and_(table.c.a > 1, table.c.s == "x%y"))) == [1, 7]
        assert chosen(table.c.a.not_in([1, 2])) == [7]
        assert chosen(table.c.a % 2 == 1) == [1, 7]
        assert connection.scalar(sa.select(sa.cast(table.c.a, sa.BigInteger) * 3).where(table.c.a == 7)) == 21
        assert connection.scalar(sa.select(sa.case((table.c.a > 1, "big"), else_="small")).where(table.c.a == 7)) == "big"
        assert connection.scalar(sa.select(sa.func.max(table.c.a))) == 7
        assert connection.execute(sa.select(table.c.a).distinct().where(table.c.a > 0).order_by(table.c.a)).scalars().all() == [1, 2, 7]
        union = sa.union_all(sa.select(table.c.a).where(table.c.a == 1), sa.select(table.c.a).where(table.c.a == 2))
        assert sorted(connection.execute(union).scalars()) == [1, 2]
        inner = sa.select(table.c.a.label("n")).where(table.c.a > 1).subquery()
        assert connection.scalar(sa.select(sa.func.sum(inner.c.n))) == 9
        assert connection.scalar(sa.select(sa.literal("it's \\ 100%"))) == "it's \\ 100%"
        written = str(sa.select(table).where(table.c.s == "it's \\").compile(engine, compile_kwargs={"literal_binds": True}))
        assert connection.execute(sa.text(written.replace(":", "\\:"))).all() == []


def test_statements_are_cached(engine: sa.Engine) -> None:
    assert engine.dialect.supports_statement_cache
    table = sa.Table("c", sa.MetaData(), sa.Column("ts", sa.DateTime), sa.Column("v", sa.Integer))
    table.create(engine)
    cache: dict[Any, Any] = {}
    with engine.connect().execution_options(compiled_cache=cache) as connection:
        for value in range(5):
            connection.execute(sa.select(table.c.v).where(table.c.v == value).limit(value + 1)).all()
    assert len(cache) == 1


def test_a_pool_of_threads(engine: sa.Engine) -> None:
    table = sa.Table("p", sa.MetaData(), sa.Column("ts", sa.DateTime), sa.Column("v", sa.Integer))
    table.create(engine)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for i in range(5):
                with engine.begin() as connection:
                    connection.execute(table.insert(), {"ts": datetime.datetime(2024, 1, 1, number, 0, i), "v": i})
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 20
        connection.rollback()


def test_a_lost_connection_is_replaced(engine: sa.Engine) -> None:
    engine.dispose()
    pinged = sa.create_engine(engine.url, pool_pre_ping=True)
    if engine.url.drivername == "embudo":
        pytest.skip("an embedded session is not lost")
    with pinged.connect() as connection:
        connection.connection.driver_connection.close()  # type: ignore[union-attr]
    with pinged.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
    pinged.dispose()


def test_schemas(engine: sa.Engine, database: str) -> None:
    other = f"{database}_other"
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(other))
    try:
        table = sa.Table("t", sa.MetaData(), sa.Column("ts", sa.DateTime), sa.Column("v", sa.Integer), schema=other)
        table.create(engine)
        inspector = sa.inspect(engine)
        assert inspector.get_table_names(schema=other) == ["t"]
        assert inspector.has_table("t", schema=other)
        assert not inspector.has_table("t")
        assert [column["name"] for column in inspector.get_columns("t", schema=other)] == ["ts", "v"]
        with engine.begin() as connection:
            connection.execute(table.insert(), {"ts": datetime.datetime.now(), "v": 1})
            assert connection.execute(sa.select(table.c.v)).scalars().all() == [1]
        assert inspector.get_indexes("t", schema=other) == []
        assert inspector.get_view_names(schema=other) == []
        assert inspector.get_unique_constraints("t", schema=other) == []
        assert inspector.get_check_constraints("t", schema=other) == []
        assert inspector.get_table_comment("t", schema=other) == {"text": None}
    finally:
        with engine.begin() as connection:
            connection.execute(sa.schema.DropSchema(other))


def test_frames_of_many_columns(engine: sa.Engine) -> None:
    """Texts without a length share the row; the time may stand anywhere."""
    frame = pd.DataFrame({f"t{i}": [f"é{i}", None] for i in range(8)} | {"ts": pd.date_range("2024-01-01", periods=2, freq="s", unit="ms")})
    frame.to_sql("wide", engine, index=False)
    read = pd.read_sql("SELECT * FROM wide ORDER BY ts", engine)
    assert next(iter(read.columns)) == "ts"
    assert read["t7"].tolist()[0] == "é7"
    with pytest.raises(sa.exc.CompileError, match="DateTime"):
        pd.DataFrame({"a": [1]}).to_sql("no_time", engine, index=False)


def test_asyncio(server: embudo.Server, database: str) -> None:
    aio = pytest.importorskip("sqlalchemy.ext.asyncio")
    pytest.importorskip("greenlet")

    async def body(url: str) -> None:
        engine = aio.create_async_engine(url)
        table = sa.Table("a", sa.MetaData(), sa.Column("ts", sa.DateTime), sa.Column("v", sa.Integer))
        async with engine.begin() as connection:
            if engine.url.host is None:
                await connection.execute(sa.text("CREATE DATABASE IF NOT EXISTS d KEEP 36500"))
                await connection.execute(sa.text("USE d"))
            await connection.run_sync(table.metadata.drop_all)
            await connection.run_sync(table.metadata.create_all)
            rows = [{"ts": datetime.datetime(2024, 1, 1, 0, 0, i), "v": i} for i in range(10)]
            await connection.execute(table.insert(), rows)
            assert (await connection.execute(sa.select(table.c.v).where(table.c.v > 7).order_by(table.c.ts))).scalars().all() == [8, 9]
            assert [row async for row in await connection.stream(sa.select(table.c.v).limit(2))] == [(0,), (1,)]
            with pytest.raises(sa.exc.DBAPIError):
                await connection.execute(sa.text("SELECT * FROM missing"))
        if engine.url.host is not None:

            async def one(value: int) -> int:
                async with engine.connect() as connection:
                    found: int = await connection.scalar(sa.select(table.c.v).where(table.c.v == value))
                    return found

            assert await asyncio.gather(*[one(i) for i in range(10)]) == list(range(10))
        await engine.dispose()

    host = f"root:taosdata@{server.host}:{server.port}/{database}"
    for url in ("embudo+aio://", f"embudo+aio://{host}", f"embudo+aio://{host}?transport=rest"):
        asyncio.run(body(url))


def test_urls() -> None:
    from embudo.sqlalchemy import (
        EmbudoDialect,
        EmbudoHttpsDialect,
        EmbudoWssDialect,
        TaosDialect,
        TaosRestDialect,
        TaosRestHttpsDialect,
        TaosWsDialect,
    )

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
    assert TaosRestHttpsDialect().create_connect_args(sa.make_url("taosrest+https://h"))[1]["url"] == "https://h:6041"
    for url, dsn in (
        ("taosws://", "taosws://"),
        ("taosws://root:p%40@h/db?timezone=UTC", "taosws://root:p%40@h/db?timezone=UTC"),
        ("taosws://root:x@h:1/db?hosts=a:6041,b:6041", "taosws://root:x@a:6041,b:6041/db"),
        ("taosws+wss://h:6041", "taosws+wss://h:6041"),
    ):
        assert TaosWsDialect().create_connect_args(sa.make_url(url)) == ([dsn], {})
    assert EmbudoHttpsDialect().create_connect_args(sa.make_url("embudo+https://u:p@h/db")) == (
        ["taosrest+https://h:6041"],
        {"user": "u", "password": "p", "database": "db"},
    )
    assert EmbudoWssDialect().create_connect_args(sa.make_url("embudo+wss://h:1"))[0] == ["taosws+wss://h:1"]
    assert EmbudoDialect().create_connect_args(sa.make_url("embudo://h/db")) == (["taosws://h:6041"], {"database": "db"})
    one, two = (EmbudoDialect().create_connect_args(sa.make_url("embudo://"))[0][0] for _ in range(2))
    assert one != two


def test_an_engine_in_memory() -> None:
    engine = sa.create_engine("embudo://")
    with engine.connect() as one, engine.connect() as two:
        one.execute(sa.text("CREATE DATABASE d"))
        assert "d" in [row[0] for row in two.execute(sa.text("SHOW DATABASES"))]
    engine.dispose()
