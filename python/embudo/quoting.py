"""Names as statements have them. Values never need this: they are bound as parameters."""

from __future__ import annotations

__all__ = ["quoted"]


def quoted(*parts: str) -> str:
    """The parts of a name between backticks, in which nothing ends the name; a backtick stands twice."""
    return ".".join(f"`{part.replace('`', '``')}`" for part in parts)
