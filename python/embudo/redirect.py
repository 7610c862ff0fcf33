"""``EMBUDO_DSN``: sends programs that use ``taos``, ``taosrest`` or their SQLAlchemy URLs to another database, unchanged."""

from __future__ import annotations

import os
import sys

__all__ = ["install_as_taos", "redirection"]

_told = False


def redirection(asked: str) -> str | None:
    """The DSN of ``EMBUDO_DSN``, or None without it; says once in a process from where to where.

    ``:memory:`` there is one database that the whole process shares.
    """
    dsn = os.environ.get("EMBUDO_DSN")
    if not dsn:
        return None
    global _told
    if not _told:
        _told = True
        from embudo import _embudo
        from embudo.logger import loud

        loud().warning("EMBUDO_DSN redirects connections: %s goes to %s", asked, _embudo.masked(dsn))
    return ":memory:EMBUDO_DSN" if dsn == ":memory:" else dsn


def install_as_taos() -> None:
    """Makes ``import taos``, ``taosrest`` and ``taosws`` give this package's, whoever owns the folders of these names.

    Modules that were imported before keep what they have.
    """
    import contextlib
    import importlib

    for name in ("taos", "taosrest", "taosws"):
        for loaded in [module for module in sys.modules if module == name or module.startswith(f"{name}.")]:
            del sys.modules[loaded]
        package = importlib.import_module(f"embudo.compat.{name}")
        sys.modules[name] = package
        for part in getattr(package, "SUBMODULES", ()):
            # Dialects need SQLAlchemy, which need not be there.
            with contextlib.suppress(ModuleNotFoundError):
                sys.modules[f"{name}.{part}"] = importlib.import_module(f"embudo.compat.{name}.{part}")
