"""The official package's log: lines on standard output, of which only ``info`` and ``warn`` are on."""

from __future__ import annotations

__all__ = [
    "debug",
    "debug1",
    "debug2",
    "debug3",
    "info",
    "setting",
    "show_debug",
    "show_debug1",
    "show_debug2",
    "show_debug3",
    "show_info",
    "show_warn",
    "warn",
]

show_info = True
show_warn = True
show_debug = False
show_debug1 = False
show_debug2 = False
show_debug3 = False


def setting(info: bool, warn: bool, debug: bool, debug1: bool, debug2: bool, debug3: bool) -> None:
    """Chooses which lines are printed."""
    global show_info, show_warn, show_debug, show_debug1, show_debug2, show_debug3
    show_info, show_warn, show_debug, show_debug1, show_debug2, show_debug3 = info, warn, debug, debug1, debug2, debug3


def info(msg: str) -> None:
    """Prints a line, if such lines are on."""
    if show_info:
        print(msg)


def warn(msg: str) -> None:
    """Prints a warning, if such lines are on."""
    if show_warn:
        print(f"WARN: {msg}")


def debug(msg: str) -> None:
    """Prints a line of the first level, if such lines are on."""
    if show_debug:
        print(msg)


def debug1(msg: str) -> None:
    """Prints a line of the second level, if such lines are on."""
    if show_debug1:
        print(msg)


def debug2(msg: str) -> None:
    """Prints a line of the third level, if such lines are on."""
    if show_debug2:
        print(msg)


def debug3(msg: str) -> None:
    """Prints a line of the fourth level, if such lines are on."""
    if show_debug3:
        print(msg)
