"""Named connections: ``embudo.connect("@prod")`` reads ``~/.config/embudo/config.toml`` (``$XDG_CONFIG_HOME`` is minded).

.. code-block:: toml

    [connections.prod]
    dsn = "taosws://root@db.example.com:6041/power"
    password = "..."
    timezone = "Europe/Berlin"

Keys other than ``dsn`` are options of :func:`embudo.connect`; keywords given there override them.
"""

from __future__ import annotations

import os
import pathlib
from typing import Any

from embudo.errors import InterfaceError

__all__ = ["config_path", "named_connection"]


def config_path() -> pathlib.Path:
    """Where the file is looked for."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (pathlib.Path(base) if base else pathlib.Path.home() / ".config") / "embudo" / "config.toml"


def named_connection(name: str) -> tuple[str, dict[str, Any]]:
    """The DSN and options of a connection by its name.

    Raises:
        InterfaceError: there is no file, it cannot be read, or it has no connection of this name.
    """
    import tomllib

    path = config_path()
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except FileNotFoundError:
        raise InterfaceError(f"@{name}: there is no file {path}; it would hold a section [connections.{name}] with dsn = ...") from None
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InterfaceError(f"@{name}: {path} cannot be read: {error}") from error
    known = content.get("connections")
    section = known.get(name) if isinstance(known, dict) else None
    if not isinstance(section, dict):
        names = ", ".join(f"@{key}" for key in known) if isinstance(known, dict) and known else "none"
        raise InterfaceError(f"@{name}: {path} has no section [connections.{name}]; it has {names}")
    options = dict(section)
    dsn = options.pop("dsn", None)
    if not isinstance(dsn, str) or dsn.startswith("@"):
        raise InterfaceError(f'@{name}: [connections.{name}] of {path} needs dsn = "..."')
    return dsn, options
