"""``str.format`` for statements, as ``taosws`` and ``taos`` offer it: values become text, unescaped, but a field cannot reach into them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def fields(template: str) -> Iterator[str]:
    """The names of the fields of a format string, those in format specifications too."""
    import string

    for _, name, specification, _ in string.Formatter().parse(template):
        if name is not None:
            yield name
            yield from fields(specification or "")


def formatted(template: str, args: Sequence[Any], kwargs: Mapping[str, Any], refusal: type[Exception]) -> str:
    """``template.format(*args, **kwargs)``; attributes and indexes in fields, which could read anything, are refused."""
    for name in fields(template):
        if "." in name or "[" in name:
            raise refusal(f"a format field is a plain name, not {name!r}")
    return template.format(*args, **kwargs)
