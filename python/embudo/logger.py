"""The package's log: ``logging.getLogger("embudo")``. ``logging`` is imported only when there is something that must be
said, or when the program itself uses it: importing it costs more than importing this package."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging


def quiet() -> logging.Logger | None:
    """The logger, if the program uses ``logging``; what is said below WARNING reaches nobody otherwise."""
    module = sys.modules.get("logging")
    return module.getLogger("embudo") if module is not None else None


def loud() -> logging.Logger:
    """The logger, for what must reach the user."""
    import logging

    return logging.getLogger("embudo")
