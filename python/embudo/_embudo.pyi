"""The compiled extension. Private: the classes here are reached through :mod:`embudo`."""

from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypedDict, final

from typing_extensions import Buffer

__version__: Final[str]

@final
class Memory(Buffer):
    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

class Block(TypedDict):
    code: str | None
    values: Any
    nulls: Any

@final
class RowStyle:
    def __new__(
        cls,
        *,
        instants: str = "aware",
        zone: str | None = None,
        nanosecond_ticks: bool = True,
        lenient: bool = False,
        raw_text: bool = False,
        hex: bool = False,
        json: bool = True,
        decimal_text: bool = False,
        shortest: bool = False,
        lists: bool = False,
    ) -> RowStyle: ...

@final
class Table:
    """Rows as Arrow in memory."""

    @property
    def fields(self) -> list[tuple[str, int, str, int, int, int]]: ...
    @property
    def zone(self) -> str: ...
    def __len__(self) -> int: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def blocks(self) -> list[Block]: ...
    def rows(self, style: RowStyle | None = None) -> list[Any]: ...

@final
class Result:
    @property
    def affected(self) -> int | None: ...
    @property
    def fields(self) -> list[tuple[str, int, str, int, int, int]]: ...
    @property
    def precision(self) -> int: ...
    def rows(self, count: int | None = None, style: RowStyle | None = None) -> list[Any]: ...
    def block(self, style: RowStyle | None = None) -> list[Any]: ...
    def table(self, count: int | None = None) -> Table: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def close(self) -> None: ...

@final
class RunningServer:
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    def close(self) -> None: ...

@final
class Session:
    @property
    def transport(self) -> str: ...
    @property
    def dsn(self) -> str: ...
    @property
    def zone(self) -> str: ...
    @property
    def closed(self) -> bool: ...
    def server_version(self) -> str: ...
    def run(
        self,
        sql: str,
        parameters: Sequence[object] | Mapping[str, object] | None = None,
        timeout: float | None = None,
        request_id: int | None = None,
    ) -> Result: ...
    def run_many(self, sql: str, rows: Iterable[Sequence[object] | Mapping[str, object]], timeout: float | None = None) -> int: ...
    def write_lines(
        self, text: str, protocol: int, unit: int, ttl: int = 0, table_name_key: str | None = None, request_id: int | None = None
    ) -> int: ...
    def ingest(
        self,
        target: str,
        data: object,
        *,
        time: str,
        tags: list[str],
        table: str | None,
        create: bool,
        truncate: bool,
        progress: Callable[[int, int], object] | None,
    ) -> tuple[int, int]: ...
    def serve(self, host: str, port: int) -> RunningServer: ...
    def interrupt(self) -> None: ...
    def close(self) -> None: ...

@final
class Port:
    def __new__(cls, event_loop: AbstractEventLoop) -> Port: ...
    def deliver(self) -> None: ...

@final
class Call:
    def cancel(self) -> None: ...

@final
class AsyncResult:
    @property
    def affected(self) -> int | None: ...
    @property
    def fields(self) -> list[tuple[str, int, str, int, int, int]]: ...
    @property
    def is_complete(self) -> bool: ...
    def take(self, count: int | None = None) -> Table: ...
    def more(self, port: Port, future: Future[Any]) -> Call: ...
    def close(self) -> None: ...

def connect_later(port: Port, future: Future[Any], dsn: str, options: dict[str, str], application: str | None) -> Call: ...
def start(
    session: Session,
    port: Port,
    future: Future[Any],
    sql: str,
    parameters: Sequence[object] | Mapping[str, object] | None = None,
    timeout: float | None = None,
    request_id: int | None = None,
) -> Call: ...
def start_many(
    session: Session,
    port: Port,
    future: Future[Any],
    sql: str,
    rows: Iterable[Sequence[object] | Mapping[str, object]],
    timeout: float | None = None,
) -> Call: ...
def start_ingest(
    session: Session,
    port: Port,
    future: Future[Any],
    target: str,
    data: object,
    *,
    time: str,
    tags: list[str],
    table: str | None,
    create: bool,
    truncate: bool,
    progress: Callable[[int, int], object] | None,
) -> Call: ...
def start_lines(
    session: Session,
    port: Port,
    future: Future[Any],
    text: str,
    protocol: int,
    unit: int,
    ttl: int = 0,
    table_name_key: str | None = None,
) -> Call: ...
def start_version(session: Session, port: Port, future: Future[Any]) -> Call: ...
def start_close(session: Session, port: Port, future: Future[Any]) -> Call: ...
def connect(dsn: str, options: dict[str, str], application: str | None = None) -> Session: ...
def masked(dsn: str) -> str: ...
def run_program(arguments: list[str]) -> int: ...
def after_fork() -> None: ...
