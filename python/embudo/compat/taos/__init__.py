"""``taos`` of taospy 2.8.10 in all its names: connections, cursors, results, statements, schemaless writing, subscriptions, and the C
interface's functions over the same sessions. A connection goes to where ``EMBUDO_DSN`` leads, else over WebSocket."""

from __future__ import annotations

from embudo.compat.lazy import attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from embudo.compat.taos.names import *  # noqa: F403

__all__ = [
    "IGNORE",
    "IS_V3",
    "TAOS_FIELD_COL",
    "TAOS_FIELD_QUERY",
    "TAOS_FIELD_TAG",
    "TAOS_FIELD_TBNAME",
    "BindTable",
    "PrecisionEnum",
    "SmlPrecision",
    "SmlProtocol",
    "TaosBind",
    "TaosConnection",
    "TaosCursor",
    "TaosResult",
    "TaosRow",
    "TaosRows",
    "TaosStmt",
    "TaosStmt2",
    "TaosStmt2Option",
    "__version__",
    "connect",
    "connect_test",
    "new_bind_param",
    "new_bind_params",
    "new_multi_bind",
    "new_multi_binds",
    "utils",
]

#: Modules by the names that users import them by.
SUBMODULES = (
    "bind",
    "bind2",
    "bind_base",
    "cinterface",
    "connection",
    "constants",
    "cursor",
    "error",
    "field",
    "field_v3",
    "log",
    "precision",
    "result",
    "schemaless",
    "sqlalchemy",
    "statement",
    "statement2",
    "subscription",
    "tmq",
    "utils",
)

__version__ = "2.8.10"
threadsafety = 2
paramstyle = "qmark"
IS_V3 = True
TAOS_FIELD_COL = 1
TAOS_FIELD_TAG = 2
TAOS_FIELD_QUERY = 3
TAOS_FIELD_TBNAME = 4

_named = attributes(
    __name__,
    (
        "connection",
        "error",
        "constants",
        "precision",
        "field",
        "result",
        "cursor",
        "schemaless",
        "bind_base",
        "bind",
        "bind2",
        "field_v3",
        "statement",
        "statement2",
        "subscription",
        "cinterface",
        "tmq_first",
    ),
)


def __getattr__(name: str) -> Any:
    if name in SUBMODULES:
        import importlib

        return importlib.import_module(f"embudo.compat.taos.{name}")
    if name == "taos":
        import sys

        return sys.modules[__name__]
    try:
        return _named(name)
    except AttributeError:
        # The official package exports all of ctypes.
        if not name.startswith("_"):
            import ctypes

            if hasattr(ctypes, name):
                return getattr(ctypes, name)
        raise


def __dir__() -> list[str]:
    return sorted({*__all__, *SUBMODULES, "Error", "threadsafety", "paramstyle"})
