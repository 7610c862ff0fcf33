"""Packages whose names are imported when they are asked for: a connector is imported in milliseconds, and its rarer half never."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


def attributes(package: str, modules: Iterable[str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package: the submodule of that name, else the name in the first of ``modules`` that offers it.

    A module offers what stands in its ``__all__``.
    """
    order = tuple(modules)
    shown = package.removeprefix("embudo.compat.")

    def lookup(name: str) -> Any:
        import importlib

        if not name.startswith("__"):
            if name in order:
                return importlib.import_module(f"{package}.{name}")
            for module in order:
                offering = importlib.import_module(f"{package}.{module}")
                if name in offering.__all__:
                    value = getattr(offering, name)
                    setattr(sys.modules[package], name, value)
                    return value
        raise AttributeError(f"module {shown!r} has no attribute {name!r}")

    return lookup


def alias(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a top-level package that has the names of ``embudo.compat.<package>``."""

    def lookup(name: str) -> Any:
        import importlib

        value = getattr(importlib.import_module(f"embudo.compat.{package}"), name)
        if not name.startswith("_") and not isinstance(value, type(sys)):
            setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        import importlib

        return dir(importlib.import_module(f"embudo.compat.{package}"))

    return lookup, names
